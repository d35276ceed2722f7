/* Who listens where in the target's network namespace, and its addresses. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"
#include "facts/facts.h"
#include "facts/parse.h"

enum { TABLE_MAX = 4 << 20, FIB_MAX = 1 << 19, LINKS_READ_MAX = 40000 };

/* "0100007F:1F90": hexadecimal words in the machine's own byte order, a port after the colon. */
static bool parse_address(const char *s, struct fact_socket *out)
{
	uint32_t word[4] = {};
	size_t digits = strspn(s, "0123456789ABCDEFabcdef");
	int words = digits == 8 ? 1 : 4;

	if ((digits != 8 && digits != 32) || s[digits] != ':')
		return false;
	for (int i = 0; i < words; i++)
		if (sscanf(s + 8 * i, "%8x", &word[i]) != 1)
			return false;
	if (sscanf(s + digits, ":%4x", &out->port) != 1)
		return false;
	return inet_ntop(words == 1 ? AF_INET : AF_INET6, word, out->addr, sizeof(out->addr));
}

static bool parse_inet(const char *proto, const char *line, struct fact_socket *s)
{
	char local[64], remote[64];
	unsigned state;
	unsigned long long inode;

	*s = (struct fact_socket){.proto = proto};
	if (sscanf(line, " %*u: %63s %63s %x %*s %*s %*s %*s %*s %llu", local, remote, &state,
		   &inode) != 4)
		return false;
	/* 0A: TCP LISTEN; 07: UDP bound and connected to nobody */
	if (state != (str_starts(proto, "tcp") ? 0x0aU : 0x07U))
		return false;
	s->inode = inode;
	return parse_address(local, s);
}

/* "Num RefCount Protocol Flags Type St Inode Path": 00010000 is what accepts connections. */
static bool parse_unix(const char *line, size_t n, struct fact_socket *s)
{
	unsigned long long inode;
	unsigned flags;
	int at = 0;

	*s = (struct fact_socket){.proto = "unix"};
	if (sscanf(line, "%*s %*x %*x %x %*x %*x %llu %n", &flags, &inode, &at) != 2 || !at ||
	    (size_t)at >= n)
		return false;
	if (!(flags & 0x10000))
		return false;
	s->inode = inode;
	snprintf(s->addr, sizeof(s->addr), "%.*s", (int)(n - (size_t)at), line + at);
	return true;
}

int facts_net_parse(const char *proto, const char *text, struct facts_net *net)
{
	if (!net->v) {
		net->v = calloc(FACTS_SOCKETS_MAX, sizeof(*net->v));
		if (!net->v)
			return -ENOMEM;
	}
	for (const char *line = text; *line;) {
		size_t n = strcspn(line, "\n");
		struct fact_socket s;

		if (str_eq(proto, "unix") ? parse_unix(line, n, &s) : parse_inet(proto, line, &s)) {
			if (net->n == FACTS_SOCKETS_MAX) {
				net->cut = true;
				return 0;
			}
			net->v[net->n++] = s;
		}
		line += n + (line[n] == '\n');
	}
	return 0;
}

int facts_fib_parse(const char *text, struct strv *addresses)
{
	char last[INET_ADDRSTRLEN] = "";

	for (const char *line = text; *line;) {
		size_t n = strcspn(line, "\n");
		const char *leaf = memmem(line, n, "|-- ", 4);

		if (leaf)
			snprintf(last, sizeof(last), "%.*s", (int)strcspn(leaf + 4, "\n "),
				 leaf + 4);
		else if (last[0] && memmem(line, n, "/32 host LOCAL", 14)) {
			if (!str_starts(last, "127.") && !strv_has(addresses, last) &&
			    strv_add(addresses, last) < 0)
				return -ENOMEM;
			last[0] = '\0';
		}
		line += n + (line[n] == '\n');
	}
	return 0;
}

/* "fe80000000000000...  02 40 20 80 eth0": address, index, prefix, scope (00 global), flags, name
 */
int facts_inet6_parse(const char *text, struct strv *addresses)
{
	for (const char *line = text; *line;) {
		char hex[40], out[INET6_ADDRSTRLEN];
		unsigned char raw[16];
		unsigned scope;
		bool ok = sscanf(line, "%32[0-9a-f] %*x %*x %x", hex, &scope) == 2 && scope == 0 &&
			  strlen(hex) == 32;

		for (size_t i = 0; ok && i < sizeof(raw); i++) {
			unsigned byte;

			ok = sscanf(hex + 2 * i, "%2x", &byte) == 1;
			raw[i] = (unsigned char)byte;
		}
		if (ok && inet_ntop(AF_INET6, raw, out, sizeof(out)) &&
		    strv_add(addresses, out) < 0)
			return -ENOMEM;
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	return 0;
}

/* "eth0 00000000 010011AC 0003 ...": the first row with destination 0. */
void facts_route_parse(const char *text, char *gateway, size_t size)
{
	gateway[0] = '\0';
	for (const char *line = text; *line && !gateway[0];) {
		char dev[32];
		uint32_t to, via;

		if (sscanf(line, "%31s %8x %8x", dev, &to, &via) == 3 && to == 0 && via != 0)
			inet_ntop(AF_INET, &via, gateway, (socklen_t)size);
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
}

/* The tables of TCP list what listens before what is connected, and every further read walks the
 * whole hash table again (2 ms), the one that only finds the end too. A read returns what fits in a
 * page, so a shorter one was the last. */
static bool tcp_is_done(const char *part, size_t n)
{
	const char *last = n > 1 ? memrchr(part, '\n', n - 1) : NULL;

	return n < 4096 - 512 || (last && !memmem(last, n - (size_t)(last - part), " 0A ", 4));
}

static char *table_read(int proc_fd, const char *name, size_t max)
{
	_cleanup_close_ int fd = openat(proc_fd, name, O_RDONLY | O_CLOEXEC);
	_cleanup_buf_ struct buf b = {};
	char part[16384];
	ssize_t n;

	if (fd < 0)
		return NULL;
	while (b.len < max && (n = read(fd, part, sizeof(part))) > 0) {
		buf_add(&b, part, (size_t)n);
		if (str_starts(name, "net/tcp") && tcp_is_done(part, (size_t)n))
			break;
	}
	return buf_take(&b);
}

/* "Inter-| ..." two header lines, then "  eth0: 123 ..." */
static int links_parse(const char *text, struct strv *links)
{
	enum { SHOWN = 16 };

	for (const char *line = text; *line && links->n < SHOWN;) {
		size_t n = strcspn(line, "\n");
		const char *name = line + strspn(line, " ");
		const char *colon = memchr(line, ':', n);

		if (colon && !memchr(line, '|', n) && !str_starts(name, "lo:") &&
		    strv_push(links, strndup(name, (size_t)(colon - name))) < 0)
			return -ENOMEM;
		line += n + (line[n] == '\n');
	}
	return 0;
}

static int addresses_read(int proc_fd, struct facts_net *net)
{
	_cleanup_free_ char *fib = table_read(proc_fd, "net/fib_trie", FIB_MAX);
	_cleanup_free_ char *inet6 = table_read(proc_fd, "net/if_inet6", FIB_MAX);
	_cleanup_free_ char *route = table_read(proc_fd, "net/route", FIB_MAX);
	_cleanup_free_ char *dev = table_read(proc_fd, "net/dev", FIB_MAX);
	int r = fib ? facts_fib_parse(fib, &net->addresses) : 0;

	if (r == 0 && inet6)
		r = facts_inet6_parse(inet6, &net->addresses);
	if (r == 0 && dev)
		r = links_parse(dev, &net->links);
	if (route)
		facts_route_parse(route, net->gateway, sizeof(net->gateway));
	return r;
}

static int dns_read(int proc_fd, struct facts_net *net)
{
	_cleanup_close_ int root = openat(proc_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;

	if (root < 0 || path_read_in_root(root, "/etc/resolv.conf", 1 << 16, &text, NULL) < 0)
		return 0;
	for (const char *line = text; *line && net->dns.n < 8;) {
		char server[64];

		if (sscanf(line, "nameserver %63s", server) == 1 && strv_add(&net->dns, server) < 0)
			return -ENOMEM;
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	return 0;
}

/* Note the owner of every socket that is among this process's descriptors. Returns links read. */
static size_t own(const struct fact_proc *p, int fd_dir, struct facts_net *net, size_t *missing)
{
	_cleanup_dir_ DIR *dir = dir_take(fd_dir);
	size_t n = 0;

	if (!dir)
		return 0;
	for (struct dirent *d = readdir(dir); d && *missing && n < LINKS_READ_MAX;
	     d = readdir(dir), n++) {
		char link[64];
		unsigned long long inode;

		if (link_read_at(dirfd(dir), d->d_name, link, sizeof(link)) < 0 ||
		    sscanf(link, "socket:[%llu]", &inode) != 1)
			continue;
		for (size_t i = 0; i < net->n; i++) {
			struct fact_socket *s = &net->v[i];

			if (s->inode != inode || s->pid)
				continue;
			s->pid = p->pid;
			s->inside = p->inside;
			snprintf(s->comm, sizeof(s->comm), "%s", p->comm);
			(*missing)--;
		}
	}
	return n;
}

static void owned_by(const struct target_roots *r, const struct fact_proc *p, struct facts_net *net,
		     size_t *missing, size_t *links)
{
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "%d/fd", p->pid);
	fd = openat(r->proc_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		*links += own(p, fd, net, missing);
}

static void owners_read(const struct target_roots *r, struct facts *f)
{
	size_t missing = f->net.n, links = 0;

	for (size_t i = 0; i < f->procs.n && missing && links < LINKS_READ_MAX; i++)
		owned_by(r, &f->procs.v[i], &f->net, &missing, &links);
}

/* In a network namespace that others use too, the target's own come first. Of the others' those
 * stay that can be reached from the target, and none where the host is among them. Returns those.
 */
static size_t own_first(struct facts_net *net, bool host)
{
	struct fact_socket *others = calloc(net->n + 1, sizeof(*others));
	size_t kept = 0, n = 0;

	for (size_t i = 0; i < net->n; i++)
		if (net->v[i].pid)
			net->v[kept++] = net->v[i];
		else if (others && !host && !str_eq(net->v[i].proto, "unix"))
			others[n++] = net->v[i];
	net->n = kept;
	if (n)
		memcpy(net->v + kept, others, n * sizeof(*others));
	free(others);
	return n;
}

/* Which of the processes that share the network have the others' sockets. */
static void others_read(const struct target_roots *r, struct facts *f)
{
	struct facts_net rest = {.v = f->net.v + f->net.n, .n = f->net.n_others};
	size_t missing = rest.n, links = 0;
	int net = 0;

	while (ns_types[net].flag != CLONE_NEWNET)
		net++;
	for (size_t i = 0; i < f->ns.n_outsiders && missing && links < LINKS_READ_MAX; i++) {
		struct fact_proc p = {.pid = f->ns.outsiders[i].pid};
		char name[32];

		if (f->ns.outsiders[i].home[net] != f->ns.v[net].inode)
			continue;
		snprintf(name, sizeof(name), "%d/comm", p.pid);
		if (file_read_small_at(r->proc_fd, name, p.comm, sizeof(p.comm)) > 0)
			p.comm[strcspn(p.comm, "\n")] = '\0';
		owned_by(r, &p, &rest, &missing, &links);
	}
}

/* Is any socket of that kind in use? Walking the kernel's hash tables to find none takes 4 ms; the
 * counters are per network namespace (Linux 2.6.24). */
static bool in_use(const char *sockstat, const char *proto)
{
	char key[16];
	size_t n = (size_t)snprintf(key, sizeof(key), "%s: inuse ", proto);

	for (const char *line = sockstat; line && *line;) {
		if (strncasecmp(line, key, n) == 0)
			return atoi(line + n) > 0;
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	return true;
}

int facts_net_read(const struct target_roots *r, const struct target *t, struct facts *f)
{
	static const struct {
		const char *proto, *file;
		bool six;
	} tables[] = {{"tcp", "net/tcp", false},
		      {"tcp6", "net/tcp6", true},
		      {"udp", "net/udp", false},
		      {"udp6", "net/udp6", true},
		      {"unix", "net/unix", false}};
	_cleanup_free_ char *stat4 = table_read(t->proc_fd, "net/sockstat", TABLE_MAX);
	_cleanup_free_ char *stat6 = table_read(t->proc_fd, "net/sockstat6", TABLE_MAX);
	const struct fact_ns *net = facts_ns_get(f, CLONE_NEWNET);
	int err = 0;

	for (size_t i = 0; i < ARRAY_LEN(tables) && err == 0; i++) {
		_cleanup_free_ char *text = NULL;

		if (in_use(tables[i].six ? stat6 : stat4, tables[i].proto))
			text = table_read(t->proc_fd, tables[i].file, TABLE_MAX);
		if (text)
			err = facts_net_parse(tables[i].proto, text, &f->net);
	}
	if (err == 0)
		err = addresses_read(t->proc_fd, &f->net);
	if (err == 0)
		err = dns_read(t->proc_fd, &f->net);
	if (err < 0)
		return err;
	owners_read(r, f);
	if (net->kind != NS_OWN)
		f->net.n_others = own_first(&f->net, net->kind != NS_SHARED);
	others_read(r, f);
	return 0;
}

/* Sockets by the tables of their network namespace: /proc/PID/net. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "watch/fds.h"

enum { LINES_MAX = 1 << 20, LINE_MAX_BYTES = 512 };

static const char *const tcp_states[] = {
	"",
	"established",
	"opening",
	"opening (received)",
	"closing (FIN sent)",
	"half closed",
	"time wait",
	"closed",
	"half closed by the peer",
	"closing (last ack)",
	"listens",
	"closing",
};

/* "0100007F:1F90" of /proc/net/tcp, words in the machine's own order. */
static bool address(const char *hex, bool six, char out[64])
{
	struct in6_addr a = {};
	char host[INET6_ADDRSTRLEN];
	unsigned port;
	int n = 0;

	for (int i = 0; i < (six ? 4 : 1); i++) {
		if (sscanf(hex, "%8x%n", &a.s6_addr32[i], &n) != 1 || n != 8)
			return false;
		hex += 8;
	}
	if (sscanf(hex, ":%x", &port) != 1 ||
	    !inet_ntop(six ? AF_INET6 : AF_INET, &a, host, sizeof(host)))
		return false;
	if (str_starts(host, "::ffff:") && strchr(host, '.'))
		snprintf(out, 64, "%s:%u", host + 7, port);
	else
		snprintf(out, 64, six ? "[%s]:%u" : "%s:%u", host, port);
	return true;
}

static struct fd_info *find(struct fds *l, uint64_t ino)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].kind == FD_SOCKET && l->v[i].ino == ino)
			return &l->v[i];
	return NULL;
}

/* Every descriptor of the socket; `text` is taken. */
static void set(struct fds *l, uint64_t ino, char *text)
{
	for (size_t i = 0; text && i < l->n; i++)
		if (l->v[i].kind == FD_SOCKET && l->v[i].ino == ino && !l->v[i].detail)
			l->v[i].detail = strdup(text);
	free(text);
}

static void inet_line(const char *line, const char *protocol, struct fds *l)
{
	char local[64], remote[64], from[64], to[64];
	bool six = str_ends(protocol, "6"), tcp = str_starts(protocol, "tcp");
	unsigned state, out, in;
	unsigned long long ino;
	const char *word;

	if (sscanf(line, " %*u: %63s %63s %x %x:%x %*x:%*x %*x %*u %*u %llu", local, remote, &state,
		   &out, &in, &ino) != 6 ||
	    !find(l, ino) || !address(local, six, from) || !address(remote, six, to))
		return;
	word = tcp && state < ARRAY_LEN(tcp_states) ? tcp_states[state] : "";
	if (str_eq(word, "listens"))
		set(l, ino,
		    str_fmt("%s listens on %s, %u waiting to be accepted", protocol, from, in));
	else if (str_ends(to, ":0"))
		set(l, ino, str_fmt("%s %s, %u bytes unread", protocol, from, in));
	else
		set(l, ino,
		    str_fmt("%s %s -> %s%s%s, %u bytes unread, %u unacknowledged", protocol, from,
			    to, *word ? ", " : "", word, in, out));
}

static void unix_line(const char *line, const char *protocol, struct fds *l)
{
	unsigned flags, type, state;
	unsigned long long ino;
	_cleanup_free_ char *path = NULL;
	int at = 0;

	if (sscanf(line, "%*x: %*x %*x %x %x %x %llu %n", &flags, &type, &state, &ino, &at) != 4 ||
	    !at || !find(l, ino))
		return;
	path = str_printable_dup(line + at);
	set(l, ino,
	    str_fmt("unix %s%s%s%s",
		    type == 1	? "stream"
		    : type == 2 ? "datagrams"
				: "packets",
		    flags & 0x10000 ? ", listens"
		    : state == 3    ? ", connected"
				    : "",
		    path && *path ? " at " : "", path ? path : ""));
}

static void read_table(int dir, const char *name, const char *protocol,
		       void (*line)(const char *, const char *, struct fds *), struct fds *l)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	_cleanup_file_ FILE *f = fd < 0 ? NULL : fdopen(fd, "re");
	char text[LINE_MAX_BYTES];

	for (unsigned n = 0; f && n < LINES_MAX && fgets(text, sizeof(text), f); n++) {
		text[strcspn(text, "\n")] = '\0';
		line(text, protocol, l);
	}
}

void fds_find_sockets(int dir, struct fds *l)
{
	read_table(dir, "net/tcp", "tcp", inet_line, l);
	read_table(dir, "net/tcp6", "tcp6", inet_line, l);
	read_table(dir, "net/udp", "udp", inet_line, l);
	read_table(dir, "net/udp6", "udp6", inet_line, l);
	read_table(dir, "net/unix", "unix", unix_line, l);
}

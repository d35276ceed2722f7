#include "target/scan.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/path.h"

#define PROCS_MAX ((size_t)1 << 20)
enum { ARGS_MAX = 16384 };

/* By comm; the kernel cuts it to 15 bytes. LXC's monitor goes by its starter's name. */
static const struct {
	const char *comm;
	enum monitor_kind kind;
} comms[] = {
	{"containerd-shim", MONITOR_SHIM},  {"conmon", MONITOR_CONMON}, {"lxc-start", MONITOR_LXC},
	{"lxc-execute", MONITOR_LXC},	    {"incusd", MONITOR_LXC},	{"lxd", MONITOR_LXC},
	{"systemd-nspawn", MONITOR_NSPAWN}, {"bwrap", MONITOR_BWRAP},
};

static enum monitor_kind kind_of(const char *comm)
{
	for (size_t i = 0; i < ARRAY_LEN(comms); i++)
		if (str_eq(comm, comms[i].comm))
			return comms[i].kind;
	return MONITOR_NONE;
}

/* "[lxc monitor] /var/lib/lxc NAME" is one argument: cut it in three. */
static bool parse_lxc(struct monitor *m)
{
	static const char title[] = "[lxc monitor] ";
	char *name;

	if (!str_starts(m->args, title))
		return false;
	name = strrchr(m->args + sizeof(title) - 1, ' ');
	if (!name || !path_is_component(name + 1))
		return false;
	*name = '\0';
	m->ns = m->args + sizeof(title) - 1;
	m->name = name + 1;
	return true;
}

static bool parse_args(struct monitor *m)
{
	switch (m->kind) {
	case MONITOR_SHIM:
		m->id = proc_arg(m->args, m->len, "-id");
		m->ns = proc_arg(m->args, m->len, "-namespace");
		return path_is_component(m->id) && m->ns;
	case MONITOR_CONMON:
		m->id = proc_arg(m->args, m->len, "-c");
		m->name = proc_arg(m->args, m->len, "-n");
		return path_is_component(m->id);
	case MONITOR_LXC:
		return parse_lxc(m);
	case MONITOR_NSPAWN:
		m->name = proc_arg(m->args, m->len, "-M");
		if (!m->name)
			m->name = proc_arg(m->args, m->len, "--machine");
		return true;
	case MONITOR_BWRAP:
		m->name = proc_arg(m->args, m->len, "--hostname");
		return true;
	case MONITOR_NONE:
		break;
	}
	return false;
}

enum monitor_kind monitor_read(int proc_fd, const struct proc_stat *p, struct monitor *m)
{
	char args[ARGS_MAX];
	struct proc_status st;
	ssize_t n;

	*m = (struct monitor){.kind = kind_of(p->comm), .pid = p->pid};
	if (!m->kind || p->kthread || p->state == 'Z')
		return m->kind = MONITOR_NONE;
	n = proc_cmdline_read(proc_fd, p->pid, args, sizeof(args));
	if (n <= 0 || proc_status_read_at(proc_fd, p->pid, &st) < 0)
		return m->kind = MONITOR_NONE;
	m->uid = st.ruid;
	m->depth = st.nspids - 1;
	m->len = (size_t)n;
	m->args = malloc((size_t)n + 2);
	if (!m->args)
		return m->kind = MONITOR_NONE;
	memcpy(m->args, args, (size_t)n + 2);
	if (!parse_args(m)) {
		free(TAKE_PTR(m->args));
		m->kind = MONITOR_NONE;
	}
	return m->kind;
}

static int add_monitor(struct scan *s, struct look *l, const struct proc_stat *p)
{
	struct monitor m, *v;

	if (!kind_of(p->comm) || !monitor_read(l->roots->proc_fd, p, &m))
		return 0;
	v = reallocarray(s->mon, s->mons + 1, sizeof(*v));
	if (!v) {
		free(m.args);
		return -ENOMEM;
	}
	s->mon = v;
	s->mon[s->mons++] = m;
	return 0;
}

static int by_pid(const void *a, const void *b)
{
	const struct proc_stat *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static int walk(struct scan *s, struct look *l, DIR *d)
{
	size_t size = 0;
	struct dirent *ent;

	while ((ent = readdir(d)) && s->n < PROCS_MAX) {
		uint64_t pid;

		if (str_to_u64(ent->d_name, 1, INT32_MAX, &pid) < 0)
			continue;
		if (s->n == size) {
			struct proc_stat *v;

			size = size ? size * 2 : 512;
			v = reallocarray(s->v, size, sizeof(*v));
			if (!v)
				return -ENOMEM;
			s->v = v;
		}
		if (proc_stat_read_at(l->roots->proc_fd, (pid_t)pid, &s->v[s->n]) < 0)
			continue;
		if (add_monitor(s, l, &s->v[s->n]) < 0)
			return -ENOMEM;
		s->n++;
	}
	qsort(s->v, s->n, sizeof(*s->v), by_pid); /* /proc is in order: captured trees are not */
	return 0;
}

/* kthreadd is always in the host's, and unlike those of pid 1 its links are readable; where we do
 * not see it, what is ours counts as the host's. */
static void read_namespaces(struct scan *s, struct look *l)
{
	const struct proc_stat *kthreadd = scan_find(s, 2);
	_cleanup_close_ int dir =
		look_dir(l, l->roots->proc_fd, kthreadd && kthreadd->kthread ? "2" : "self");

	if (dir < 0)
		return;
	s->ns_mnt = proc_ns_inode(dir, "mnt");
	s->ns_pid = proc_ns_inode(dir, "pid");
	s->ns_user = proc_ns_inode(dir, "user");
	s->ns_net = proc_ns_inode(dir, "net");
}

struct scan *scan_make(struct look *l)
{
	struct scan *s = calloc(1, sizeof(*s));
	_cleanup_dir_ DIR *d = look_opendir(l, l->roots->proc_fd, ".");

	if (!s)
		return NULL;
	if (d && walk(s, l, d) < 0) {
		scan_free(s);
		return NULL;
	}
	read_namespaces(s, l);
	return s;
}

void scan_free(struct scan *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->mons; i++)
		free(s->mon[i].args);
	free(s->mon);
	free(s->v);
	free(s);
}

const struct proc_stat *scan_find(const struct scan *s, pid_t pid)
{
	struct proc_stat key = {.pid = pid};

	return s->n ? bsearch(&key, s->v, s->n, sizeof(*s->v), by_pid) : NULL;
}

const struct monitor *scan_monitor(const struct scan *s, pid_t pid)
{
	for (size_t i = 0; i < s->mons; i++)
		if (s->mon[i].pid == pid)
			return &s->mon[i];
	return NULL;
}

const struct monitor *scan_monitor_of(const struct scan *s, enum monitor_kind kind, const char *id)
{
	for (size_t i = 0; i < s->mons; i++)
		if (s->mon[i].kind == kind && str_eq(s->mon[i].id, id))
			return &s->mon[i];
	return NULL;
}

const struct proc_stat *scan_child(const struct scan *s, pid_t parent, const struct proc_stat *prev)
{
	for (const struct proc_stat *p = prev ? prev + 1 : s->v; p < s->v + s->n; p++)
		if (p->ppid == parent)
			return p;
	return NULL;
}

pid_t scan_translate(const struct look *l, const struct monitor *m, pid_t inner)
{
	const struct proc_stat *c = NULL;
	struct proc_status st;

	if (m->depth == 0)
		return inner;
	while ((c = scan_child(l->scan, m->pid, c)))
		if (proc_status_read_at(l->roots->proc_fd, c->pid, &st) == 0 &&
		    st.nspids > m->depth && st.nspid[m->depth] == inner)
			return c->pid;
	return 0;
}

pid_t scan_init(const struct look *l, const struct monitor *m)
{
	const struct proc_stat *c = NULL;
	struct proc_status st;

	while ((c = scan_child(l->scan, m->pid, c)))
		if (proc_status_read_at(l->roots->proc_fd, c->pid, &st) == 0 &&
		    st.nspids > m->depth + 1 && st.nspid[st.nspids - 1] == 1)
			return c->pid;
	return 0;
}

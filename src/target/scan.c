#include "target/scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fd.h"

#define PROCS_MAX    ((size_t)1 << 20)
#define CHILDREN_MAX ((size_t)16 << 20)

/* One process, and what was read of it so far. */
struct entry {
	pid_t pid;
	bool skip;     /* a kernel thread, or known already */
	bool has_stat; /* `stat` was read, or could not be (then its pid is 0) */
	bool apart;
	uint64_t ns_pid;
	struct proc_stat stat;
};

struct host_ns {
	const char *name;
	uint64_t ino;
};

struct scan {
	struct entry *v; /* sorted by pid */
	size_t n;
	struct monitor *mon;
	size_t mons;
	struct host_ns host[4];
	bool looked;
};

static int by_pid(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static int list_pids(struct scan *s, DIR *d)
{
	size_t size = 0;
	struct dirent *ent;

	while ((ent = readdir(d)) && s->n < PROCS_MAX) {
		uint64_t pid;

		if (str_to_u64(ent->d_name, 1, INT32_MAX, &pid) < 0)
			continue;
		if (s->n == size) {
			struct entry *v;

			size = size ? size * 2 : 512;
			v = reallocarray(s->v, size, sizeof(*v));
			if (!v)
				return -ENOMEM;
			s->v = v;
		}
		s->v[s->n++] = (struct entry){.pid = (pid_t)pid};
	}
	/* /proc is in order: captured trees are not */
	for (size_t i = 1; i < s->n; i++)
		if (s->v[i - 1].pid > s->v[i].pid) {
			qsort(s->v, s->n, sizeof(*s->v), by_pid);
			break;
		}
	return 0;
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

static struct entry *entry_of(const struct scan *s, pid_t pid)
{
	struct entry key = {.pid = pid};

	return s->n ? bsearch(&key, s->v, s->n, sizeof(*s->v), by_pid) : NULL;
}

const struct proc_stat *scan_stat(struct look *l, pid_t pid)
{
	struct entry *e = entry_of(l->scan, pid);

	if (!e)
		return NULL;
	if (!e->has_stat && proc_stat_read_at(l->roots->proc_fd, pid, &e->stat) < 0)
		e->stat.pid = 0;
	e->has_stat = true;
	return e->stat.pid ? &e->stat : NULL;
}

const struct proc_stat *scan_named(struct look *l, const char *comm, size_t *i)
{
	while (l->scan && *i < l->scan->n) {
		const struct proc_stat *st = scan_stat(l, l->scan->v[(*i)++].pid);

		if (st && !st->kthread && str_eq(st->comm, comm))
			return st;
	}
	return NULL;
}

uint64_t scan_host_ns(const struct look *l, const char *ns)
{
	for (size_t i = 0; i < ARRAY_LEN(l->scan->host); i++)
		if (str_eq(l->scan->host[i].name, ns))
			return l->scan->host[i].ino;
	return 0;
}

/* kthreadd is always in the host's, and unlike those of pid 1 its links are readable; where we do
 * not see it, what is ours counts as the host's. Its children are the kernel threads. */
static void look_at_kthreadd(struct look *l)
{
	const struct proc_stat *kthreadd = scan_stat(l, 2);
	bool is = kthreadd && kthreadd->kthread;
	_cleanup_close_ int dir = look_dir(l, l->roots->proc_fd, is ? "2" : "self");
	_cleanup_free_ char *text = NULL;

	for (size_t i = 0; dir >= 0 && i < ARRAY_LEN(l->scan->host); i++)
		l->scan->host[i].ino = proc_ns_inode(dir, l->scan->host[i].name);
	if (!is || file_read_at(dir, "task/2/children", CHILDREN_MAX, &text, NULL) < 0)
		return;
	for (char *p = text, *end;; p = end) {
		pid_t pid = (pid_t)strtol(p, &end, 10);
		struct entry *e = entry_of(l->scan, pid);

		if (end == p)
			return;
		if (e)
			e->skip = true;
	}
}

struct scan *scan_make(struct look *l)
{
	_cleanup_dir_ DIR *d = look_opendir(l, l->roots->proc_fd, ".");
	struct scan *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->host[0].name = "pid";
	s->host[1].name = "mnt";
	s->host[2].name = "user";
	s->host[3].name = "net";
	if (d && list_pids(s, d) < 0) {
		scan_free(s);
		return NULL;
	}
	l->scan = s;
	look_at_kthreadd(l);
	return s;
}

/* Engines whose containers' parent is their monitor and nothing else. */
static bool has_monitor(const char *engine)
{
	static const char *const words[] = {"docker", "podman",	 "containerd",
					    "cri",    "nerdctl", "crio"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (str_eq(engine, words[i]))
			return true;
	return false;
}

/* Only those: what is runc's or crun's by its own directory can be podman's from elsewhere. */
static void skip_known(struct look *l, const struct targets *known)
{
	for (size_t i = 0; i < known->n; i++) {
		struct entry *e =
			has_monitor(known->v[i].engine) ? entry_of(l->scan, known->v[i].pid) : NULL;
		struct entry *parent = e && e->has_stat ? entry_of(l->scan, e->stat.ppid) : NULL;

		if (e)
			e->skip = true;
		if (parent)
			parent->skip = true;
	}
}

static int add_monitor(struct look *l, pid_t pid)
{
	const struct proc_stat *p = scan_stat(l, pid);
	struct scan *s = l->scan;
	struct monitor m, *v;

	for (size_t i = s->mons; i-- > 0;)
		if (s->mon[i].pid == pid)
			return 0;
	if (!p || !monitor_read(l->roots->proc_fd, p, &m))
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

/* In another mount namespace than the host. Zombies have none. A pid namespace alone makes no
 * container: browsers put each of their tabs into one. */
static bool is_apart(struct look *l, struct entry *e, uint64_t host)
{
	uint64_t mnt = proc_ns_inode_at(l->roots->proc_fd, e->pid, "mnt");

	if (!mnt || mnt == host || !scan_stat(l, e->pid) || e->stat.kthread)
		return false;
	e->ns_pid = proc_ns_inode_at(l->roots->proc_fd, e->pid, "pid");
	return e->ns_pid;
}

int scan_look(struct look *l, const struct targets *known)
{
	uint64_t host;
	int r = 0;

	if (l->scan->looked)
		return 0;
	l->scan->looked = true;
	skip_known(l, known);
	host = scan_host_ns(l, "mnt");
	for (size_t i = 0; i < l->scan->n && r == 0; i++) {
		struct entry *e = &l->scan->v[i];

		if (e->skip)
			continue;
		e->apart = is_apart(l, e, host);
		if (e->apart)
			r = add_monitor(l, e->stat.ppid);
	}
	return r;
}

const struct proc_stat *scan_apart(const struct look *l, size_t *i, uint64_t *ns_pid)
{
	while (*i < l->scan->n) {
		const struct entry *e = &l->scan->v[(*i)++];

		if (!e->apart)
			continue;
		*ns_pid = e->ns_pid;
		return &e->stat;
	}
	return NULL;
}

const struct monitor *scan_monitor(const struct look *l, size_t *i)
{
	return l->scan && *i < l->scan->mons ? &l->scan->mon[(*i)++] : NULL;
}

bool scan_has_monitor(const struct look *l, enum monitor_kind kind)
{
	const struct monitor *m;
	size_t i = 0;

	while ((m = scan_monitor(l, &i)))
		if (m->kind == kind)
			return true;
	return false;
}

const struct monitor *scan_monitor_of(const struct look *l, enum monitor_kind kind, const char *id)
{
	const struct monitor *m;
	size_t i = 0;

	while ((m = scan_monitor(l, &i)))
		if (m->kind == kind && str_eq(m->id, id))
			return m;
	return NULL;
}

const struct proc_stat *scan_child(const struct look *l, pid_t parent, size_t *i)
{
	const struct proc_stat *p;
	uint64_t ns;

	while ((p = scan_apart(l, i, &ns)))
		if (p->ppid == parent)
			return p;
	return NULL;
}

pid_t scan_translate(const struct look *l, const struct monitor *m, pid_t inner)
{
	const struct proc_stat *c;
	struct proc_status st;
	size_t i = 0;

	if (m->depth == 0)
		return inner;
	while ((c = scan_child(l, m->pid, &i)))
		if (proc_status_read_at(l->roots->proc_fd, c->pid, &st) == 0 &&
		    st.nspids > m->depth && st.nspid[m->depth] == inner)
			return c->pid;
	return 0;
}

pid_t scan_init(const struct look *l, const struct monitor *m)
{
	const struct proc_stat *c;
	struct proc_status st;
	size_t i = 0;

	while ((c = scan_child(l, m->pid, &i)))
		if (proc_status_read_at(l->roots->proc_fd, c->pid, &st) == 0 &&
		    st.nspids > m->depth + 1 && st.nspid[st.nspids - 1] == 1)
			return c->pid;
	return 0;
}

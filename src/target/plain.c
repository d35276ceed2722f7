/*
 * What no engine has: the first process of a mount namespace of its own that has a pid, user or
 * network namespace too (systemd gives its services mounts and networks: those are left out).
 * unshare(1); a container whose engine keeps its files where nobody knows. Named by their own host
 * name, else by their program.
 */
#include "target/engine.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "sys/hostname.h"
#include "sys/proc.h"
#include "target/pid.h"
#include "target/scan.h"

static bool is_service(struct look *l, pid_t pid)
{
	char path[32], text[PROC_CGROUP_MAX], *p;

	snprintf(path, sizeof(path), "%d/cgroup", (int)pid);
	return file_read_small_at(l->roots->proc_fd, path, text, sizeof(text)) > 0 &&
	       (p = strstr(text, ".service")) && (p[8] == '\n' || p[8] == '/');
}

/* Whether the process is the first of something of its own. */
static bool is_first(struct look *l, const struct proc_stat *p, uint64_t ns_pid, bool *own_pid)
{
	int fd = l->roots->proc_fd;
	uint64_t mnt, user, net;
	struct proc_status st;

	*own_pid = ns_pid != scan_host_ns(l, "pid");
	if (*own_pid)
		return proc_status_read_at(fd, p->pid, &st) == 0 && st.nspid[st.nspids - 1] == 1;
	mnt = proc_ns_inode_at(fd, p->pid, "mnt");
	user = proc_ns_inode_at(fd, p->pid, "user");
	net = proc_ns_inode_at(fd, p->pid, "net");
	if (!mnt || !user || !net || mnt == proc_ns_inode_at(fd, p->ppid, "mnt"))
		return false;
	return user != scan_host_ns(l, "user") ||
	       (net != scan_host_ns(l, "net") && !is_service(l, p->pid));
}

static bool claimed(const struct targets *by, pid_t pid)
{
	for (size_t i = 0; i < by->n; i++)
		if (by->v[i].pid == pid)
			return true;
	return false;
}

/* Whether it is the session's process of one of our own containers, which is 1 in their pid
 * namespace; its child is the command, and known as the container's. */
static bool is_session(struct look *l, const struct targets *by, pid_t pid)
{
	for (size_t i = 0; i < by->n; i++) {
		const struct proc_stat *p = str_eq(by->v[i].engine, engine_porthole.name)
						    ? scan_stat(l, by->v[i].pid)
						    : NULL;

		if (p && p->ppid == pid)
			return true;
	}
	return false;
}

/* Whether the process or one it descends from is a container's. */
static bool belongs(struct look *l, const struct targets *by, const struct proc_stat *p)
{
	if (is_session(l, by, p->pid))
		return true;
	for (int depth = 0; p && depth < 64; depth++) {
		if (claimed(by, p->pid))
			return true;
		p = scan_stat(l, p->ppid);
	}
	return false;
}

/* A process found to be first. */
struct first {
	const struct proc_stat *p;
	bool own_pid; /* 1 of its own pid namespace */
};

struct firsts {
	struct first *v;
	size_t n, size;
};

static int firsts_add(struct firsts *f, const struct proc_stat *p, bool own_pid)
{
	if (f->n == f->size) {
		size_t size = f->size ? f->size * 2 : 16;
		struct first *v = reallocarray(f->v, size, sizeof(*v));

		if (!v)
			return -ENOMEM;
		f->v = v;
		f->size = size;
	}
	f->v[f->n++] = (struct first){.p = p, .own_pid = own_pid};
	return 0;
}

/* `unshare --fork` stays outside of the pid namespace it made: its child is the container's init.
 */
static bool is_starter(const struct firsts *f, const struct first *x)
{
	for (size_t i = 0; !x->own_pid && i < f->n; i++)
		if (f->v[i].p->ppid == x->p->pid)
			return true;
	return false;
}

static int take(struct look *l, const struct want *w, const struct proc_stat *p, const char *host,
		struct targets *out)
{
	struct target t = TARGET_INIT;

	t.engine = engine_none.name;
	t.name = strdup(*host ? host : p->comm);
	t.state_file = str_fmt("/proc/%d", (int)p->pid);
	t.exit_code = -1;
	if (!target_take_pid(l, &t, p->pid)) {
		target_done(&t);
		return 0;
	}
	return want_take(w, out, &t, p->comm);
}

static int take_all(struct look *l, const struct want *w, const struct firsts *f,
		    struct targets *out)
{
	_cleanup_free_ pid_t *pids = calloc(f->n + 1, sizeof(*pids));
	_cleanup_free_ char(*host)[HOSTNAME_SIZE] = calloc(f->n + 1, HOSTNAME_SIZE);
	char ours[HOSTNAME_SIZE] = "";
	int r = pids && host ? 0 : -ENOMEM;

	if (r < 0)
		return r;
	for (size_t i = 0; i < f->n; i++)
		pids[i] = f->v[i].p->pid;
	hostnames_read(l->roots->proc_fd, pids, f->n, host);
	gethostname(ours, sizeof(ours) - 1);
	for (size_t i = 0; i < f->n && r == 0; i++)
		if (!is_starter(f, &f->v[i]))
			r = take(l, w, f->v[i].p, str_eq(host[i], ours) ? "" : host[i], out);
	return r;
}

/* Every other engine's, to tell what is left. */
static int find_others(struct look *l, struct targets *by)
{
	struct want all = {.how = WANT_ALL, .live = true};
	int r = 0;

	for (int k = 0; r == 0 && look_next_root(l, &k);)
		for (size_t i = 0; engines[i] && r == 0; i++) {
			if (engines[i]->find)
				r = engines[i]->find(l, &all, by);
			if (r == 0 && engines[i]->more && engines[i] != &engine_none)
				r = engines[i]->more(l, &all, by);
		}
	return r;
}

/* What rootless engines keep running for themselves: the holder of their user namespace, the
 * network's other end. And "runc:[2:INIT]", which waits in a container that was created and not
 * started. */
static bool is_helper(struct look *l, const struct proc_stat *p)
{
	static const char *const comms[] = {"podman pause", "catatonit", "rootlesskit",
					    "slirp4netns",  "pasta",	 "pasta.avx2"};
	const struct proc_stat *parent = scan_stat(l, p->ppid);

	for (size_t i = 0; i < ARRAY_LEN(comms); i++)
		if (str_eq(p->comm, comms[i]))
			return true;
	return str_starts(p->comm, "runc:[") || (parent && str_eq(parent->comm, "rootlesskit"));
}

static int more(struct look *l, const struct want *w, struct targets *out)
{
	_cleanup_targets_ struct targets by = {};
	const struct targets *known =
		w->how == WANT_ALL ? out : &by; /* then this engine is the last */
	const struct proc_stat *p;
	struct firsts f = {};
	uint64_t ns_pid;
	size_t i = 0;
	int r = 0;

	if (!w->live || w->pod || w->how == WANT_PREFIX)
		return 0;
	if (known == &by)
		r = find_others(l, &by);
	while (r == 0 && (p = scan_apart(l, &i, &ns_pid))) {
		bool own_pid;

		if (p->ended || p->pid == getpid() || monitor_is_named(p->comm) ||
		    is_helper(l, p) || belongs(l, known, p))
			continue;
		if (is_first(l, p, ns_pid, &own_pid))
			r = firsts_add(&f, p, own_pid);
	}
	if (r == 0)
		r = take_all(l, w, &f, out);
	free(f.v);
	return r;
}

const struct engine engine_none = {.name = "none", .more = more};

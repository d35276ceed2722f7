#include "target/pid.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "sys/proc.h"
#include "target/scan.h"

static int not_a_target(const struct proc_stat *st, const struct proc_status *status,
			const struct target_roots *r, struct err *e)
{
	struct proc_stat leader = {};

	if (status->tgid != st->pid) {
		proc_stat_read_at(r->proc_fd, status->tgid, &leader);
		err_say(e, ESRCH, "%d is a thread ('%s') of process %d ('%s')", (int)st->pid,
			st->comm, (int)status->tgid, leader.comm);
		err_hint(e, "use pid:%d", (int)status->tgid);
		return -ESRCH;
	}
	if (st->kthread)
		return err_say(
			e, ESRCH,
			"process %d ('%s') is a kernel thread: it has no files or namespaces "
			"of its own",
			(int)st->pid, st->comm);
	if (st->ended)
		return err_say(e, ESRCH,
			       "process %d ('%s') has ended and was not reaped by its "
			       "parent",
			       (int)st->pid, st->comm);
	if (st->pid == getpid())
		return err_say(e, ESRCH, "process %d is porthole itself", (int)st->pid);
	return 0;
}

/* What the container knows, for a process of it. */
static int adopt(struct target *out, struct target *c)
{
	out->engine = c->engine;
	out->id = TAKE_PTR(c->id);
	out->image = TAKE_PTR(c->image);
	out->image_id = TAKE_PTR(c->image_id);
	out->pod = TAKE_PTR(c->pod);
	out->pod_ns = TAKE_PTR(c->pod_ns);
	out->owner = TAKE_PTR(c->owner);
	out->bundle = TAKE_PTR(c->bundle);
	out->owner_uid = c->owner_uid;
	out->sandbox = c->sandbox;
	out->of_host = c->of_host;
	out->created = c->created;
	out->state = c->state;
	free(out->name);
	out->name = TAKE_PTR(c->name);
	free(out->state_file);
	out->state_file = TAKE_PTR(c->state_file);
	return out->name && out->state_file ? 0 : -ENOMEM;
}

/* Look the container up that the cgroup names. 1 when it was found. */
static int by_cgroup(struct look *l, const struct target *hint, struct target *out)
{
	struct want w = {.how = WANT_EXACT, .live = true, .text = hint->id ? hint->id : hint->name};
	_cleanup_targets_ struct targets found = {};
	bool any = str_eq(hint->engine, engine_none.name);

	if (engines_find(l, &w, any ? NULL : hint->engine, &found) < 0)
		return -ENOMEM;
	targets_unique(&found);
	if (found.n == 0)
		return 0;
	return adopt(out, &found.v[0]) < 0 ? -ENOMEM : 1;
}

/* Whether `pid` descends from `init`. */
static bool descends(struct look *l, pid_t pid, pid_t init)
{
	const struct proc_stat *p = scan_stat(l, pid);

	for (int depth = 0; p && depth < 64; depth++) {
		if (p->pid == init)
			return true;
		p = scan_stat(l, p->ppid);
	}
	return false;
}

/* Of all containers the one whose pid namespace it is in, or whose init it descends from. */
static int by_namespace(struct look *l, struct target *out)
{
	int fd = l->roots->proc_fd;
	uint64_t ns = proc_ns_inode_at(fd, out->pid, "pid");
	_cleanup_targets_ struct targets all = {};
	struct target *best = NULL;

	if (targets_collect(l, false, &all) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < all.n; i++) {
		struct target *t = &all.v[i];

		if (t->pid == out->pid || (ns && ns != scan_host_ns(l, "pid") &&
					   proc_ns_inode_at(fd, t->pid, "pid") == ns)) {
			best = t;
			break;
		}
		if (descends(l, out->pid, t->pid))
			best = t;
	}
	return best ? adopt(out, best) : 0;
}

/* The container the process is in, if any: what its cgroup says, else its namespaces. */
static int fill_container(struct look *l, struct target *out)
{
	uint64_t mnt = proc_ns_inode_at(l->roots->proc_fd, out->pid, "mnt"), ours = 0;
	_cleanup_close_ int self = look_dir(l, l->roots->proc_fd, "self");
	char path[32], text[PROC_CGROUP_MAX];
	struct target hint = TARGET_INIT;
	int r = 0;

	snprintf(path, sizeof(path), "%d/cgroup", (int)out->pid);
	if (file_read_small_at(l->roots->proc_fd, path, text, sizeof(text)) > 0 &&
	    cgroup_match(text, &hint)) {
		r = by_cgroup(l, &hint, out);
		if (r == 0 && !l->scan && (l->scan = scan_make(l)))
			r = by_cgroup(l, &hint, out);
	}
	if (r == 0 && self >= 0)
		ours = proc_ns_inode(self, "mnt");
	if (r == 0 && mnt && mnt != ours)
		r = by_namespace(l, out);
	if (r == 0 && hint.engine && str_eq(out->engine, engine_none.name)) {
		/* the engine's files are nowhere to be found: this much is known */
		out->engine = hint.engine;
		out->id = TAKE_PTR(hint.id);
		if (hint.name) {
			free(out->name);
			out->name = TAKE_PTR(hint.name);
		}
	}
	target_done(&hint);
	return r < 0 ? r : 0;
}

int target_from_pid(struct look *l, pid_t pid, struct target *out, struct err *e)
{
	const struct target_roots *r = l->roots;
	struct proc_status status;
	struct proc_stat st;
	int ret = proc_stat_read_at(r->proc_fd, pid, &st);

	*out = TARGET_INIT;
	if (ret == 0)
		ret = proc_status_read_at(r->proc_fd, pid, &status);
	if (ret < 0)
		return err_say(e, ESRCH, "there is no process %d", (int)pid);
	ret = not_a_target(&st, &status, r, e);
	if (ret < 0)
		return ret;
	out->engine = engine_none.name;
	out->state = TARGET_RUNNING;
	out->pid = pid;
	out->start = st.start;
	out->started = proc_start_time(st.start);
	out->name = strdup(st.comm);
	out->state_file = str_fmt("/proc/%d", (int)pid);
	out->exit_code = -1;
	ret = out->name && out->state_file ? fill_container(l, out) : -ENOMEM;
	if (ret < 0) {
		target_done(out);
		return err_set(e, ret, "looking at process %d", (int)pid);
	}
	return 0;
}

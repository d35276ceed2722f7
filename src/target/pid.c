#include "target/pid.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "sys/proc.h"

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
	if (st->state == 'Z' || st->state == 'X')
		return err_say(e, ESRCH,
			       "process %d ('%s') has ended and was not reaped by its "
			       "parent",
			       (int)st->pid, st->comm);
	if (st->pid == getpid())
		return err_say(e, ESRCH, "process %d is porthole itself", (int)st->pid);
	return 0;
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
	out->engine = "none";
	out->state = TARGET_RUNNING;
	out->pid = pid;
	out->start = st.start;
	out->started = proc_start_time(st.start);
	out->name = strdup(st.comm);
	out->state_file = str_fmt("/proc/%d", (int)pid);
	return out->name && out->state_file ? 0
					    : err_set(e, ENOMEM, "looking at process %d", (int)pid);
}

int target_not_found(struct look *l, const struct spec *s, struct err *e)
{
	bool digits = strspn(s->want.text, "0123456789") == strlen(s->want.text);
	struct target ignored;
	struct spec number = {};

	if (s->pid && target_from_pid(l, s->pid, &ignored, e) < 0)
		return -ESRCH;
	if (digits && !s->engine && spec_pid(&number, s->want.text, e) < 0)
		return -EINVAL;
	return err_say(e, ENOENT, "nothing is named '%s'", s->typed);
}

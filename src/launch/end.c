#include "launch/end.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "launch/ended.h"
#include "launch/state.h"
#include "session/cgroup.h"
#include "session/leave.h"
#include "sys/proc.h"

enum { END_MS = 5000, GRACE_MS = 300, NAP_NS = 2000000, PRIORITY = -20 };

/* Signal the process, if it is still the one. 0 or -errno. */
static int signal_proc(const struct launch_proc *p, int proc, int sig)
{
	_cleanup_close_ int dir = p->pid > 0 ? proc_dir_open(proc, p->pid) : -ESRCH;
	struct proc_stat st;

	if (dir < 0 || proc_stat_read(dir, &st) < 0 || st.start != p->start)
		return -ESRCH;
	return proc_signal(proc, dir, sig);
}

int launch_signal(const char *name, int sig, struct err *e)
{
	_cleanup_launch_state_ struct launch_state s = {};
	_cleanup_close_ int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC), dir = -EBADF;
	int r;

	dir = launch_find(name, &s, e);
	if (dir < 0)
		return dir;
	r = proc < 0 ? -errno : signal_proc(&s.command, proc, sig);
	if (r == -ESRCH)
		return err_say(e, ESRCH, "the command of '%s' has ended", name);
	return r < 0 ? err_set(e, r, "sending a signal to '%s'", name) : 0;
}

/* Gone: its processes and what was written of it. */
static bool is_over(const struct launch_state *s)
{
	_cleanup_launch_state_ struct launch_state now = {};
	_cleanup_close_ int dir = launch_state_read(s->name, &now, NULL);

	return (dir < 0 || !str_eq(now.id, s->id)) && !launch_proc_runs(&s->supervisor) &&
	       !launch_proc_runs(&s->agent) && !launch_proc_runs(&s->command);
}

static bool wait_over(const struct launch_state *s, int ms)
{
	int64_t until = clock_ms() + ms;

	while (!is_over(s)) {
		if (clock_ms() >= until)
			return false;
		nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
	}
	return true;
}

static bool end_cgroup(const struct launch_state *s, int proc)
{
	_cleanup_close_ int dir =
		s->supervisor.pid > 0 ? proc_dir_open(proc, s->supervisor.pid) : -ESRCH;

	return dir >= 0 && session_cgroup_end(dir, s->id);
}

/* Whether the agent is the first process of a pid namespace, with which all others in it end. */
static bool is_init(const struct launch_state *s, int proc)
{
	struct proc_status st;

	return launch_proc_runs(&s->agent) && proc_status_read_at(proc, s->agent.pid, &st) == 0 &&
	       st.nspids > 1 && st.nspid[st.nspids - 1] == 1;
}

/* From the gentlest on: what an agent or supervisor that still can clears up itself leaves no
 * zombies for the target's first process. */
static bool end_it(const struct launch_state *s, int proc, int ns)
{
	if (end_cgroup(s, proc) && wait_over(s, END_MS))
		return true;
	if (is_init(s, proc)) {
		signal_proc(&s->agent, proc, SIGKILL);
		if (wait_over(s, GRACE_MS))
			return true;
	}
	signal_proc(&s->supervisor, proc, SIGKILL);
	leave_sweep(proc, ns, s->id);
	if (wait_over(s, GRACE_MS))
		return true;
	signal_proc(&s->agent, proc, SIGKILL);
	leave_sweep(proc, ns, s->id);
	launch_sweep();
	return wait_over(s, END_MS);
}

int launch_end(const char *name, struct err *e)
{
	_cleanup_launch_state_ struct launch_state s = {};
	_cleanup_close_ int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC), dir = -EBADF,
			    ns = -EBADF;
	char path[32];

	dir = launch_find(name, &s, e);
	if (dir == -ENOENT && launch_ended_forget(name) == 0)
		return 0;
	if (dir < 0)
		return dir;
	if (proc < 0)
		return err_set(e, errno, "opening /proc");
	/* what forks all the time would leave us no time */
	setpriority(PRIO_PROCESS, 0, PRIORITY);
	snprintf(path, sizeof(path), "%d/ns/mnt", (int)s.command.pid);
	if (launch_proc_runs(&s.command))
		ns = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (!end_it(&s, proc, ns))
		return err_say(e, ETIMEDOUT, "'%s' still has processes that cannot be killed",
			       name);
	launch_ended_forget(name);
	return 0;
}

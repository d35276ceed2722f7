#include "session/guard.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "session/leave.h"
#include "sys/title.h"

int guard_open(struct guard *g, struct err *e)
{
	return pipe2(g->pipe, O_CLOEXEC) < 0 ? err_set(e, errno, "making a pipe") : 0;
}

_Noreturn static void guard_main(struct guard *g, int host_proc, int mnt_ns, const char *cookie,
				 struct session_cgroup c)
{
	int *const keep[] = {&g->pipe[0],  &host_proc,	 &mnt_ns,
			     &c.parent[0], &c.parent[1], &c.parent[2]};
	char byte;

	/* anything else of the supervisor's that stayed open (its end of the socket, the terminal,
	 * a pipe) would make others believe that it still lives */
	fd_keep_only(keep, ARRAY_LEN(keep));
	setsid();
	prctl(PR_SET_NAME, "ph-guard", 0, 0, 0);
	title_set("ph-guard");
	while (read(g->pipe[0], &byte, 1) < 0 && errno == EINTR)
		;
	leave_sweep(host_proc, mnt_ns, cookie);
	session_cgroup_remove(&c);
	_exit(0);
}

int guard_start(struct guard *g, int host_proc, int mnt_ns, const char *cookie,
		const struct session_cgroup *c, struct err *e)
{
	_cleanup_close_ int ours = -EBADF;

	if (g->pid)
		return 0;
	g->pid = -1;
	ours = openat(host_proc, "self/ns/pid", O_RDONLY | O_CLOEXEC);
	if (ours < 0 || setns(ours, CLONE_NEWPID) < 0)
		return err_set(e, errno, "going back to our own pid namespace");
	g->pid = fork();
	if (g->pid == 0)
		guard_main(g, host_proc, mnt_ns, cookie, *c);
	return g->pid < 0 ? err_set(e, errno, "starting a process") : 0;
}

void guard_stop(struct guard *g)
{
	if (g->pid > 0) {
		kill(g->pid, SIGKILL);
		waitpid(g->pid, NULL, 0);
	}
	cleanup_close(&g->pipe[0]);
	cleanup_close(&g->pipe[1]);
	*g = GUARD_INIT;
}

#include "session/guard.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "session/leave.h"
#include "session/wire.h"
#include "sys/title.h"

int guard_open(struct guard *g, struct err *e)
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, g->sock) < 0
		       ? err_set(e, errno, "making a socket pair")
		       : 0;
}

/* Listen until the end of those who talk. False: there is nothing to do. */
static bool listen_to(int sock, int *mnt_ns)
{
	for (;;) {
		struct wire_msg m;
		int fd;

		if (wire_recv(sock, &m, &fd) <= 0)
			return true;
		if (m.type == WIRE_DONE)
			return false;
		cleanup_close(mnt_ns);
		*mnt_ns = fd;
	}
}

_Noreturn static void guard_main(struct guard *g, int host_proc, const char *cookie,
				 struct session_cgroup c, struct freeze f)
{
	int *const keep[] = {&g->sock[0],  &host_proc,	 &c.parent[0],
			     &c.parent[1], &c.parent[2], &f.freezer.ctl};
	int mnt_ns = -EBADF;

	/* anything else of the supervisor's that stayed open (its end of the socket, the terminal,
	 * a pipe) would make others believe that it still lives */
	fd_keep_only(keep, ARRAY_LEN(keep));
	setsid();
	prctl(PR_SET_NAME, "ph-guard", 0, 0, 0);
	title_set("ph-guard");
	if (listen_to(g->sock[0], &mnt_ns)) {
		freeze_thaw(&f, host_proc);
		leave_sweep(host_proc, mnt_ns, cookie);
		session_cgroup_remove(&c);
	}
	_exit(0);
}

int guard_start(struct guard *g, int host_proc, const char *cookie, const struct session_cgroup *c,
		const struct freeze *f, struct err *e)
{
	_cleanup_close_ int ours = -EBADF;

	if (g->pid)
		return 0;
	g->pid = -1;
	ours = openat(host_proc, "self/ns/pid", O_RDONLY | O_CLOEXEC);
	/* without the right to go back we had none to leave */
	if (ours < 0 || (setns(ours, CLONE_NEWPID) < 0 && errno != EPERM))
		return err_set(e, errno, "going back to our own pid namespace");
	g->pid = fork();
	if (g->pid == 0)
		guard_main(g, host_proc, cookie, *c, *f);
	return g->pid < 0 ? err_set(e, errno, "starting a process") : 0;
}

/* Unmounting waits for every processor, 0.2 ms in all, and the end of an inotify(7) descriptor for
 * 10 ms and more; and so would the user, for whoever has the last reference does it. A socket that
 * lies in its own queue can be reached by nobody: the kernel's collector (net/unix/garbage.c) drops
 * it with all that lies there, in a worker of its own. */
static void leave_to_kernel(const struct guard *g, const int *late, size_t n)
{
	const struct wire_msg m = {.type = WIRE_NS};
	bool left = false;

	for (size_t i = 0; i < n; i++)
		left |= late[i] >= 0 && wire_send(g->sock[1], &m, late[i]) == 0;
	if (left)
		wire_send(g->sock[1], &m, g->sock[0]);
}

void guard_stop(struct guard *g, int *late, size_t n)
{
	if (g->pid > 0) {
		kill(g->pid, SIGKILL);
		waitpid(g->pid, NULL, 0);
	}
	leave_to_kernel(g, late, n);
	for (size_t i = 0; i < n; i++)
		cleanup_close(&late[i]);
	cleanup_close(&g->sock[0]);
	cleanup_close(&g->sock[1]);
	*g = GUARD_INIT;
}

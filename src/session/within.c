#include "session/within.h"

#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "session/wire.h"
#include "sys/ns.h"
#include "sys/title.h"

static int join(const struct target *t, const char *label, struct err *e)
{
	int r = ns_join(t->pidfd, t->proc_fd, CLONE_NEWNS);

	if (r == -ESRCH)
		return err_say(e, ESRCH, "'%s' exited meanwhile", label);
	if (r < 0) {
		err_set(e, r, "joining the mount namespace of '%s'", label);
		if (r == -EPERM)
			err_hint(e, "this needs CAP_SYS_ADMIN and CAP_SYS_CHROOT: run with sudo");
	}
	return r;
}

int within_mounts(const struct target *t, const char *label,
		  int (*work)(const void *arg, struct err *e), const void *arg, struct err *e)
{
	_cleanup_close_ int ours = -EBADF, theirs = -EBADF, fd = -EBADF;
	struct wire_msg m = {.type = WIRE_FAIL};
	int pair[2], r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(e, errno, "making a socket pair");
	ours = pair[0];
	theirs = pair[1];
	pid = fork();
	if (pid < 0)
		return err_set(e, errno, "starting a process");
	if (pid == 0) {
		title_set("porthole: mount");
		setsid();
		r = join(t, label, &m.err);
		if (r == 0)
			r = work(arg, &m.err);
		if (r >= 0)
			m.type = WIRE_READY;
		wire_send(theirs, &m, r > 0 ? r : -EBADF);
		_exit(0);
	}
	cleanup_close(&theirs);
	theirs = -EBADF;
	r = wire_recv(ours, &m, &fd);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (r != 1)
		return err_say(e, EIO, "the process that was to do it in '%s' was killed", label);
	if (m.type == WIRE_FAIL) {
		*e = m.err;
		return -e->num;
	}
	return fd < 0 ? 0 : TAKE_FD(fd);
}

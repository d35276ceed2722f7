#include "launch/name.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "launch/ended.h"
#include "launch/state.h"

enum { TRIES = 20, NAP_NS = 5000000 };

static socklen_t address(const char *name, struct sockaddr_un *a)
{
	*a = (struct sockaddr_un){.sun_family = AF_UNIX};
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1) +
	       (socklen_t)snprintf(a->sun_path + 1, sizeof(a->sun_path) - 1, "porthole/name/%s",
				   name);
}

/* The process that has it, by the kernel's word; 0: one that we do not see, -1: nobody with our
 * rights, or it does not listen yet. */
static pid_t holder(const struct sockaddr_un *a, socklen_t len)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct ucred who = {};
	socklen_t size = sizeof(who);

	return fd >= 0 && connect(fd, (const struct sockaddr *)a, len) == 0 &&
			       getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 &&
			       who.uid == geteuid()
		       ? who.pid
		       : -1;
}

static int taken_by(const char *name, pid_t pid, struct err *e)
{
	_cleanup_launch_state_ struct launch_state s = {};
	_cleanup_close_ int dir = launch_state_read(name, &s, NULL);

	launch_taken(name, e);
	if (dir < 0 && pid > 0)
		err_hint(e,
			 "it is in the foreground of process %d: 'kill %d' ends it; or take "
			 "another --name",
			 (int)pid, (int)pid);
	return -EEXIST;
}

int launch_name_take(const char *name, int *held, struct err *e)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un a;
	socklen_t len = address(name, &a);
	pid_t pid;

	for (int i = 0; i < TRIES && fd >= 0; i++) {
		if (bind(fd, (struct sockaddr *)&a, len) == 0 && listen(fd, SOMAXCONN) == 0) {
			*held = TAKE_FD(fd);
			return 0;
		}
		pid = holder(&a, len);
		if (pid >= 0)
			return taken_by(name, pid, e);
		nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
	}
	return 0;
}

int launch_name_front(const char *name, int *held, struct err *e)
{
	_cleanup_launch_state_ struct launch_state s = {};
	_cleanup_close_ int dir = -EBADF;
	int r = launch_name_take(name, held, e);

	if (r < 0)
		return r;
	launch_sweep();
	dir = launch_state_read(name, &s, NULL);
	return dir < 0 ? 0 : launch_taken(name, e);
}

bool launch_name_is_front(const char *typed, struct err *e)
{
	const char *name = launch_ended_name(typed);
	struct sockaddr_un a;
	pid_t pid;

	if (launch_name_check(name, NULL) < 0)
		return false;
	pid = holder(&a, address(name, &a));
	if (pid <= 0)
		return false;
	err_say(e, ENOENT, "'%s' is in the foreground of process %d, and seen there alone", name,
		(int)pid);
	err_hint(e, "'kill %d' ends it; with -d it would be in the background, and known here",
		 (int)pid);
	return true;
}

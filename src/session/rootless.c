/* The agent's birth where fork(2) is not enough: apart, and the way in for those who are not root.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "session/agent.h"
#include "sys/caps.h"
#include "sys/ns.h"
#include "sys/power.h"

/* Who owns a user namespace, or one above it, has every right in it. So it is joined, also when
 * --ns does not ask for it. */
static int without_root(struct plan *p, int self, struct err *e)
{
	unsigned user = 0;
	char missing[64];
	int r;

	if (!*power_missing(CAPS_BIT(CAP_SYS_ADMIN), missing, sizeof(missing)))
		return 0;
	r = ns_different(p->target->proc_fd, self, CLONE_NEWUSER, &user, e);
	p->rootless = r == 0 && user;
	if (p->ns_join)
		p->ns_join |= user;
	return r;
}

/* Mounts are made with the rights of their namespace's owner, which some (bubblewrap) leave for a
 * user namespace below it. What cannot be told is as it mostly is. */
int plan_rights(struct plan *p, int self, struct err *e)
{
	_cleanup_close_ int mnt = -EBADF, owner = -EBADF;
	struct stat st, theirs, ours;
	int r = without_root(p, self, e);

	if (r < 0 || !(p->ns_join & CLONE_NEWUSER) || !(p->ns_join & CLONE_NEWNS))
		return r;
	mnt = openat(p->target->proc_fd, "ns/mnt", O_RDONLY | O_CLOEXEC);
	owner = mnt < 0 ? -errno : ioctl(mnt, NS_GET_USERNS);
	if (owner < 0 || fstat(owner, &st) < 0 ||
	    fstatat(p->target->proc_fd, "ns/user", &theirs, 0) < 0 ||
	    fstatat(self, "ns/user", &ours, 0) < 0)
		return 0;
	if (st.st_ino != theirs.st_ino && st.st_ino != ours.st_ino) /* O_CLOEXEC by itself */
		p->mnt_owner = TAKE_FD(owner);
	return 0;
}

static int not_ours(const struct plan *p, int num, struct err *e)
{
	if (num == -ESRCH)
		return plan_exited(p, e);
	err_set(e, num, "joining the user namespace of '%s'", p->label);
	if (num == -EPERM)
		err_hint(e, "without root only one's own containers can be entered: run with sudo");
	return num;
}

static int join_first(const struct plan *p, unsigned flags)
{
	flags &= CLONE_NEWUSER | CLONE_NEWPID;
	if (p->mnt_owner < 0)
		return ns_join(p->target->pidfd, p->target->proc_fd, flags);
	if (setns(p->mnt_owner, CLONE_NEWUSER) < 0)
		return -errno;
	return ns_join(p->target->pidfd, p->target->proc_fd, flags & ~CLONE_NEWUSER);
}

pid_t fork_apart(const struct plan *p, struct err *e)
{
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);

	if (pid >= 0)
		return pid;
	err_set(e, errno, "making a pid namespace for '%s'", p->label);
	if (e->num == EPERM)
		err_hint(e, "this needs CAP_SYS_ADMIN: run with sudo");
	return -e->num;
}

/* A process in between joins, since who has joined cannot come back; its child is made ours. */
pid_t fork_inside(const struct plan *p, struct err *e)
{
	_cleanup_close_ int ours = -EBADF, theirs = -EBADF;
	pid_t between, pid = -ESRCH;
	int pair[2];

	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_set(e, errno, "making a pipe");
	ours = pair[0];
	theirs = pair[1];
	between = fork();
	if (between < 0)
		return err_set(e, errno, "starting a process");
	if (between == 0) {
		pid = join_first(p, p->ns_join);
		if (pid == 0) {
			pid = (pid_t)syscall(SYS_clone,
					     CLONE_PARENT | SIGCHLD | (p->ns_new & CLONE_NEWPID), 0,
					     0, 0, 0);
			if (pid == 0)
				return 0;
			pid = pid < 0 ? -errno : pid;
		}
		_exit(write(theirs, &pid, sizeof(pid)) != sizeof(pid));
	}
	cleanup_close(&theirs);
	theirs = -EBADF;
	while (read(ours, &pid, sizeof(pid)) < 0 && errno == EINTR)
		;
	while (waitpid(between, NULL, 0) < 0 && errno == EINTR)
		;
	return pid < 0 ? not_ours(p, pid, e) : pid;
}

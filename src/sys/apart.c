#include "sys/apart.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/fsmount.h"
#include "sys/userns.h"

int apart_open(int (*get)(void *arg), void *arg)
{
	_cleanup_close_ int slot = open("/", O_PATH | O_CLOEXEC);
	int status = 0;
	pid_t pid;

	if (slot < 0)
		return -errno;
	pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		int fd = get(arg);

		/* what the child gets takes the place of `slot` */
		if (fd >= 0 && dup3(fd, slot, O_CLOEXEC) < 0)
			status = errno;
		if (fd >= 0)
			close(fd);
		_exit(fd < 0 ? -fd : status);
	}
	if (pid < 0)
		return -errno;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(status))
		return -EIO;
	return WEXITSTATUS(status) ? -WEXITSTATUS(status) : TAKE_FD(slot);
}

struct opening {
	int proc_fd, flags;
	const char *path;
};

static int open_inside(void *arg)
{
	const struct opening *o = arg;
	_cleanup_close_ int ns = openat(o->proc_fd, "ns/user", O_RDONLY | O_CLOEXEC);
	int fd;

	if (ns < 0 || setns(ns, CLONE_NEWUSER) < 0)
		return -errno;
	fd = openat(o->proc_fd, o->path, o->flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int apart_open_of(int proc_fd, const char *path, int flags)
{
	struct opening o = {proc_fd, flags, path};

	return apart_open(open_inside, &o);
}

static int put(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* A user namespace of our own, in which we are who we are, and a mount namespace of its own. */
static int unshare_as_owner(void)
{
	char uid[32], gid[32];
	int r;

	snprintf(uid, sizeof(uid), "%u %u 1", geteuid(), geteuid());
	snprintf(gid, sizeof(gid), "%u %u 1", getegid(), getegid());
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return -errno;
	r = put("/proc/self/setgroups", "deny") ?: put("/proc/self/uid_map", uid);
	return r < 0 ? r : put("/proc/self/gid_map", gid);
}

/* A clone of our working directory. */
static int clone_here(uint64_t attrs)
{
	_cleanup_close_ int dir = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return dir < 0 ? -errno : fs_clone_detached(dir, attrs, NULL);
}

struct cloning {
	int dir_fd;
	uint64_t attrs;
};

/* Twice, since what is copied from one user namespace into another keeps its attributes whoever may
 * want to change them. */
static int clone_apart(void *arg)
{
	const struct cloning *c = arg;
	_cleanup_close_ int first = -EBADF;
	int r;

	/* the working directory moves with us into the copy of the mount namespace */
	if (fchdir(c->dir_fd) < 0)
		return -errno;
	r = unshare_as_owner();
	if (r < 0)
		return r;
	first = clone_here(c->attrs);
	if (first < 0)
		return first;
	if (move_mount(first, "", AT_FDCWD, ".", MOVE_MOUNT_F_EMPTY_PATH) < 0 || fchdir(first) < 0)
		return -errno;
	r = unshare_as_owner();
	return r < 0 ? r : clone_here(c->attrs);
}

int apart_clone_dir(int dir_fd, uint64_t attrs, struct err *e)
{
	struct cloning c = {dir_fd, attrs};
	int fd = apart_open(clone_apart, &c);

	return fd < 0 ? userns_failed(-fd, "cloning a mount in a user namespace", e) : fd;
}

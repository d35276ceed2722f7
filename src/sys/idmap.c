#include "sys/idmap.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "sys/userns.h"

/* INSIDE and OUTSIDE change places: an id-mapped mount turns the first into the second. */
static char *inverse(const char *map)
{
	_cleanup_strv_ struct strv lines = {};
	_cleanup_buf_ struct buf b = {};

	if (strv_split(&lines, map, "\n") < 0)
		return NULL;
	for (size_t i = 0; i < lines.n; i++) {
		uint32_t inside, outside, count;

		if (sscanf(lines.v[i], "%u %u %u", &inside, &outside, &count) != 3)
			return NULL;
		buf_printf(&b, "%u %u %u\n", outside, inside, count);
	}
	return lines.n ? buf_take(&b) : NULL;
}

/* [child] is there for its namespace; it waits to be killed. */
static int idle(void *arg)
{
	(void)arg;
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	pause();
	return 0;
}

static int write_map(int dir, const char *file, const char *map)
{
	_cleanup_close_ int fd = openat(dir, file, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd_write_all(fd, map, strlen(map));
}

static int map_child(pid_t pid, const char *uids, const char *gids, struct err *e)
{
	_cleanup_close_ int dir = -EBADF, ns = -EBADF;
	char path[32];
	int r;

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = dir < 0 ? -errno : write_map(dir, "uid_map", uids);
	if (r == 0)
		r = write_map(dir, "gid_map", gids);
	if (r < 0) {
		err_set(e, r, "writing the id maps of a user namespace");
		if (r == -EPERM)
			err_hint(e, "this needs CAP_SETUID and CAP_SETGID: run with sudo");
		return r;
	}
	ns = openat(dir, "ns/user", O_RDONLY | O_CLOEXEC);
	return ns < 0 ? err_set(e, errno, "opening a user namespace") : TAKE_FD(ns);
}

int idmap_userns(const char *uid_map, const char *gid_map, struct err *e)
{
	_cleanup_free_ char *uids = inverse(uid_map), *gids = inverse(gid_map ? gid_map : uid_map);
	_Alignas(16) char stack[4096];
	pid_t pid;
	int r;

	if (!uids || !gids)
		return err_say(e, EINVAL, "'%s' is no map of user ids", uid_map);
	pid = clone(idle, stack + sizeof(stack), CLONE_NEWUSER | SIGCHLD, NULL);
	if (pid < 0)
		return userns_failed(errno, "making a user namespace", e);
	r = map_child(pid, uids, gids, e);
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}

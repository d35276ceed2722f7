#include "launch/log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "launch/keeper.h"
#include "launch/state.h"

enum { STEP_NS = 50000000, CHUNK = 16384, KEEPER_LATE_S = 2, REST_NS = 1000000, REST_TRIES = 500 };

static int copy(int from, int to)
{
	static char buf[CHUNK];
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = read(from, buf, sizeof(buf))) > 0)
		r = fd_write_all(to, buf, (size_t)n);
	return r;
}

/* The file is another one meanwhile, or none: what was read is the older part. */
static bool is_replaced(int dir, int fd)
{
	struct stat now, old;

	return fstat(fd, &old) == 0 && (fstatat(dir, LAUNCH_LOG, &now, AT_SYMLINK_NOFOLLOW) < 0 ||
					now.st_ino != old.st_ino);
}

static int open_part(int dir, const char *part)
{
	return openat(dir, part, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
}

/* It has ended, and nobody writes any more. A keeper that was killed leaves its socket. */
static bool is_whole(int dir)
{
	struct launch_ended end;

	launch_ended_read(dir, &end);
	return end.at &&
	       (faccessat(dir, KEEPER_SOCKET, F_OK, 0) < 0 || time(NULL) - end.at > KEEPER_LATE_S);
}

/* Until the last of the container has gone; then the files may be gone, too. */
static int follow_on(int dir, int log, int to)
{
	_cleanup_close_ int fd = log;
	int r = 0;

	while (r == 0) {
		bool whole = is_whole(dir), last = is_replaced(dir, fd);

		r = copy(fd, to);
		if (whole && !last)
			return r;
		if (r == 0 && last) {
			cleanup_close(&fd);
			fd = open_part(dir, LAUNCH_LOG);
			if (fd < 0)
				return 0;
			continue;
		}
		nanosleep(&(struct timespec){.tv_nsec = STEP_NS}, NULL);
	}
	return r;
}

int launch_log(const char *name, bool follow, int to, struct launch_ended *end, struct err *e)
{
	_cleanup_launch_state_ struct launch_state s = {};
	_cleanup_close_ int dir = launch_find(name, &s, e), old = -EBADF, log = -EBADF;
	int r = 0;

	*end = (struct launch_ended){};
	if (dir == -ENOENT)
		dir = launch_ended_open(name);
	if (dir < 0)
		return dir;
	old = open_part(dir, LAUNCH_LOG_OLD);
	log = open_part(dir, LAUNCH_LOG);
	if (old >= 0)
		r = copy(old, to);
	if (r == 0 && log >= 0)
		r = follow ? follow_on(dir, TAKE_FD(log), to) : copy(log, to);
	launch_ended_read(dir, end);
	return r < 0 ? err_set(e, r, "printing what '%s' has said", name) : 0;
}

void launch_log_rest(int dir, int to)
{
	_cleanup_close_ int log = -EBADF;

	for (int i = 0; i < REST_TRIES && faccessat(dir, KEEPER_SOCKET, F_OK, 0) == 0; i++)
		nanosleep(&(struct timespec){.tv_nsec = REST_NS}, NULL);
	log = open_part(dir, LAUNCH_LOG);
	if (log >= 0)
		copy(log, to);
}

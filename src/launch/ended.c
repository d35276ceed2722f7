#include "launch/ended.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "launch/state.h"

#define OWN "porthole://"

enum { TRIM_S = 10 };

/* Whether `dir` is still called so. */
static bool is_at(int top, const char *name, int dir)
{
	struct stat a, b;

	return fstat(dir, &a) == 0 && fstatat(top, name, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
	       a.st_ino == b.st_ino;
}

/* The first word on it counts. Without room for it, it is not known. */
static void write_down(int dir, int code, const char *why)
{
	_cleanup_free_ char *text = str_fmt("%d %s", code, why ? why : "");
	_cleanup_close_ int fd =
		openat(dir, ENDED_FILE, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd >= 0 && text && fd_write_all(fd, text, strlen(text)) < 0 &&
	    unlinkat(dir, LAUNCH_LOG_OLD, 0) == 0)
		fd_write_all(fd, text, strlen(text));
}

void launch_ended(int dir, const char *name, int code, const char *why)
{
	_cleanup_launch_state_ struct launch_state s = {};
	_cleanup_close_ int there = launch_state_read(name, &s, NULL), top = launch_top();
	_cleanup_free_ char *kept = str_fmt(ENDED_PREFIX "%s", name);

	if (there < 0 || top < 0 || !s.began || flock(there, LOCK_EX) < 0 || !is_at(top, name, dir))
		return;
	if (!s.rm && kept) {
		write_down(dir, code, why);
		launch_ended_forget(name);
		if (renameat(top, name, top, kept) == 0) {
			unlinkat(dir, LAUNCH_STATE, 0);
			launch_ended_sweep(top);
			return;
		}
	}
	launch_forget(dir, name);
}

void launch_ended_read(int dir, struct launch_ended *out)
{
	char text[sizeof(out->why) + 16] = "", *why;
	struct stat st;

	*out = (struct launch_ended){.code = -1};
	if (fstatat(dir, ENDED_FILE, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	out->at = st.st_mtime;
	if (file_read_small_at(dir, ENDED_FILE, text, sizeof(text)) <= 0)
		return;
	out->code = (int)strtol(text, &why, 10);
	snprintf(out->why, sizeof(out->why), "%s", why + (*why == ' '));
}

const char *launch_ended_name(const char *typed)
{
	return typed + (str_starts(typed, OWN) ? strlen(OWN) : 0);
}

int launch_ended_open(const char *name)
{
	_cleanup_free_ char *kept = str_fmt(ENDED_PREFIX "%s", name);
	_cleanup_close_ int top = launch_top();
	int dir = kept && top >= 0 && path_is_component(kept)
			  ? openat(top, kept, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
			  : -1;

	return dir < 0 ? -ENOENT : dir;
}

int launch_ended_forget(const char *name)
{
	_cleanup_close_ int dir = launch_ended_open(name);
	_cleanup_free_ char *kept = str_fmt(ENDED_PREFIX "%s", name);

	if (dir < 0 || !kept)
		return -ENOENT;
	launch_forget(dir, kept);
	cleanup_close(&dir);
	dir = launch_ended_open(name);
	return dir < 0 ? 0 : -EBUSY;
}

static void trim(int dir, const char *file)
{
	_cleanup_free_ char *last = malloc(ENDED_LOG_MAX);
	_cleanup_close_ int fd = openat(dir, file, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	ssize_t n;

	if (fd < 0 || !last || fstat(fd, &st) < 0 || st.st_size <= ENDED_LOG_MAX)
		return;
	n = pread(fd, last, ENDED_LOG_MAX, st.st_size - ENDED_LOG_MAX);
	if (n > 0 && ftruncate(fd, 0) == 0)
		fd_write_all(fd, last, (size_t)n);
}

/* Long enough since for those who followed what it said. */
static void trim_logs(int top, const char *kept)
{
	_cleanup_close_ int dir =
		openat(top, kept, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	trim(dir, LAUNCH_LOG);
	trim(dir, LAUNCH_LOG_OLD);
}

static bool is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

/* Look at all; forget the oldest, if it is too old or there are too many. */
static bool tidy(int top, int64_t now)
{
	_cleanup_dir_ DIR *d = dir_open(top, ".");
	char oldest[NAME_MAX + 1] = "";
	struct dirent *de;
	struct stat st;
	struct timespec at = {};
	size_t n = 0;

	while (d && (de = dir_next(d))) {
		if (!str_starts(de->d_name, ENDED_PREFIX) ||
		    fstatat(top, de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (now - st.st_mtime > TRIM_S)
			trim_logs(top, de->d_name);
		if (n++ == 0 || is_before(&st.st_mtim, &at)) {
			at = st.st_mtim;
			snprintf(oldest, sizeof(oldest), "%s", de->d_name);
		}
	}
	return n && (n > ENDED_MAX || now - at.tv_sec > ENDED_S) &&
	       launch_ended_forget(oldest + strlen(ENDED_PREFIX)) == 0;
}

void launch_ended_sweep(int top)
{
	while (tidy(top, time(NULL)))
		;
}

#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"

int fd_read_all(int fd, size_t max, char **out, size_t *len)
{
	_cleanup_free_ char *data = NULL;
	size_t size = 0, n = 0;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISREG(st.st_mode) && st.st_size > 0) {
		if ((uint64_t)st.st_size > max)
			return -EFBIG;
		size = (size_t)st.st_size + 1;
	}
	for (;;) {
		ssize_t r;
		char *p;

		if (n + 1 >= size || !data) {
			if (data || size < 2)
				size = size < 2048 ? 4096 : size * 2;
			p = realloc(data, size);
			if (!p)
				return -ENOMEM;
			data = p;
		}
		r = read(fd, data + n, size - n - 1);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (r == 0)
			break;
		n += (size_t)r;
		if (n > max)
			return -EFBIG;
	}
	data[n] = '\0';
	*out = TAKE_PTR(data);
	if (len)
		*len = n;
	return 0;
}

int file_read_at(int dirfd, const char *path, size_t max, char **out, size_t *len)
{
	_cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOTSUP;
	return fd_read_all(fd, max, out, len);
}

ssize_t file_read_small_at(int dirfd, const char *path, char *out, size_t size)
{
	_cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	size_t n = 0;

	if (fd < 0)
		return -errno;
	while (n + 1 < size) {
		ssize_t r = read(fd, out + n, size - n - 1);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (r == 0)
			break;
		n += (size_t)r;
	}
	out[n] = '\0';
	return (ssize_t)n;
}

ssize_t link_read_at(int dirfd, const char *path, char *out, size_t size)
{
	ssize_t n = readlinkat(dirfd, path, out, size);

	if (n < 0)
		return -errno;
	if ((size_t)n >= size)
		return -ENAMETOOLONG;
	out[n] = '\0';
	return n;
}

int fd_write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t r = write(fd, p, len);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		p += r;
		len -= (size_t)r;
	}
	return 0;
}

DIR *dir_open(int dirfd, const char *path)
{
	return dir_take(openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

DIR *dir_take(int fd)
{
	_cleanup_close_ int own = fd;
	DIR *d = own < 0 ? NULL : fdopendir(own);

	if (d)
		TAKE_FD(own);
	return d;
}

struct dirent *dir_next(DIR *d)
{
	struct dirent *de;

	do
		de = readdir(d);
	while (de && (str_eq(de->d_name, ".") || str_eq(de->d_name, "..")));
	return de;
}

int fd_signals(const int *signals, size_t n, sigset_t *before, struct err *e)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	for (size_t i = 0; i < n; i++)
		sigaddset(&set, signals[i]);
	sigprocmask(SIG_BLOCK, &set, before);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? err_set(e, errno, "making a signal descriptor") : fd;
}

int fd_nonblock(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	return fcntl(fd, F_SETFL, flags) < 0 ? -errno : 0;
}

int fd_close_inherited(int proc_fd)
{
	_cleanup_dir_ DIR *d = dir_open(proc_fd, "self/fd");
	struct dirent *de;

	if (!d)
		return -errno;
	while ((de = readdir(d))) {
		int fd = atoi(de->d_name), flags = fd > 2 ? fcntl(fd, F_GETFD) : -1;

		if (flags >= 0 && !(flags & FD_CLOEXEC))
			close(fd);
	}
	return 0;
}

/* From `first` on and before `end`. */
static void close_between(unsigned first, unsigned end)
{
	enum { ALL = 4096 }; /* where the kernel cannot do it in one call */

	if (first < end && syscall(SYS_close_range, first, end - 1, 0) < 0)
		for (unsigned fd = first; fd < end && fd < ALL; fd++)
			close((int)fd);
}

void fd_keep_only(int *const fds[], size_t n)
{
	enum { BASE = 64 };
	unsigned from = 0;
	int last = BASE;

	for (size_t i = 0; i < n; i++) {
		if (*fds[i] >= 0)
			*fds[i] = fcntl(*fds[i], F_DUPFD_CLOEXEC, last);
		if (*fds[i] >= 0)
			last = *fds[i] + 1;
	}
	for (size_t i = 0; i < n; i++) {
		if (*fds[i] < 0)
			continue;
		close_between(from, (unsigned)*fds[i]);
		from = (unsigned)*fds[i] + 1;
	}
	close_between(from, UINT_MAX);
}

int fd_dir_check(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : S_ISLNK(st.st_mode) ? -ELOOP : -ENOTDIR;
}

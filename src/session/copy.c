#include "session/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"

enum { CHUNK = 1 << 17 };

/* A descriptor to read or write with, of one that is O_PATH; never waits. */
static int reopen(int host_proc, int fd, int flags)
{
	char path[40];
	int r;

	snprintf(path, sizeof(path), "self/fd/%d", fd);
	r = openat(host_proc, path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return r < 0 ? -errno : r;
}

static int copy_range(int from, int to, off_t at, off_t end, char *buf)
{
	while (at < end) {
		size_t want = end - at < CHUNK ? (size_t)(end - at) : CHUNK;
		ssize_t n = pread(from, buf, want, at);

		if (n == 0)
			return 0;
		if (n < 0 || pwrite(to, buf, (size_t)n, at) != n) {
			if (n < 0 && errno == EINTR)
				continue;
			return n < 0 || errno ? -errno : -ENOSPC;
		}
		at += n;
	}
	return 0;
}

int copy_bytes(int from, int to)
{
	_cleanup_free_ char *buf = malloc(CHUNK);
	struct stat st;
	off_t at = 0;
	int r = 0;

	if (!buf)
		return -ENOMEM;
	if (fstat(from, &st) < 0 || ftruncate(to, st.st_size) < 0)
		return -errno;
	while (r == 0 && at < st.st_size) {
		off_t data = lseek(from, at, SEEK_DATA), hole;

		if (data < 0 && errno == ENXIO)
			return 0; /* a hole up to the end */
		if (data < 0)
			data = at;
		hole = lseek(from, data, SEEK_HOLE);
		if (hole < 0 || hole > st.st_size)
			hole = st.st_size;
		r = copy_range(from, to, data, hole, buf);
		at = hole;
	}
	return r;
}

int copy_file(int host_proc, int from, int to, uint64_t max)
{
	_cleanup_close_ int in = -EBADF, out = -EBADF;
	struct stat st, there;
	int r;

	if (fstat(from, &st) < 0 || fstat(to, &there) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || !S_ISREG(there.st_mode))
		return -EINVAL;
	if ((uint64_t)st.st_size > max)
		return -EFBIG;
	in = reopen(host_proc, from, O_RDONLY);
	out = in < 0 ? in : reopen(host_proc, to, O_WRONLY | O_TRUNC);
	r = out < 0 ? out : copy_bytes(in, out);
	if (r < 0)
		return r;
	if (fchown(out, st.st_uid, st.st_gid) < 0 || fchmod(out, st.st_mode & 07777) < 0)
		return -errno;
	return futimens(out, (struct timespec[2]){st.st_atim, st.st_mtim}) < 0 ? -errno : 0;
}

/* As many bytes as there are, up to CHUNK. */
static ssize_t read_chunk(int fd, char *buf)
{
	size_t len = 0;

	while (len < CHUNK) {
		ssize_t n = read(fd, buf + len, CHUNK - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

bool same_bytes(int a, int b)
{
	_cleanup_free_ char *x = malloc(CHUNK), *y = malloc(CHUNK);
	ssize_t n = x && y ? CHUNK : -1;

	while (n == CHUNK) {
		n = read_chunk(a, x);
		if (n < 0 || read_chunk(b, y) != n || memcmp(x, y, (size_t)n) != 0)
			return false;
	}
	return n >= 0;
}

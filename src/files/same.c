#include "files/same.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

enum { CHUNK = 1 << 17 };

static int open_regular(int dir, const char *name)
{
	_cleanup_close_ int fd = openat(dir, *name ? name : ".", O_PATH | O_NOFOLLOW | O_CLOEXEC);

	return !*name ? path_reopen(dir) : fd < 0 ? -errno : path_reopen(fd);
}

/* Where data goes on, at `size` at the latest. */
static off_t data_from(int fd, off_t at, off_t size)
{
	off_t data = lseek(fd, at, SEEK_DATA);

	if (data < 0)
		return errno == ENXIO ? size : at;
	return data < size ? data : size;
}

/* `n` bytes at `at`, with zeros for what is missing. */
static bool read_at(int fd, char *buf, size_t n, off_t at)
{
	size_t got = 0;

	while (got < n) {
		ssize_t len = pread(fd, buf + got, n - got, at + (off_t)got);

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return false;
		if (len == 0)
			break;
		got += (size_t)len;
	}
	memset(buf + got, 0, n - got);
	return true;
}

static bool same_to(int a, int b, off_t size, char *x, char *y)
{
	off_t at = 0;

	while (at < size) {
		off_t in_a = data_from(a, at, size), in_b = data_from(b, at, size);
		size_t n;

		at = in_a < in_b ? in_a : in_b;
		if (at >= size)
			return true; /* holes up to the end */
		n = size - at < CHUNK ? (size_t)(size - at) : CHUNK;
		if (!read_at(a, x, n, at) || !read_at(b, y, n, at) || memcmp(x, y, n) != 0)
			return false;
		at += (off_t)n;
	}
	return true;
}

bool same_content(int dir_a, const char *a, int dir_b, const char *b)
{
	_cleanup_close_ int fa = open_regular(dir_a, a), fb = open_regular(dir_b, b);
	_cleanup_free_ char *x = malloc(CHUNK), *y = malloc(CHUNK);
	struct stat st;

	return fa >= 0 && fb >= 0 && x && y && fstat(fa, &st) == 0 &&
	       same_to(fa, fb, st.st_size, x, y);
}

bool same_target(int dir_a, int dir_b, const char *name)
{
	char x[PATH_MAX], y[PATH_MAX];

	return link_read_at(dir_a, name, x, sizeof(x)) >= 0 &&
	       link_read_at(dir_b, name, y, sizeof(y)) >= 0 && str_eq(x, y);
}

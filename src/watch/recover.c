/* A file that is open and has no name any more. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "watch/fds.h"

enum { BLOCK = 1 << 20 };

static int copy_piece(int in, int out, uint64_t from, uint64_t to, bool seeks, char *block)
{
	while (from < to) {
		size_t want = to - from < BLOCK ? (size_t)(to - from) : BLOCK;
		ssize_t n = pread(in, block, want, (off_t)from);
		int r;

		if (n < 0)
			return -errno;
		if (n == 0) /* it has become shorter */
			return 0;
		if (seeks && lseek(out, (off_t)from, SEEK_SET) < 0)
			return -errno;
		r = fd_write_all(out, block, (size_t)n);
		if (r < 0)
			return r;
		from += (uint64_t)n;
	}
	return 0;
}

static int copy(int in, int out, uint64_t size)
{
	_cleanup_free_ char *block = malloc(BLOCK);
	struct stat st;
	bool seeks = fstat(out, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0;
	off_t data = 0, hole;
	int r = 0;

	if (!block)
		return -ENOMEM;
	if (!seeks)
		return copy_piece(in, out, 0, size, false, block);
	while (r == 0 && (uint64_t)data < size) {
		data = lseek(in, data, SEEK_DATA);
		if (data < 0 && errno == ENXIO) /* nothing but a hole follows */
			break;
		hole = data < 0 ? -1 : lseek(in, data, SEEK_HOLE);
		if (data < 0 || hole < 0) { /* the file system knows no holes */
			data = data < 0 ? 0 : data;
			hole = (off_t)size;
		}
		r = copy_piece(in, out, (uint64_t)data,
			       (uint64_t)hole < size ? (uint64_t)hole : size, true, block);
		data = hole;
	}
	if (r == 0 && ftruncate(out, (off_t)size) < 0)
		r = -errno;
	return r;
}

int fds_recover(int dir, int fd, int out, uint64_t *bytes, struct err *e)
{
	_cleanup_close_ int at = -EBADF, in = -EBADF;
	char name[32];
	struct stat st;
	int r;

	snprintf(name, sizeof(name), "fd/%d", fd);
	at = openat(dir, name, O_PATH | O_CLOEXEC); /* held, and only then asked what it is */
	if (at < 0 && errno == ENOENT)
		return err_say(e, EBADF, "it has no descriptor %d", fd);
	if (at < 0)
		return err_set(e, errno, "holding descriptor %d", fd);
	if (fstat(at, &st) < 0 || !S_ISREG(st.st_mode)) {
		err_say(e, ENOTSUP, "descriptor %d is no file", fd);
		err_hint(e, "'porthole tap --list TARGET' shows what it is");
		return -ENOTSUP;
	}
	in = path_reopen(at);
	if (in < 0)
		return err_set(e, in, "opening the file of descriptor %d", fd);
	*bytes = (uint64_t)st.st_size;
	r = copy(in, out, *bytes);
	return r < 0 ? err_set(e, r, "copying the file of descriptor %d", fd) : 0;
}

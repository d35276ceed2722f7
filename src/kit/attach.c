/* One file: our own executable with a kit behind it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "kit/kit.h"
#include "kit/output.h"
#include "kit/trailer.h"

#define SELF "/proc/self/exe"

/* Copy `len` bytes at `off` of one file to the end of another. 0 or -errno; -EIO: it is shorter. */
static int append(int to, int from, uint64_t off, uint64_t len)
{
	_cleanup_free_ char *buf = NULL;
	const size_t size = 1 << 20;

	buf = malloc(size);
	if (!buf)
		return -ENOMEM;
	while (len) {
		ssize_t n = pread(from, buf, len < size ? (size_t)len : size, (off_t)off);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		r = fd_write_all(to, buf, (size_t)n);
		if (r < 0)
			return r;
		off += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

/* Zeros up to a multiple of `to`. Returns where the file then ends, or -errno. */
static int64_t pad(int fd, uint64_t at, uint64_t to)
{
	static const char zeros[KIT_PAGE];
	uint64_t n = (to - at % to) % to;
	int r = fd_write_all(fd, zeros, n);

	return r < 0 ? r : (int64_t)(at + n);
}

static int write_image(int fd, const struct kit *k, uint64_t elf_size)
{
	struct kit_trailer t = {.elf_size = elf_size, .size = k->size};
	unsigned char raw[KIT_TRAILER_SIZE];
	int64_t at = pad(fd, elf_size, KIT_PAGE);
	int r;

	if (at < 0)
		return (int)at;
	t.offset = (uint64_t)at;
	r = append(fd, k->fd, k->offset, k->size);
	if (r < 0)
		return r;
	at = pad(fd, t.offset + t.size, 8);
	if (at < 0)
		return (int)at;
	kit_trailer_format(&t, raw);
	return fd_write_all(fd, raw, sizeof(raw));
}

/* Our own executable, and how many bytes of it are not a kit. */
static int open_self(uint64_t *elf_size, struct err *e)
{
	_cleanup_close_ int fd = open(SELF, O_RDONLY | O_CLOEXEC);
	struct kit_trailer t;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, errno, "cannot open our own executable");
	*elf_size = (uint64_t)st.st_size;
	r = kit_trailer_read(fd, *elf_size, "this executable", &t, e);
	if (r < 0)
		return r;
	if (r > 0)
		*elf_size = t.elf_size;
	return TAKE_FD(fd);
}

static int write_all(int fd, int self, uint64_t elf_size, const struct kit *k)
{
	int r = append(fd, self, 0, elf_size);

	if (r == 0 && k->kind == KIT_IMAGE)
		r = write_image(fd, k, elf_size);
	if (r == 0 && (fchmod(fd, 0755) < 0 || fsync(fd) < 0))
		r = -errno;
	return r;
}

int kit_attach(const struct kit *k, const char *out, struct err *e)
{
	_cleanup_close_ int self = -EBADF;
	_cleanup_close_ int fd = -EBADF;
	_cleanup_free_ char *tmp = NULL;
	uint64_t elf_size = 0;
	int r;

	if (k->kind == KIT_DIR)
		return err_say(e, EINVAL,
			       "the kit %s is a directory: only an image can be appended", k->path);
	r = output_may_replace(AT_FDCWD, out, out, e);
	if (r < 0)
		return r;
	self = open_self(&elf_size, e);
	if (self < 0)
		return self;
	tmp = str_fmt("%s.XXXXXX", out);
	if (!tmp)
		return err_set(e, ENOMEM, "cannot write %s", out);
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0)
		return err_set(e, errno, "cannot write %s", out);
	r = write_all(fd, self, elf_size, k);
	if (r == 0 && rename(tmp, out) < 0)
		r = -errno;
	if (r < 0) {
		unlink(tmp);
		return err_set(e, r, "cannot write %s", out);
	}
	return 0;
}

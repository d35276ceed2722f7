#include "files/data.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"

/* One read for most files; and how much the kernel copies between two looks at the clock. */
enum { FEW = 8 << 10, BUFFER = 128 << 10, CLONE_MIN = 64 << 10, CHUNK = 8 << 20 };

struct copying {
	int in, out;
	char *buf, *many; /* where pieces are read into; and what to free of it */
	size_t size;
	struct meter *m;
	bool *reading; /* what failed */
	bool by_hand;  /* the kernel does not copy between these two */
};

static int told(struct copying *c, int num, bool reading)
{
	*c->reading = reading;
	return -num;
}

/* Read one piece at most into the buffer. Bytes, 0: the end, -errno. */
static int64_t fill_buffer(struct copying *c, int64_t at, int64_t want)
{
	ssize_t n;

	if (!c->buf) {
		c->buf = c->many = malloc(BUFFER);
		c->size = BUFFER;
	}
	if (!c->buf)
		return told(c, ENOMEM, true);
	do
		n = pread(c->in, c->buf, want < (int64_t)c->size ? (size_t)want : c->size, at);
	while (n < 0 && errno == EINTR);
	return n < 0 ? told(c, errno, true) : n;
}

/* Read and write one piece at most. Bytes, 0: the end, -errno. */
static int64_t one_buffer(struct copying *c, int64_t at, int64_t want)
{
	int64_t n = fill_buffer(c, at, want);
	int r;

	if (n < 0)
		return n;
	for (ssize_t done = 0; done < n;) {
		ssize_t w = pwrite(c->out, c->buf + done, (size_t)(n - done), at + done);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return told(c, w < 0 ? errno : ENOSPC, false);
		done += w;
	}
	r = meter_tick(c->m, (uint64_t)n);
	return r < 0 ? r : n;
}

/* Errors that only say that the kernel will not do it. */
static bool is_refusal(int num)
{
	return num == EXDEV || num == EINVAL || num == ENOSYS || num == EOPNOTSUPP ||
	       num == EPERM || num == EBADF || num == ETXTBSY || num == EIO;
}

static int64_t one_chunk(struct copying *c, int64_t at, int64_t want)
{
	loff_t from = at, to = at;
	ssize_t n;
	int r;

	if (c->by_hand || want <= BUFFER)
		return one_buffer(c, at, want);
	n = copy_file_range(c->in, &from, c->out, &to, want < CHUNK ? (size_t)want : CHUNK, 0);
	if (n < 0 && errno == EINTR)
		return one_buffer(c, at, want);
	if (n <= 0 && (n == 0 || is_refusal(errno))) {
		c->by_hand = true;
		return one_buffer(c, at, want);
	}
	if (n < 0)
		return told(c, errno, false);
	r = meter_tick(c->m, (uint64_t)n);
	return r < 0 ? r : n;
}

/* Where copying stopped: `end`, or before it, where the file ended. */
static int64_t copy_range(struct copying *c, int64_t at, int64_t end)
{
	while (at < end) {
		int64_t n = one_chunk(c, at, end - at);

		if (n < 0)
			return n;
		if (n == 0)
			break;
		at += n;
	}
	return at;
}

static int64_t copy_sparse(struct copying *c, int64_t size)
{
	int64_t at = 0, done;

	while (at < size) {
		int64_t data = lseek(c->in, at, SEEK_DATA), hole;

		if (data < 0 && errno == ENXIO) /* a hole up to the end */
			break;
		if (data < 0)
			data = at;
		hole = lseek(c->in, data, SEEK_HOLE);
		if (hole < 0 || hole > size)
			hole = size;
		if (data >= size)
			break;
		done = copy_range(c, data, hole);
		if (done < 0)
			return done;
		if (done < hole) /* it shrank */
			return done;
		at = hole;
	}
	return ftruncate(c->out, size) < 0 ? told(c, errno, false) : size;
}

/* Without a size: what there is, to a limit. */
static int64_t copy_sizeless(struct copying *c)
{
	int64_t at = copy_range(c, 0, DATA_SIZELESS_MAX);

	return at == DATA_SIZELESS_MAX ? told(c, EFBIG, true) : at;
}

int64_t data_copy(int in, int out, struct meter *m, bool *reading)
{
	struct copying c = {.in = in, .out = out, .m = m, .reading = reading};
	char few[FEW];
	struct stat st;
	int64_t r;

	if (fstat(in, &st) < 0)
		return told(&c, errno, true);
	if (st.st_size && st.st_size <= FEW) {
		c.buf = few;
		c.size = FEW;
	}
	if (st.st_size == 0) {
		c.by_hand = true;
		r = st.st_blocks ? 0 : copy_sizeless(&c);
	} else if (st.st_size >= CLONE_MIN && ioctl(out, FICLONE, in) == 0) {
		r = meter_tick(m, (uint64_t)st.st_size);
		r = r < 0 ? r : st.st_size;
	} else if (st.st_blocks * 512 < st.st_size) {
		r = copy_sparse(&c, st.st_size);
	} else {
		r = copy_range(&c, 0, st.st_size);
	}
	free(c.many);
	return r;
}

static int64_t cat_buffer(struct copying *c, int64_t at, int64_t want)
{
	int64_t n = fill_buffer(c, at, want);
	int r;

	if (n < 0)
		return n;
	r = fd_write_all(c->out, c->buf, (size_t)n);
	return r < 0 ? told(c, -r, false) : n;
}

int64_t data_cat(int in, int out, struct meter *m, bool *reading)
{
	struct copying c = {.in = in, .out = out, .m = m, .reading = reading};
	int64_t at = 0, n = 1, end;
	struct stat st;

	if (fstat(in, &st) < 0)
		return told(&c, errno, true);
	end = st.st_size ? st.st_size : DATA_SIZELESS_MAX;
	while (n > 0 && at < end) {
		off_t from = at;

		n = c.by_hand ? -1
			      : sendfile(out, in, &from,
					 end - at < CHUNK ? (size_t)(end - at) : CHUNK);
		if (n < 0 && (c.by_hand || is_refusal(errno) || errno == EINTR)) {
			c.by_hand = c.by_hand || errno != EINTR;
			n = cat_buffer(&c, at, end - at);
		} else if (n < 0) {
			n = told(&c, errno, false);
		}
		if (n > 0) {
			int r = meter_tick(m, (uint64_t)n);

			at += n;
			n = r < 0 ? r : n;
		}
	}
	free(c.many);
	return n < 0 ? n : at;
}

/* A file's bytes. */
#include <lz4.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "kit/erofs_priv.h"

typedef int (*sink_fn)(void *arg, const void *data, uint64_t n, struct err *e);

/* Room for one compressed cluster and `llen` bytes out of it. */
static int need_buffers(struct erofs *fs, size_t llen, struct err *e)
{
	unsigned char *p;

	if (!fs->in)
		fs->in = malloc(EROFS_PLEN_MAX);
	if (fs->out_size < llen) {
		p = realloc(fs->out, llen);
		if (p) {
			fs->out = p;
			fs->out_size = llen;
		}
	}
	if (!fs->in || fs->out_size < llen)
		return err_set(e, ENOMEM, "reading the image %s", fs->name);
	return 0;
}

/* Read the stored bytes of an extent and make fs->out what they stand for. */
static int decode(struct erofs *fs, const struct erofs_extent *x, struct err *e)
{
	size_t skip = 0, plen = (size_t)x->plen, llen = (size_t)x->llen, head;
	int r = need_buffers(fs, llen, e);

	if (r == 0)
		r = erofs_pread(fs, x->pa, fs->in, plen, e);
	if (r < 0)
		return r;
	if (x->how == EXTENT_ROTATED) {
		head = fs->super.block - (size_t)(x->la % fs->super.block);
		head = head < llen ? head : llen;
		/* they lie where they would in a page of the file: first part at the cluster's end
		 */
		memcpy(fs->out, fs->in + plen - (fs->super.block - x->la % fs->super.block), head);
		memcpy(fs->out + head, fs->in, llen - head);
		return 0;
	}
	while (fs->padded && skip < plen && skip < fs->super.block && fs->in[skip] == 0)
		skip++;
	/* Zeros may follow where the data is not padded in front, so only its first part is
	 * decoded; liblz4 checks every bound. */
	r = LZ4_decompress_safe_partial((char *)fs->in + skip, (char *)fs->out, (int)(plen - skip),
					(int)llen, (int)llen);
	if (r < 0 || (size_t)r != llen)
		return erofs_damaged(fs, e, "a compressed cluster cannot be decompressed");
	return 0;
}

/* Stored bytes, handed on a buffer at a time. */
static int copy_raw(struct erofs *fs, uint64_t pa, uint64_t n, sink_fn fn, void *arg, struct err *e)
{
	int r = need_buffers(fs, 0, e);

	while (r == 0 && n) {
		size_t now = n < EROFS_PLEN_MAX ? (size_t)n : EROFS_PLEN_MAX;

		r = erofs_pread(fs, pa, fs->in, now, e);
		if (r == 0)
			r = fn(arg, fs->in, now, e);
		pa += now;
		n -= now;
	}
	return r;
}

int erofs_read_each(struct erofs *fs, const struct erofs_inode *in, uint64_t off, uint64_t len,
		    int (*fn)(void *arg, const void *data, uint64_t n, struct err *e), void *arg,
		    struct err *e)
{
	struct erofs_lz lz = {};
	uint64_t end, pos = off;
	int r = 0;

	if (off >= in->size || len == 0)
		return 0;
	end = len < in->size - off ? off + len : in->size;
	while (r == 0 && pos < end) {
		struct erofs_extent x;
		uint64_t skip, n;

		r = erofs_map(fs, in, pos, &lz, &x, e);
		if (r < 0)
			return r;
		if (x.la + x.llen <= pos) /* a compressed file, walked from its start */
			continue;
		skip = pos - x.la;
		n = (x.llen < end - x.la ? x.llen : end - x.la) - skip;
		if (x.how == EXTENT_HOLE)
			r = fn(arg, NULL, n, e);
		else if (x.how == EXTENT_RAW)
			r = copy_raw(fs, x.pa + skip, n, fn, arg, e);
		else if ((r = decode(fs, &x, e)) == 0)
			r = fn(arg, fs->out + skip, n, e);
		pos += n;
	}
	return r;
}

struct memory {
	char *data;
	size_t len;
};

static int to_memory(void *arg, const void *data, uint64_t n, struct err *e)
{
	struct memory *m = arg;

	if (data)
		memcpy(m->data + m->len, data, n);
	else
		memset(m->data + m->len, 0, n);
	m->len += n;
	return 0;
}

int erofs_read_all(struct erofs *fs, const struct erofs_inode *in, size_t max, char **out,
		   size_t *len, struct err *e)
{
	_cleanup_free_ char *data = NULL;
	struct memory m;
	int r;

	if (in->size > max)
		return err_say(e, EFBIG, "a file of %llu bytes in %s is too large",
			       (unsigned long long)in->size, fs->name);
	data = malloc((size_t)in->size + 1);
	if (!data)
		return err_set(e, ENOMEM, "reading the image %s", fs->name);
	m = (struct memory){.data = data};
	r = erofs_read_each(fs, in, 0, in->size, to_memory, &m, e);
	if (r < 0)
		return r;
	data[m.len] = '\0';
	*out = TAKE_PTR(data);
	if (len)
		*len = m.len;
	return 0;
}

struct file {
	int fd;
	const char *name;
};

static int to_file(void *arg, const void *data, uint64_t n, struct err *e)
{
	struct file *f = arg;
	int r = 0;

	if (data)
		r = fd_write_all(f->fd, data, n);
	else if (lseek(f->fd, (off_t)n, SEEK_CUR) < 0)
		r = -errno;
	return r < 0 ? err_set(e, r, "cannot unpack a file of %s", f->name) : 0;
}

int erofs_copy_out(struct erofs *fs, const struct erofs_inode *in, int fd, struct err *e)
{
	struct file f = {.fd = fd, .name = fs->name};
	int r = erofs_read_each(fs, in, 0, in->size, to_file, &f, e);

	if (r == 0 && ftruncate(fd, (off_t)in->size) < 0) /* it may end in a hole */
		r = err_set(e, errno, "cannot unpack a file of %s", fs->name);
	return r;
}

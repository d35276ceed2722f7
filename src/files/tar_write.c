#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "files/pax.h"
#include "files/tar.h"
#include "files/walk.h"

enum { PIECE = 256 << 10, RANGES_MAX = 1 << 20 };

struct out {
	struct transfer *t;
	struct pax pax;
	const char *name;
	char *buf;
	struct pax_range *ranges;
	size_t n_ranges, size_ranges;
	struct err *e;
};

static void out_done(struct out *o)
{
	pax_done(&o->pax);
	free(o->ranges);
	free(o->buf);
}

/* Writing to the stream failed, which ends it. */
static int broken(struct out *o, int r)
{
	if (r == -EPIPE)
		return err_say(o->e, EPIPE, "whoever read the archive has stopped reading");
	return err_set(o->e, r, "writing the archive");
}

static int fail(struct out *o, const char *path, int r)
{
	if (r == -ENOENT)
		return 0;
	o->t->n_failed++;
	if (o->t->failed)
		o->t->failed(o->t, "reading", path, r);
	return 0;
}

static char type_of(mode_t mode)
{
	return S_ISDIR(mode)	? '5'
	       : S_ISLNK(mode)	? '2'
	       : S_ISCHR(mode)	? '3'
	       : S_ISBLK(mode)	? '4'
	       : S_ISFIFO(mode) ? '6'
				: '0';
}

/* `fd`: to read extended attributes of; `link`: its text, or the path of a first name. */
static int write_head(struct out *o, const struct walk_entry *e, const struct stat *st, int fd,
		      char type, const char *link)
{
	_cleanup_attrs_ struct attrs a = {};
	_cleanup_free_ char *path =
		str_fmt("%s%s%s%s", o->name, e->depth ? "/" : "", e->path, type == '5' ? "/" : "");
	struct pax_head h = {.path = path,
			     .link = link,
			     .type = type,
			     .a = &a,
			     .size = st->st_size,
			     .ranges = type == '0' ? o->ranges : NULL,
			     .n_ranges = o->n_ranges};
	int r = path ? attrs_read(o->t->from, fd, st, &o->t->keep, &a) : -ENOMEM;

	if (r < 0)
		return err_set(o->e, r, "writing the archive");
	a.uid = a.uid == UINT32_MAX ? 65534 : a.uid;
	a.gid = a.gid == UINT32_MAX ? 65534 : a.gid;
	r = pax_head(&o->pax, &h);
	return r < 0 ? broken(o, r) : 0;
}

static int add_range(struct out *o, int64_t at, int64_t len)
{
	if (o->n_ranges == RANGES_MAX)
		return -EFBIG;
	if (o->n_ranges == o->size_ranges) {
		size_t size = o->size_ranges ? o->size_ranges * 2 : 64;
		void *v = reallocarray(o->ranges, size, sizeof(*o->ranges));

		if (!v)
			return -ENOMEM;
		o->ranges = v;
		o->size_ranges = size;
	}
	o->ranges[o->n_ranges++] = (struct pax_range){.at = at, .len = len};
	return 0;
}

/* Where data is, so that holes take no room in the archive. A file without holes has no ranges. */
static int find_ranges(struct out *o, int in, const struct stat *st)
{
	int64_t at = 0, data, hole;
	int r = 0;

	free(TAKE_PTR(o->ranges));
	o->n_ranges = o->size_ranges = 0;
	if (st->st_blocks * 512 >= st->st_size)
		return 0;
	while (r == 0 && (data = lseek(in, at, SEEK_DATA)) >= 0 && data < st->st_size) {
		hole = lseek(in, data, SEEK_HOLE);
		if (hole < 0 || hole > st->st_size)
			hole = st->st_size;
		r = add_range(o, data, hole - data);
		at = hole;
	}
	return r < 0 ? r : add_range(o, st->st_size, 0); /* the end, as GNU tar has it */
}

/* As many bytes as the head says; what the file has lost meanwhile is zeros. */
static int write_range(struct out *o, int in, int64_t at, int64_t end)
{
	while (at < end) {
		size_t want = end - at < PIECE ? (size_t)(end - at) : PIECE;
		ssize_t n = pread(in, o->buf, want, at);
		int r = meter_tick(&o->t->meter, n > 0 ? (uint64_t)n : 0);

		if (r < 0)
			return r;
		if (n <= 0) {
			memset(o->buf, 0, want);
			n = (ssize_t)want;
		}
		r = pax_data(&o->pax, o->buf, (size_t)n);
		if (r < 0)
			return broken(o, r);
		at += n;
	}
	return 0;
}

static int write_data(struct out *o, int in, const struct stat *st)
{
	int r = 0;

	if (!o->ranges)
		r = write_range(o, in, 0, st->st_size);
	for (size_t i = 0; i < o->n_ranges && r == 0; i++)
		r = write_range(o, in, o->ranges[i].at, o->ranges[i].at + o->ranges[i].len);
	if (r == 0) {
		r = pax_pad(&o->pax);
		r = r < 0 ? broken(o, r) : 0;
	}
	return r;
}

static int write_file(struct out *o, const struct walk_entry *e, int fd)
{
	_cleanup_close_ int in = path_reopen(fd);
	struct stat st;
	int r;

	if (in < 0 || fstat(in, &st) < 0)
		return fail(o, e->path, in < 0 ? in : -errno);
	r = find_ranges(o, in, &st);
	if (r < 0)
		return fail(o, e->path, r);
	r = write_head(o, e, &st, in, '0', NULL);
	if (r == 0)
		r = write_data(o, in, &st);
	return r < 0 ? r : 1;
}

/* A second name of what is in the archive already. 1: it is written. */
static int write_again(struct out *o, const struct walk_entry *e, const struct stat *st)
{
	const char *first = links_find(&o->t->links, st->st_dev, st->st_ino);
	_cleanup_free_ char *target = first ? str_fmt("%s/%s", o->name, first) : NULL;
	int r = target ? write_head(o, e, st, -EBADF, '1', target) : 0;

	return r < 0 ? r : !!target;
}

static int write_other(struct out *o, const struct walk_entry *e, int fd, const struct stat *st)
{
	char text[PATH_MAX];
	ssize_t n = 0;
	int r;

	if (S_ISSOCK(st->st_mode)) {
		o->t->n_left_out++;
		return 0;
	}
	if (S_ISLNK(st->st_mode))
		n = link_read_at(fd, "", text, sizeof(text));
	if (n < 0)
		return fail(o, e->path, (int)n);
	r = write_head(o, e, st, -EBADF, type_of(st->st_mode), S_ISLNK(st->st_mode) ? text : NULL);
	return r < 0 ? r : 1;
}

static int write_held(struct out *o, const struct walk_entry *e, int fd)
{
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return fail(o, e->path, -errno);
	if (S_ISDIR(st.st_mode))
		return fail(o, e->path, -ESTALE);
	r = st.st_nlink > 1 ? write_again(o, e, &st) : 0;
	if (r != 0)
		return r < 0 ? r : 0;
	r = S_ISREG(st.st_mode) ? write_file(o, e, fd) : write_other(o, e, fd, &st);
	if (r == 1 && st.st_nlink > 1 && e->depth)
		links_add(&o->t->links, st.st_dev, st.st_ino, e->path);
	return r < 0 ? r : 0;
}

static int visit(struct walk_entry *e, void *data)
{
	struct out *o = data;
	_cleanup_close_ int fd = -EBADF;
	int r = meter_tick(&o->t->meter, 0);

	o->t->meter.entries++;
	if (r == 0 && e->fd >= 0)
		return write_head(o, e, &e->st, e->fd, '5', NULL);
	fd = *e->name ? openat(e->dir, e->name, O_PATH | O_NOFOLLOW | O_CLOEXEC)
		      : fcntl(e->dir, F_DUPFD_CLOEXEC, 3);
	if (r == 0)
		r = fd < 0 ? fail(o, e->path, -errno) : write_held(o, e, fd);
	return r;
}

static int unreadable(const char *path, int r, void *data)
{
	return fail(data, path, r);
}

int tar_write(struct transfer *t, int top, const char *name, int out, struct err *e)
{
	static const struct walk_how how = {.files = true};
	static const struct walk_ops ops = {.entry = visit, .failed = unreadable};
	_cleanup_(out_done) struct out o = {.t = t, .name = name, .buf = malloc(PIECE), .e = e};
	int r = pax_open(&o.pax, out);

	e->num = 0;
	if (r < 0 || !o.buf)
		return err_set(e, ENOMEM, "writing the archive");
	r = walk(top, &how, &ops, &o);
	if (r == 0) {
		r = pax_close(&o.pax);
		r = r < 0 ? broken(&o, r) : 0;
	}
	if (r < 0 && !e->num)
		place_err(t->from, r, "reading", name, e);
	return r;
}

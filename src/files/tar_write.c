#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "files/tar.h"
#include "files/walk.h"

enum { PIECE = 256 << 10 };

struct out {
	struct transfer *t;
	struct archive *a;
	struct archive_entry *en;
	const char *name;
	char *buf;
	struct err *e;
};

static void out_done(struct out *o)
{
	archive_entry_free(o->en);
	archive_write_free(o->a);
	free(o->buf);
}

/* Writing to the stream failed, which ends it. */
static int broken(struct out *o)
{
	int num = archive_errno(o->a);

	if (num == EPIPE)
		return err_say(o->e, EPIPE, "whoever read the archive has stopped reading");
	return err_set(o->e, num > 0 ? num : EIO, "writing the archive");
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

static int set_head(struct out *o, const struct walk_entry *e, const struct stat *st, int fd)
{
	_cleanup_attrs_ struct attrs a = {};
	_cleanup_free_ char *path = str_fmt("%s%s%s", o->name, e->depth ? "/" : "", e->path);
	int r = path ? attrs_read(o->t->from, fd, st, &o->t->keep, &a) : -ENOMEM;

	if (r < 0)
		return err_set(o->e, r, "writing the archive");
	archive_entry_clear(o->en);
	archive_entry_set_pathname(o->en, path);
	archive_entry_set_mode(o->en, a.mode);
	archive_entry_set_uid(o->en, a.uid == UINT32_MAX ? 65534 : a.uid);
	archive_entry_set_gid(o->en, a.gid == UINT32_MAX ? 65534 : a.gid);
	archive_entry_set_mtime(o->en, a.mtime.tv_sec, a.mtime.tv_nsec);
	archive_entry_set_size(o->en, S_ISREG(st->st_mode) ? st->st_size : 0);
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
		archive_entry_set_rdevmajor(o->en, major(st->st_rdev));
		archive_entry_set_rdevminor(o->en, minor(st->st_rdev));
	}
	for (size_t i = 0; i < a.n_x; i++)
		archive_entry_xattr_add_entry(o->en, a.x[i].name, a.x[i].value, a.x[i].len);
	return 0;
}

static int write_head(struct out *o)
{
	return archive_write_header(o->a, o->en) < ARCHIVE_WARN ? broken(o) : 0;
}

/* Where data is, so that holes take no room in the archive. */
static void set_sparse(struct out *o, int in, const struct stat *st)
{
	int64_t at = 0, data, hole;

	if (st->st_blocks * 512 >= st->st_size)
		return;
	while ((data = lseek(in, at, SEEK_DATA)) >= 0 && data < st->st_size) {
		hole = lseek(in, data, SEEK_HOLE);
		if (hole < 0 || hole > st->st_size)
			hole = st->st_size;
		archive_entry_sparse_add_entry(o->en, data, hole - data);
		at = hole;
	}
	if (at == 0) /* all of it is a hole */
		archive_entry_sparse_add_entry(o->en, 0, 0);
}

/* As many bytes as the head says; what the file has lost meanwhile is zeros. */
static int write_data(struct out *o, int in, int64_t size)
{
	for (int64_t at = 0; at < size;) {
		size_t want = size - at < PIECE ? (size_t)(size - at) : PIECE;
		ssize_t n = pread(in, o->buf, want, at);
		int r = meter_tick(&o->t->meter, n > 0 ? (uint64_t)n : 0);

		if (r < 0)
			return r;
		if (n <= 0) {
			memset(o->buf, 0, want);
			n = (ssize_t)want;
		}
		if (archive_write_data(o->a, o->buf, (size_t)n) < 0)
			return broken(o);
		at += n;
	}
	return 0;
}

static int write_file(struct out *o, const struct walk_entry *e, int fd)
{
	_cleanup_close_ int in = path_reopen(fd);
	struct stat st;
	int r;

	if (in < 0 || fstat(in, &st) < 0)
		return fail(o, e->path, in < 0 ? in : -errno);
	if (st.st_size >> 30 >= TAR_FILE_MAX_GIB && st.st_blocks * 512 < st.st_size / 2)
		return fail(o, e->path, -EFBIG);
	r = set_head(o, e, &st, in);
	if (r < 0)
		return r;
	set_sparse(o, in, &st);
	r = write_head(o);
	if (r == 0)
		r = write_data(o, in, st.st_size);
	if (r == 0 && archive_write_finish_entry(o->a) < ARCHIVE_WARN)
		r = broken(o);
	return r < 0 ? r : 1;
}

/* A second name of what is in the archive already. 1: it is written. */
static int write_again(struct out *o, const struct walk_entry *e, const struct stat *st)
{
	const char *first = links_find(&o->t->links, st->st_dev, st->st_ino);
	_cleanup_free_ char *target = first ? str_fmt("%s/%s", o->name, first) : NULL;
	int r;

	if (!target)
		return 0;
	r = set_head(o, e, st, -EBADF);
	if (r < 0)
		return r;
	archive_entry_set_size(o->en, 0);
	archive_entry_set_hardlink(o->en, target);
	r = write_head(o);
	return r < 0 ? r : 1;
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
	r = set_head(o, e, st, -EBADF);
	if (S_ISLNK(st->st_mode))
		archive_entry_set_symlink(o->en, text);
	return r < 0 ? r : write_head(o);
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
	if (r == 0 && e->fd >= 0) {
		r = set_head(o, e, &e->st, e->fd);
		return r < 0 ? r : write_head(o);
	}
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
	static const struct walk_how how = {};
	static const struct walk_ops ops = {.entry = visit, .failed = unreadable};
	_cleanup_(out_done) struct out o = {.t = t,
					    .a = archive_write_new(),
					    .en = archive_entry_new(),
					    .name = name,
					    .buf = malloc(PIECE),
					    .e = e};
	int r;

	e->num = 0;
	if (!o.a || !o.en || !o.buf || archive_write_set_format_pax(o.a) != ARCHIVE_OK ||
	    archive_write_set_options(o.a, "hdrcharset=BINARY") != ARCHIVE_OK ||
	    archive_write_set_bytes_per_block(o.a, PIECE) != ARCHIVE_OK ||
	    archive_write_set_bytes_in_last_block(o.a, 1) != ARCHIVE_OK ||
	    archive_write_open_fd(o.a, out) != ARCHIVE_OK)
		return err_set(e, ENOMEM, "writing the archive");
	r = walk(top, &how, &ops, &o);
	if (r == 0 && archive_write_close(o.a) != ARCHIVE_OK)
		r = broken(&o);
	if (r < 0 && !e->num)
		place_err(t->from, r, "reading", name, e);
	return r;
}

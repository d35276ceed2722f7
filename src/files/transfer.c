#include "files/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "files/data.h"
#include "files/put.h"
#include "files/walk.h"

void transfer_done(struct transfer *t)
{
	links_done(&t->links);
	cleanup_close(&t->top);
	t->top = -EBADF;
}

/* Nothing that follows would go better. */
static bool is_final(int r)
{
	return r == -ENOSPC || r == -EDQUOT || r == -EROFS || r == -ENOMEM || r == -EMFILE ||
	       r == -ENFILE || r == -ECANCELED || r == -EINTR || r == -EPIPE;
}

/* An entry that is passed over; or the end, with its sentence. */
static int fail(struct transfer *t, bool reading, const char *path, int r)
{
	const char *doing = reading ? "reading" : "writing";

	if (r == -ECANCELED)
		return r;
	if (reading && r == -ENOENT) /* it has vanished */
		return 0;
	if (is_final(r) && !reading)
		return place_err(t->to, r, doing, *path ? path : t->name, t->e);
	t->n_failed++;
	if (t->failed)
		t->failed(t, doing, path, r);
	return 0;
}

/* Where an entry goes: a directory (borrowed), and the name in it. */
static int dest_dir(const struct transfer *t, const struct walk_entry *e)
{
	return e->depth ? e->up : t->dir;
}

static const char *dest_name(const struct transfer *t, const struct walk_entry *e)
{
	return e->depth ? e->name : t->name;
}

/* --- directories --- */

static int note_top(struct transfer *t, int fd)
{
	struct stat st;

	t->top = openat(fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (t->top < 0 || fstat(fd, &st) < 0)
		return -errno;
	t->top_dev = st.st_dev;
	t->top_ino = st.st_ino;
	return 0;
}

static int enter_dir(struct transfer *t, struct walk_entry *e)
{
	bool made;
	int r;

	/* a directory into itself has no end */
	if (e->depth && e->st.st_ino == t->top_ino && e->st.st_dev == t->top_dev)
		return WALK_SKIP;
	e->mine = put_dir(dest_dir(t, e), dest_name(t, e), &made);
	if (e->mine < 0) {
		r = e->mine;
		e->mine = -1;
		r = fail(t, false, e->path, r);
		return r < 0 ? r : WALK_SKIP;
	}
	if (e->depth)
		return 0;
	r = note_top(t, e->mine);
	if (r == 0 && e->st.st_ino == t->top_ino && e->st.st_dev == t->top_dev)
		r = err_say(t->e, EINVAL, "that directory cannot be copied into itself");
	return r;
}

static int leave_dir(struct walk_entry *e, void *data)
{
	_cleanup_attrs_ struct attrs a = {};
	struct transfer *t = data;
	int r = 0;

	if (e->mine < 0)
		return 0;
	if (e->depth || !str_eq(t->name, ".")) {
		r = attrs_read(t->from, e->fd, &e->st, &t->keep, &a);
		if (r == 0)
			r = attrs_apply(t->to, e->mine, &a, &t->n_lost);
	}
	close(e->mine);
	e->mine = -1;
	return r < 0 ? fail(t, false, e->path, r) : 0;
}

/* --- the rest --- */

/* A second name of what was copied already. 1: done, 0: it is to be copied. */
static int copy_again(struct transfer *t, const struct walk_entry *e, const struct stat *st)
{
	const char *first = links_find(&t->links, st->st_dev, st->st_ino);
	_cleanup_close_ int fd = -EBADF;
	struct stat there;

	if (!first || t->top < 0)
		return 0;
	fd = path_open_in_root(t->top, first, O_PATH | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &there) < 0 || (there.st_mode & S_IFMT) != (st->st_mode & S_IFMT))
		return 0;
	return put_link(dest_dir(t, e), dest_name(t, e), fd) == 0;
}

static int copy_file(struct transfer *t, const struct walk_entry *e, int in, const struct stat *st)
{
	_cleanup_attrs_ struct attrs a = {};
	_cleanup_put_ struct put p = PUT_INIT;
	bool reading = false;
	int64_t n;
	int r = put_begin(&p, t->to, dest_dir(t, e), dest_name(t, e), (uint64_t)st->st_size);

	if (r < 0)
		return fail(t, false, e->path, r);
	n = data_copy(in, p.fd, &t->meter, &reading);
	if (n < 0)
		return fail(t, reading, e->path, (int)n);
	if (n < st->st_size) { /* it shrank: a part of what it was is no copy of anything */
		r = fail(t, true, e->path, -ESTALE);
		if (r < 0)
			return r;
	}
	r = attrs_read(t->from, in, st, &t->keep, &a);
	if (r == 0)
		r = put_end(&p, &a, &t->n_lost);
	return r < 0 ? fail(t, false, e->path, r) : 1;
}

static int copy_link(struct transfer *t, const struct walk_entry *e, int fd, const struct stat *st)
{
	_cleanup_attrs_ struct attrs a = {};
	char text[PATH_MAX];
	ssize_t n = link_read_at(fd, "", text, sizeof(text));
	int r = n < 0 ? (int)n : attrs_read(t->from, -EBADF, st, &t->keep, &a);

	if (r < 0)
		return fail(t, true, e->path, r);
	r = put_node(t->to, dest_dir(t, e), dest_name(t, e), &a, text);
	return r < 0 ? fail(t, false, e->path, r) : 1;
}

static int copy_special(struct transfer *t, const struct walk_entry *e, const struct stat *st)
{
	_cleanup_attrs_ struct attrs a = {};
	int r = attrs_read(t->from, -EBADF, st, &t->keep, &a);

	if (S_ISSOCK(st->st_mode)) { /* only a name; nobody would listen */
		t->n_left_out++;
		return 0;
	}
	if (r == 0)
		r = put_node(t->to, dest_dir(t, e), dest_name(t, e), &a, NULL);
	return r < 0 ? fail(t, false, e->path, r) : 1;
}

/* What it is, is what it is once it is held. */
static int copy_held(struct transfer *t, const struct walk_entry *e, int fd)
{
	_cleanup_close_ int in = -EBADF;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail(t, true, e->path, -errno);
	if (S_ISDIR(st.st_mode)) /* it was none a moment ago */
		return fail(t, true, e->path, -ESTALE);
	if (st.st_nlink > 1 && copy_again(t, e, &st) > 0)
		return 0;
	if (S_ISLNK(st.st_mode))
		return copy_link(t, e, fd, &st);
	if (!S_ISREG(st.st_mode))
		return copy_special(t, e, &st);
	in = path_reopen(fd);
	if (in < 0 || fstat(in, &st) < 0)
		return fail(t, true, e->path, in < 0 ? in : -errno);
	return copy_file(t, e, in, &st);
}

static int visit(struct walk_entry *e, void *data)
{
	struct transfer *t = data;
	_cleanup_close_ int fd = -EBADF;
	int r = meter_tick(&t->meter, 0);

	t->meter.entries++;
	if (r < 0)
		return r;
	if (e->fd >= 0)
		return enter_dir(t, e);
	fd = *e->name ? openat(e->dir, e->name, O_PATH | O_NOFOLLOW | O_CLOEXEC)
		      : fcntl(e->dir, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return fail(t, true, e->path, -errno);
	r = copy_held(t, e, fd);
	if (r == 1 && e->st.st_nlink > 1 && e->depth)
		links_add(&t->links, e->st.st_dev, e->st.st_ino, e->path);
	return r < 0 ? r : 0;
}

static int unreadable(const char *path, int r, void *data)
{
	return fail(data, true, path, r);
}

int transfer_tree(struct transfer *t, int top, int dir, const char *name, struct err *e)
{
	static const struct walk_how how = {};
	static const struct walk_ops ops = {
		.entry = visit, .leave = leave_dir, .failed = unreadable};
	int r;

	t->dir = dir;
	t->name = name;
	t->e = e;
	t->top_dev = 0;
	t->top_ino = 0;
	e->num = 0;
	links_done(&t->links);
	cleanup_close(&t->top);
	t->top = -EBADF;
	r = walk(top, &how, &ops, t);
	if (r < 0 && !e->num)
		place_err(t->from, r, "reading", name, e);
	return r;
}

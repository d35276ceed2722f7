#include "files/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
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
	pthread_mutex_lock(&t->lock);
	if (is_final(r) && !reading) {
		if (!t->e->num)
			place_err(t->to, r, doing, *path ? path : t->name, t->e);
	} else {
		t->n_failed++;
		if (t->failed)
			t->failed(t, doing, path, r);
		r = 0;
	}
	pthread_mutex_unlock(&t->lock);
	return r;
}

/* So much was done by one of the threads. */
static int count(struct transfer *t, uint64_t entries, uint64_t bytes)
{
	int r;

	pthread_mutex_lock(&t->lock);
	t->meter.entries += entries;
	r = meter_tick(&t->meter, bytes);
	pthread_mutex_unlock(&t->lock);
	return r;
}

static int wait_tick(void *data)
{
	return count(data, 0, 0);
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

/* Where an entry goes: a directory (borrowed), and the name in it. */
static int dest_dir(const struct transfer *t, const struct walk_entry *e)
{
	return e->depth ? t->dirs[e->depth - 1]->to : t->dir;
}

static const char *dest_name(const struct transfer *t, const struct walk_entry *e)
{
	return e->depth ? e->name : t->name;
}

static int enter_dir(struct transfer *t, struct walk_entry *e)
{
	bool made;
	int fd, r;

	/* a directory into itself has no end */
	if (e->depth && e->st.st_ino == t->top_ino && e->st.st_dev == t->top_dev)
		return WALK_SKIP;
	fd = put_dir(dest_dir(t, e), dest_name(t, e), &made);
	if (fd < 0) {
		r = fail(t, false, e->path, fd);
		return r < 0 ? r : WALK_SKIP;
	}
	r = e->depth ? 0 : note_top(t, fd);
	if (r == 0 && !e->depth && e->st.st_ino == t->top_ino && e->st.st_dev == t->top_dev)
		r = err_say(t->e, EINVAL, "that directory cannot be copied into itself");
	if (r < 0) {
		close(fd);
		return r;
	}
	t->dirs[e->depth] = crew_enter(fcntl(e->fd, F_DUPFD_CLOEXEC, 3), fd, made, e->path, &e->st);
	return t->dirs[e->depth] ? 0 : -ENOMEM;
}

static int leave_dir(struct walk_entry *e, void *data)
{
	struct transfer *t = data;

	if (t->dirs[e->depth])
		crew_leave(&t->crew, TAKE_PTR(t->dirs[e->depth]));
	return 0;
}

/* All that goes into it is there. */
static int dress_dir(struct crew_dir *d, void *data)
{
	_cleanup_attrs_ struct attrs a = {};
	struct transfer *t = data;
	size_t lost = 0;
	int r;

	if (!*d->path && str_eq(t->name, "."))
		return 0;
	r = attrs_read(t->from, d->from, &d->st, &t->keep, &a);
	if (r == 0)
		r = attrs_apply(t->to, d->to, &a, &lost);
	__atomic_add_fetch(&t->n_lost, lost, __ATOMIC_RELAXED);
	return r < 0 ? fail(t, false, d->path, r) : 0;
}

/* --- the rest --- */

/* One of them, on its way. */
struct item {
	struct meter m;
	struct transfer *t;
	int to;		  /* the directory it goes to, borrowed */
	const char *name; /* and as what */
	bool fresh;	  /* which is our own still */
	const char *path; /* from the top */
};

static int item_tick(struct meter *m)
{
	struct item *it = (struct item *)m; /* its first member */
	uint64_t bytes = m->bytes;

	m->bytes = 0;
	return count(it->t, 0, bytes);
}

static int fail_item(const struct item *it, bool reading, int r)
{
	return fail(it->t, reading, it->path, r);
}

/* A second name of what was copied already. 1: done, 0: it is to be copied. */
static int copy_again(const struct item *it, const struct stat *st)
{
	const struct transfer *t = it->t;
	const char *first = links_find(&t->links, st->st_dev, st->st_ino);
	_cleanup_close_ int fd = -EBADF;
	struct stat there;

	if (!first || t->top < 0)
		return 0;
	fd = path_open_in_root(t->top, first, O_PATH | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &there) < 0 || (there.st_mode & S_IFMT) != (st->st_mode & S_IFMT))
		return 0;
	return put_link(it->to, it->name, fd) == 0;
}

static int copy_file(struct item *it, int in, const struct stat *st)
{
	_cleanup_attrs_ struct attrs a = {};
	_cleanup_put_ struct put p = PUT_INIT;
	struct transfer *t = it->t;
	bool reading = false;
	size_t lost = 0;
	int64_t n;
	int r = put_begin(&p, t->to, it->to, it->name, it->fresh, (uint64_t)st->st_size);

	if (r < 0)
		return fail_item(it, false, r);
	n = data_copy(in, p.fd, &it->m, &reading);
	if (n < 0)
		return fail_item(it, reading, (int)n);
	if (n < st->st_size) { /* it shrank: a part of what it was is no copy of anything */
		r = fail_item(it, true, -ESTALE);
		if (r < 0)
			return r;
	}
	r = attrs_read(t->from, in, st, &t->keep, &a);
	if (r == 0)
		r = put_end(&p, &a, &lost);
	__atomic_add_fetch(&t->n_lost, lost, __ATOMIC_RELAXED);
	return r < 0 ? fail_item(it, false, r) : 1;
}

static int copy_link(const struct item *it, int fd, const struct stat *st)
{
	_cleanup_attrs_ struct attrs a = {};
	char text[PATH_MAX];
	ssize_t n = link_read_at(fd, "", text, sizeof(text));
	int r = n < 0 ? (int)n : attrs_read(it->t->from, -EBADF, st, &it->t->keep, &a);

	if (r < 0)
		return fail_item(it, true, r);
	r = put_node(it->t->to, it->to, it->name, &a, text);
	return r < 0 ? fail_item(it, false, r) : 1;
}

static int copy_special(const struct item *it, const struct stat *st)
{
	_cleanup_attrs_ struct attrs a = {};
	int r = attrs_read(it->t->from, -EBADF, st, &it->t->keep, &a);

	if (S_ISSOCK(st->st_mode)) { /* only a name; nobody would listen */
		__atomic_add_fetch(&it->t->n_left_out, 1, __ATOMIC_RELAXED);
		return 0;
	}
	if (r == 0)
		r = put_node(it->t->to, it->to, it->name, &a, NULL);
	return r < 0 ? fail_item(it, false, r) : 1;
}

/* What it is, is what it is once it is held. 1: it has a copy, 0: not, -errno: the end. */
static int copy_held(struct item *it, int fd)
{
	_cleanup_close_ int in = -EBADF;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail_item(it, true, -errno);
	if (S_ISDIR(st.st_mode)) /* it was none a moment ago */
		return fail_item(it, true, -ESTALE);
	if (S_ISLNK(st.st_mode))
		return copy_link(it, fd, &st);
	if (!S_ISREG(st.st_mode))
		return copy_special(it, &st);
	in = path_reopen(fd);
	return in < 0 ? fail_item(it, true, in) : copy_file(it, in, &st);
}

static int copy_entry(struct item *it, int dir, const char *name)
{
	_cleanup_close_ int fd = *name ? openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC)
				       : fcntl(dir, F_DUPFD_CLOEXEC, 3);

	return fd < 0 ? fail_item(it, true, -errno) : copy_held(it, fd);
}

/* In any thread. */
static int copy_of_dir(struct crew_dir *d, const char *name, void *data)
{
	char few[512];
	_cleanup_free_ char *many = NULL;
	size_t size = strlen(d->path) + strlen(name) + 2;
	char *path = size <= sizeof(few) ? few : (many = malloc(size));
	struct item it = {.m.tick = item_tick,
			  .t = data,
			  .to = d->to,
			  .name = name,
			  .fresh = d->made,
			  .path = path};
	int r = path ? count(data, 1, 0) : -ENOMEM;

	if (r < 0)
		return r;
	snprintf(path, size, "%s%s%s", d->path, *d->path ? "/" : "", name);
	r = copy_entry(&it, d->from, name);
	return r < 0 ? r : 0;
}

/* A file of several names, or none: in the order in which they come. */
static int copy_now(struct transfer *t, const struct walk_entry *e)
{
	struct item it = {.m.tick = item_tick,
			  .t = t,
			  .to = dest_dir(t, e),
			  .name = dest_name(t, e),
			  .path = e->path};
	bool links = e->st.st_nlink > 1 && e->depth;
	int r = count(t, 1, 0);

	if (r < 0 || (links && copy_again(&it, &e->st) > 0))
		return r;
	r = copy_entry(&it, e->dir, e->name);
	if (r == 1 && links)
		links_add(&t->links, e->st.st_dev, e->st.st_ino, e->path);
	return r < 0 ? r : 0;
}

static int visit(struct walk_entry *e, void *data)
{
	struct transfer *t = data;
	int r;

	if (e->depth && S_ISREG(e->st.st_mode) && e->st.st_nlink <= 1)
		return crew_add(&t->crew, t->dirs[e->depth - 1], e->name, (uint64_t)e->st.st_size);
	if (e->fd < 0)
		return copy_now(t, e);
	r = count(t, 1, 0);
	return r < 0 ? r : enter_dir(t, e);
}

static int unreadable(const char *path, int r, void *data)
{
	return fail(data, true, path, r);
}

int transfer_tree(struct transfer *t, int top, int dir, const char *name, struct err *e)
{
	static const struct walk_how how = {.files = true};
	static const struct walk_ops ops = {
		.entry = visit, .leave = leave_dir, .failed = unreadable};
	static const struct crew_ops crew = {
		.file = copy_of_dir, .done = dress_dir, .tick = wait_tick};
	struct crew_dir *dirs[WALK_DEPTH_MAX + 1] = {};
	int r, end;

	t->dir = dir;
	t->name = name;
	t->e = e;
	t->top_dev = 0;
	t->top_ino = 0;
	e->num = 0;
	links_done(&t->links);
	cleanup_close(&t->top);
	t->top = -EBADF;
	t->dirs = dirs;
	t->crew = CREW_INIT;
	t->crew.ops = &crew;
	t->crew.data = t;
	r = walk(top, &how, &ops, t);
	end = crew_end(&t->crew);
	r = r ?: end;
	t->dirs = NULL;
	if (r < 0 && !e->num)
		place_err(t->from, r, "reading", name, e);
	return r;
}

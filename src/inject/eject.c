#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "inject/inject.h"
#include "inject/tree.h"
#include "kit/build.h"
#include "session/copy.h"

enum fate {
	GOES,	  /* it is there as it was put in */
	GONE,	  /* it is not there any more */
	STAYS,	  /* changed, or a directory that holds something else */
	RESTORED, /* the target's own is back in its place */
};

struct out {
	int root, originals; /* -EBADF: none were kept */
	struct journal *j;
	struct eject *x;
	unsigned char *fate; /* of each item */
};

void eject_done(struct eject *x)
{
	strv_done(&x->changed);
	strv_done(&x->busy);
	strv_done(&x->hidden);
	*x = (struct eject){};
}

/* --- what is there --- */

/* The file behind `at` (O_PATH) has these bytes. */
static bool has_sum(int at, const struct item *it)
{
	_cleanup_close_ int fd = path_reopen(at);
	uint8_t sum[ITEM_SHA];

	return fd >= 0 && tree_hash(fd, sum) == 0 && memcmp(sum, it->sha, ITEM_SHA) == 0;
}

static bool is_kind(char kind, mode_t mode)
{
	return kind == 'd'   ? S_ISDIR(mode)
	       : kind == 'f' ? S_ISREG(mode)
	       : kind == 'l' ? S_ISLNK(mode)
			     : S_ISFIFO(mode);
}

/* What is at `at` (O_PATH) is what was put in. Time and size as they were: so are the bytes. */
static bool is_ours(int at, const struct item *it)
{
	char link[PATH_MAX];
	struct stat st;

	if (fstat(at, &st) < 0 || !is_kind(it->kind, st.st_mode))
		return false;
	if (it->kind == 'l')
		return link_read_at(at, "", link, sizeof(link)) > 0 && str_eq(link, it->link);
	if (it->kind != 'f')
		return true;
	if ((uint64_t)st.st_size != it->size)
		return false;
	return (st.st_mtim.tv_sec == it->mtime.tv_sec && st.st_mtim.tv_nsec == it->mtime.tv_nsec) ||
	       has_sum(at, it);
}

/* What is at `at` is the target's own that was kept aside. */
static bool is_original(const struct out *o, int at, size_t i)
{
	_cleanup_close_ int kept = -EBADF, a = -EBADF, b = -EBADF;
	char name[24], ours[PATH_MAX], theirs[PATH_MAX];
	struct stat st, was;

	if (o->originals < 0)
		return false;
	snprintf(name, sizeof(name), "%zu", i);
	kept = openat(o->originals, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	/* one that was killed when all was back, and what was kept aside was being removed */
	if (kept < 0 && errno == ENOENT)
		return o->j->phase == JOURNAL_EJECT;
	if (kept < 0 || fstat(kept, &was) < 0 || fstat(at, &st) < 0 ||
	    (was.st_mode & S_IFMT) != (st.st_mode & S_IFMT))
		return false;
	if (S_ISLNK(st.st_mode))
		return link_read_at(at, "", ours, sizeof(ours)) > 0 &&
		       link_read_at(kept, "", theirs, sizeof(theirs)) > 0 && str_eq(ours, theirs);
	a = path_reopen(at);
	b = path_reopen(kept);
	return a >= 0 && b >= 0 && st.st_size == was.st_size && same_bytes(a, b);
}

/* Names in a directory of ours that are not. */
static int find_later(struct out *o, const struct item *it, int at)
{
	int fd = tree_open(at, "", O_RDONLY | O_DIRECTORY);
	_cleanup_dir_ DIR *d = dir_take(fd);
	struct dirent *de;
	size_t n = 0;

	if (!d)
		return fd < 0 ? fd : -ENOMEM;
	while ((de = dir_next(d))) {
		_cleanup_free_ char *path = str_fmt("%s/%s", it->path, de->d_name);

		if (!path)
			return -ENOMEM;
		n += !items_find(&o->j->items, path);
	}
	o->x->later += n;
	return n ? strv_add(&o->x->busy, it->path) ?: 1 : 0;
}

static int judge(struct out *o, size_t i)
{
	const struct item *it = &o->j->items.v[i];
	_cleanup_close_ int dir = tree_parent(o->root, it->path), at = -EBADF;
	int r;

	if (dir == -ELOOP || dir == -EXDEV) {
		o->fate[i] = STAYS;
		return strv_add(&o->x->hidden, it->path);
	}
	at = dir < 0 ? dir : openat(dir, item_name(it->path), O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (at < 0) {
		o->fate[i] = GONE;
		o->x->missing++;
		return 0;
	}
	if (is_ours(at, it)) {
		r = it->kind == 'd' ? find_later(o, it, at) : 0;
		o->fate[i] = r > 0 && !o->x->all ? STAYS : GOES;
		return r < 0 ? r : 0;
	}
	if (it->replaces && is_original(o, at, i)) {
		o->fate[i] = RESTORED;
		return 0;
	}
	o->fate[i] = o->x->force ? GOES : STAYS;
	return strv_add(&o->x->changed, it->path);
}

/* A directory stays when something in it does. */
static void keep_above(struct out *o)
{
	for (size_t i = o->j->items.n; i-- > 0;) {
		const char *path = o->j->items.v[i].path;
		_cleanup_free_ char *dir = strndup(path, item_dir_len(path));
		struct item *up = dir && *dir ? items_find(&o->j->items, dir) : NULL;

		if (up && (o->fate[i] == STAYS || o->fate[i] == RESTORED))
			o->fate[up - o->j->items.v] = STAYS;
	}
}

static int scan(struct out *o, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < o->j->items.n && r == 0; i++)
		r = judge(o, i);
	keep_above(o);
	return r < 0 ? err_set(e, r, "comparing the container with the journal") : 0;
}

/* --- and away --- */

/* Times of directories that stay, while they are what they were. */
static int note_times(struct out *o, struct err *e)
{
	_cleanup_items_ struct items was = {};
	struct items *l = &o->j->items;
	bool first = o->j->phase != JOURNAL_EJECT;
	struct timespec t;
	int r = 0;

	if (first) { /* those of then do not matter any more */
		was.parents = TAKE_PTR(l->parents);
		was.n_parents = l->n_parents;
		l->n_parents = 0;
		journal_add_phase(o->j, JOURNAL_EJECT);
	}
	for (size_t i = 0; i < was.n_parents && r == 0; i++)
		if (tree_time(o->root, was.parents[i].path, &t) == 0)
			r = items_add_parent(l, was.parents[i].path, t);
	for (size_t i = 0; i < l->n && r == 0; i++)
		if (l->v[i].kind == 'd' && o->fate[i] == STAYS &&
		    tree_time(o->root, l->v[i].path, &t) == 0)
			r = items_add_parent(l, l->v[i].path, t);
	for (size_t i = 0; i < l->n_parents && r == 0; i++)
		journal_add_parent(o->j, &l->parents[i]);
	return r < 0 ? err_set(e, r, "taking files out") : journal_sync(o->j, e);
}

/* Put the target's own back, over what is there. */
static int restore(struct out *o, size_t i, int dir)
{
	_cleanup_close_ int stage = -EBADF;
	char name[24];
	int r;

	if (mkdirat(o->root, o->j->stage, 0700) < 0 && errno != EEXIST)
		return -errno;
	stage = tree_open(o->root, o->j->stage, O_RDONLY | O_DIRECTORY);
	if (stage < 0)
		return stage;
	snprintf(name, sizeof(name), "%zu", i);
	r = build_remove(stage, name) ?: tree_copy(o->originals, name, stage, name);
	if (r == 0 && renameat(stage, name, dir, item_name(o->j->items.v[i].path)) < 0)
		r = -errno;
	o->x->restored += r == 0;
	return r;
}

static int take_out(struct out *o, size_t i)
{
	const struct item *it = &o->j->items.v[i];
	_cleanup_close_ int dir = tree_parent(o->root, it->path);
	const char *name = item_name(it->path);
	int r = 0;

	if (dir < 0)
		return dir == -ENOENT || dir == -ENOTDIR ? 0 : dir;
	if (it->replaces && o->originals >= 0)
		return restore(o, i, dir);
	if (o->fate[i] != GOES)
		return 0;
	if (it->kind != 'd')
		r = unlinkat(dir, name, 0) < 0 ? -errno : 0;
	else if (unlinkat(dir, name, AT_REMOVEDIR) < 0)
		r = o->x->all && (errno == ENOTEMPTY || errno == EEXIST) ? build_remove(dir, name)
									 : -errno;
	o->x->removed += r == 0;
	if (r == -ENOENT || r == -EISDIR || r == -ENOTDIR)
		return 0; /* it became something else while we looked */
	if (r == -ENOTEMPTY || r == -EEXIST || r == -EBUSY)
		return strv_add(&o->x->busy, it->path);
	return r;
}

static int remove_all(struct out *o, struct err *e)
{
	struct items *l = &o->j->items;
	int r = note_times(o, e);

	if (r < 0)
		return r;
	for (size_t i = l->n; i-- > 0;) {
		if (o->fate[i] == STAYS || o->fate[i] == RESTORED)
			continue;
		r = take_out(o, i);
		if (r < 0)
			return err_set(e, r, "taking /%s out of the container", l->v[i].path);
	}
	r = inject_drop_stage(o->root, o->j);
	if (r < 0)
		return err_set(e, r, "removing the hidden directory /%s of the container",
			       o->j->stage);
	inject_set_times(o->root, l);
	return 0;
}

static bool has_originals(const struct items *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].replaces)
			return true;
	return false;
}

int inject_eject(int root, struct journal *j, struct eject *x, struct err *e)
{
	_cleanup_free_ unsigned char *fate = calloc(j->items.n + 1, 1);
	_cleanup_close_ int originals = -EBADF;
	struct out o = {.root = root, .j = j, .x = x, .fate = fate, .originals = -EBADF};
	int r;

	if (!fate)
		return err_set(e, ENOMEM, "taking files out");
	if (has_originals(&j->items)) {
		originals = o.originals = journal_originals(j, e);
		if (originals < 0)
			return originals;
	}
	x->force = x->force || x->all;
	r = scan(&o, e);
	if (r < 0 || x->look)
		return r;
	r = remove_all(&o, e);
	if (r < 0)
		return r;
	if (!x->all && (x->hidden.n || (!x->force && x->changed.n + x->busy.n)))
		return 0;
	return journal_remove(j, e);
}

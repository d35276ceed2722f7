#include "files/compare.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "files/same.h"
#include "files/walk.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

struct walk {
	const struct compare *c;
	struct differences *out;
	struct buf path; /* of what is looked at */
	int depth;
};

/* A directory on both sides; -EBADF: not there. */
struct pair {
	int a, b, upper;
};

void differences_done(struct differences *d)
{
	for (size_t i = 0; i < d->n; i++)
		free(d->v[i].path);
	free(d->v);
	*d = (struct differences){};
}

static int add(struct walk *w, char kind, unsigned what, const struct stat *a, const struct stat *b)
{
	struct differences *out = w->out;
	struct difference d = {.kind = kind, .what = what};

	if (out->n == COMPARE_MAX) {
		out->cut = true;
		return 0;
	}
	if (out->n % 256 == 0) {
		void *v = reallocarray(out->v, out->n + 256, sizeof(*out->v));

		if (!v)
			return -ENOMEM;
		out->v = v;
	}
	if (a)
		d.a = *a;
	if (b)
		d.b = *b;
	d.path = strdup(w->path.data ? w->path.data : "");
	if (!d.path)
		return -ENOMEM;
	out->v[out->n++] = d;
	return 0;
}

/* What is looked at there, with its owner as inside; "" is `dir` itself. */
static bool look(const struct place *in, int dir, const char *name, struct stat *st)
{
	if (dir < 0 ||
	    fstatat(dir, name, st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH) < 0)
		return false;
	if (in) {
		st->st_uid = place_uid_inside(in, st->st_uid);
		st->st_gid = place_gid_inside(in, st->st_gid);
	}
	return true;
}

/* As engines do: what is not a directory has changed with its time or size. */
static unsigned by_times(const struct stat *a, const struct stat *b)
{
	unsigned what = 0;

	if (S_ISDIR(a->st_mode))
		return 0;
	if (a->st_size != b->st_size)
		what |= COMPARE_SIZE;
	/* archives may tell whole seconds only */
	if (a->st_mtim.tv_sec != b->st_mtim.tv_sec ||
	    (a->st_mtim.tv_nsec != b->st_mtim.tv_nsec && a->st_mtim.tv_nsec && b->st_mtim.tv_nsec))
		what |= COMPARE_TIME;
	return what;
}

static unsigned differ(const struct walk *w, const struct pair *p, const char *name,
		       const struct stat *a, const struct stat *b)
{
	unsigned what = 0;

	if ((a->st_mode ^ b->st_mode) & S_IFMT)
		return COMPARE_KIND;
	if ((a->st_mode ^ b->st_mode) & 07777)
		what |= COMPARE_MODE;
	if (a->st_uid != b->st_uid || a->st_gid != b->st_gid)
		what |= COMPARE_OWNER;
	if ((S_ISCHR(a->st_mode) || S_ISBLK(a->st_mode)) && a->st_rdev != b->st_rdev)
		what |= COMPARE_DEVICE;
	if (w->c->times)
		return what | by_times(a, b);
	if (S_ISREG(a->st_mode) && a->st_size != b->st_size)
		what |= COMPARE_SIZE | COMPARE_CONTENT;
	else if (S_ISREG(a->st_mode) && !(a->st_dev == b->st_dev && a->st_ino == b->st_ino) &&
		 !same_content(p->a, name, p->b, name))
		what |= COMPARE_CONTENT;
	else if (S_ISLNK(a->st_mode) && !same_target(p->a, p->b, name))
		what |= COMPARE_CONTENT;
	return what;
}

static int by_name(const void *x, const void *y)
{
	return strcmp(*(char *const *)x, *(char *const *)y);
}

static int list(struct walk *w, int dir, struct strv *names)
{
	_cleanup_dir_ DIR *d = dir_open(dir, ".");
	struct dirent *de;

	if (!d)
		return -errno;
	while ((de = dir_next(d))) {
		if (names->n >= COMPARE_NAMES) {
			w->out->cut = true;
			return 0;
		}
		if (strv_add(names, de->d_name) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* The names on either side, each once. */
static int list_both(struct walk *w, const struct pair *p, struct strv *names)
{
	size_t n = 0;
	int r = p->upper >= 0 ? list(w, p->upper, names) : 0;

	if (p->upper < 0 && p->a >= 0)
		r = list(w, p->a, names);
	if (p->upper < 0 && p->b >= 0 && r >= 0)
		r = list(w, p->b, names);
	if (r < 0 || !names->n)
		return r;
	qsort(names->v, names->n, sizeof(char *), by_name);
	for (size_t i = 0; i < names->n; i++) {
		if (n && str_eq(names->v[n - 1], names->v[i]))
			free(names->v[i]);
		else
			names->v[n++] = names->v[i];
	}
	names->n = n;
	return 0;
}

/* In which names of the layers below are hidden, or have moved: all of it has to be looked at. */
static bool is_more_than_upper(int dir)
{
	static const char *const marks[] = {
		"trusted.overlay.opaque",
		"user.overlay.opaque",
		"trusted.overlay.redirect",
		"user.overlay.redirect",
	};

	for (size_t i = 0; i < ARRAY_LEN(marks); i++)
		if (fgetxattr(dir, marks[i], NULL, 0) > 0)
			return true;
	return false;
}

static int walk_dir(struct walk *w, const struct pair *p);

static int open_sub(int dir, const char *name)
{
	return dir < 0 ? -EBADF : openat(dir, name, DIR_FLAGS);
}

/* One that is a directory on at least one side, and of interest. */
static int walk_sub(struct walk *w, const struct pair *p, const char *name, bool in_a, bool in_b)
{
	_cleanup_close_ int a = in_a ? open_sub(p->a, name) : -EBADF;
	_cleanup_close_ int b = in_b ? open_sub(p->b, name) : -EBADF;
	_cleanup_close_ int upper = in_a && in_b ? open_sub(p->upper, name) : -EBADF;
	struct pair sub = {.a = a, .b = b, .upper = upper};
	int r;

	if (walk_is_kernels(a) || walk_is_kernels(b) || (a < 0 && b < 0))
		return 0;
	if (w->depth == COMPARE_DEPTH) {
		w->out->cut = true;
		return 0;
	}
	if (upper >= 0 && is_more_than_upper(upper))
		sub.upper = -EBADF;
	w->depth++;
	r = walk_dir(w, &sub);
	w->depth--;
	return r == -ENOENT || r == -EACCES ? 0 : r; /* it went away, or is nobody's */
}

static int compare_name(struct walk *w, const struct pair *p, const char *name)
{
	size_t before = w->out->n;
	struct stat a, b;
	bool in_a = look(w->c->in_a, p->a, name, &a), in_b = look(w->c->in_b, p->b, name, &b);
	bool dir_a = in_a && S_ISDIR(a.st_mode), dir_b = in_b && S_ISDIR(b.st_mode);
	unsigned what = in_a && in_b ? differ(w, p, name, &a, &b) : 0;
	int r = 0;

	if (!in_a && !in_b)
		return 0;
	if (!in_a || !in_b || what)
		r = add(w,
			!in_a	? 'A'
			: !in_b ? 'D'
				: 'C',
			what, in_a ? &a : NULL, in_b ? &b : NULL);
	else if (w->c->times && dir_a) /* kept where something in it changed */
		r = add(w, 'C', COMPARE_BELOW, &a, &b);
	if (r < 0 || !((dir_a && dir_b) || (dir_b && w->c->times)))
		return r;
	r = walk_sub(w, p, name, dir_a, dir_b);
	if (r == 0 && !what && in_a && w->c->times && w->out->n == before + 1)
		free(w->out->v[--w->out->n].path);
	return r;
}

/* Seen to as a whole by whoever starts a container. */
static bool is_apart(const struct walk *w)
{
	const char *path = w->path.data;

	return w->c->whole &&
	       (str_eq(path, "/dev") || str_eq(path, "/proc") || str_eq(path, "/sys"));
}

static int walk_dir(struct walk *w, const struct pair *p)
{
	_cleanup_strv_ struct strv names = {};
	size_t len = w->path.len;
	int r = list_both(w, p, &names);

	for (size_t i = 0; i < names.n && r == 0; i++) {
		buf_printf(&w->path, "/%s", names.v[i]);
		if (w->path.oom)
			return -ENOMEM;
		if (!is_apart(w))
			r = compare_name(w, p, names.v[i]);
		w->path.len = len;
		w->path.data[len] = '\0';
	}
	return r;
}

int compare_trees(const struct compare *c, struct differences *out, struct err *e)
{
	struct walk w = {.c = c, .out = out};
	const struct pair p = {.a = c->a, .b = c->b, .upper = c->upper};
	unsigned what;
	struct stat a, b;
	int r = 0;

	*out = (struct differences){};
	if (!look(c->in_a, c->a, "", &a) || !look(c->in_b, c->b, "", &b))
		return err_set(e, errno, "comparing files");
	what = differ(&w, &p, "", &a, &b);
	if (what && !c->times) /* engines do not tell of the root itself */
		r = add(&w, 'C', what, &a, &b);
	if (r == 0 && S_ISDIR(a.st_mode) && S_ISDIR(b.st_mode))
		r = walk_dir(&w, &p);
	buf_done(&w.path);
	return r < 0 ? err_set(e, r, "comparing files") : 0;
}

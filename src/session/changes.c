#include "session/changes.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "session/copy.h"

enum { NAMES_MAX = 1 << 20 };

struct walk {
	const struct plan *p;
	change_fn *fn;
	void *data;
	bool cut;
	struct buf path; /* of the directory we are in, without a slash at its end */
	int depth;
};

static int walk_dir(struct walk *w, int upper, int lower, bool opaque);

static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

/* "trusted.overlay.opaque" = "y": nothing of the directory below is to be seen. */
static bool is_opaque(int dir)
{
	char path[40], value[4];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", dir);
	return getxattr(path, "trusted.overlay.opaque", value, sizeof(value)) == 1 &&
	       value[0] == 'y';
}

/* One of the view's mounts is at `path`, or (`below`) somewhere below it. */
static const struct cow_mount *mount_at(const struct plan *p, const char *path, bool below)
{
	size_t n = strlen(path);

	for (size_t i = 0; i < p->cow.n; i++) {
		const char *dest = p->cow.v[i].dest;

		if (strncmp(dest, path, n) == 0 && (dest[n] == '\0' || (below && dest[n] == '/')))
			return &p->cow.v[i];
	}
	return NULL;
}

static bool same_link(int a, int b, const char *name)
{
	char x[PATH_MAX], y[PATH_MAX];

	return link_read_at(a, name, x, sizeof(x)) >= 0 &&
	       link_read_at(b, name, y, sizeof(y)) >= 0 && str_eq(x, y);
}

/* The same file but for where it lies. `lower` is the directory it was in, or (`itself`) the file.
 */
static bool same_file(int upper, const char *name, const struct stat *st, int lower, bool itself,
		      const struct stat *was)
{
	_cleanup_close_ int a = -EBADF, b = -EBADF;
	char text[40];

	if (st->st_mode != was->st_mode || st->st_uid != was->st_uid || st->st_gid != was->st_gid ||
	    st->st_rdev != was->st_rdev)
		return false;
	if (S_ISLNK(st->st_mode))
		return same_link(upper, lower, name);
	if (!S_ISREG(st->st_mode))
		return true;
	if (st->st_size != was->st_size || st->st_mtim.tv_sec != was->st_mtim.tv_sec ||
	    st->st_mtim.tv_nsec != was->st_mtim.tv_nsec)
		return false;
	a = openat(upper, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (!itself) {
		b = openat(lower, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	} else {
		snprintf(text, sizeof(text), "/proc/self/fd/%d", lower);
		b = open(text, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	}
	return a >= 0 && b >= 0 && same_bytes(a, b);
}

static int say(struct walk *w, char kind, int upper, const char *name, const struct stat *st)
{
	struct change c = {.kind = kind, .path = w->path.data};

	if (st)
		c.st = *st;
	return w->fn(&c, upper, name, w->data);
}

static int walk_subdir(struct walk *w, int upper, int lower, const char *name)
{
	_cleanup_close_ int up = -EBADF, low = -EBADF;
	int r;

	if (w->depth == CHANGES_DEPTH) {
		w->cut = true;
		return 0;
	}
	up = openat(upper, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (up < 0)
		return -errno;
	if (lower >= 0)
		low = openat(lower, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	w->depth++;
	r = walk_dir(w, up, low, low >= 0 && is_opaque(up));
	w->depth--;
	return r;
}

/* Which of the session's own making is there because something is mounted on it. */
static bool is_ours(const struct walk *w, bool was)
{
	static const char *const own[] = {"/dev", "/proc", "/sys"};

	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (str_eq(w->path.data, own[i]))
			return true;
	return !was && mount_at(w->p, w->path.data, true);
}

/* One entry of an upper directory; w->path is its path. */
static int walk_entry(struct walk *w, int upper, int lower, const char *name)
{
	const struct cow_mount *m = w->p->store ? mount_at(w->p, w->path.data, false) : NULL;
	struct stat st, old;
	bool was, both;
	char kind;
	int r = 0;

	if (fstatat(upper, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	was = lower >= 0 && fstatat(lower, name, &old, AT_SYMLINK_NOFOLLOW) == 0;
	if (is_whiteout(&st))
		return was ? say(w, 'D', upper, name, NULL) : 0;
	if (m && m->how == COW_COPY && fstat(m->fd, &old) == 0) {
		return same_file(upper, name, &st, m->fd, true, &old)
			       ? 0
			       : say(w, 'C', upper, name, &st);
	}
	both = was && S_ISDIR(st.st_mode) && S_ISDIR(old.st_mode);
	kind = was ? 'C' : 'A';
	if (both ? st.st_mode != old.st_mode || st.st_uid != old.st_uid || st.st_gid != old.st_gid
		 : !was || !same_file(upper, name, &st, lower, false, &old))
		r = is_ours(w, was) ? 0 : say(w, kind, upper, name, &st);
	if (r == 0 && S_ISDIR(st.st_mode))
		r = walk_subdir(w, upper, both ? lower : -EBADF, name);
	return r;
}

/* With the entry's name at the end of w->path. */
static int with_name(struct walk *w, const char *name, int upper, int lower, bool only_deleted)
{
	size_t len = w->path.len;
	struct stat st;
	int r = 0;

	buf_putc(&w->path, '/');
	buf_puts(&w->path, name);
	if (w->path.oom)
		return -ENOMEM;
	if (!only_deleted)
		r = walk_entry(w, upper, lower, name);
	else if (fstatat(upper, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		r = say(w, 'D', upper, name, NULL);
	w->path.len = len;
	w->path.data[len] = '\0';
	return r;
}

/* Each name of `fd`, which stays the caller's. `only_deleted`: those that are in `lower` and not
 * in `upper`. */
static int each_name(struct walk *w, int upper, int lower, bool only_deleted)
{
	_cleanup_close_ int fd =
		openat(only_deleted ? lower : upper, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_dir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;
	int n = 0, r = 0;

	if (!d)
		return -errno;
	TAKE_FD(fd);
	while (r == 0 && (de = readdir(d))) {
		if (str_eq(de->d_name, ".") || str_eq(de->d_name, ".."))
			continue;
		if (only_deleted && ++n > NAMES_MAX) {
			w->cut = true;
			break;
		}
		r = with_name(w, de->d_name, upper, lower, only_deleted);
	}
	return r;
}

static int walk_dir(struct walk *w, int upper, int lower, bool opaque)
{
	int r = each_name(w, upper, lower, false);

	return r == 0 && opaque ? each_name(w, upper, lower, true) : r;
}

/* What lies below the overlay NAME: the root (0), or a mount. */
static int open_lower(const struct plan *p, unsigned long name)
{
	const struct cow_mount *m = name && name <= p->cow.n ? &p->cow.v[name - 1] : NULL;

	if (name == 0)
		return openat(p->root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!m)
		return -ENOENT;
	return m->fd >= 0 ? openat(m->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
			  : path_open_in_root(p->root_fd, m->dest, O_RDONLY | O_DIRECTORY);
}

static int walk_overlay(struct walk *w, int scratch, const char *name)
{
	_cleanup_free_ char *u = str_fmt("%s/u", name), *d = str_fmt("%s/d", name);
	_cleanup_close_ int upper = -EBADF, lower = -EBADF;
	char dest[PATH_MAX];

	if (!u || !d)
		return -ENOMEM;
	upper = openat(scratch, u, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (upper < 0 || link_read_at(scratch, d, dest, sizeof(dest)) < 0)
		return 0; /* it was not mounted after all */
	lower = open_lower(w->p, strtoul(name, NULL, 10));
	w->path.len = 0;
	buf_puts(&w->path, str_eq(dest, "/") ? "" : dest);
	return w->path.oom ? -ENOMEM : walk_dir(w, upper, lower < 0 ? -EBADF : lower, false);
}

int changes_walk(const struct plan *p, const struct overlay_scratch *s, change_fn *fn, void *data,
		 bool *cut, struct err *e)
{
	_cleanup_close_ int fd = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_dir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct walk w = {.p = p, .fn = fn, .data = data};
	struct dirent *de;
	int r = d ? 0 : -errno;

	if (d)
		TAKE_FD(fd);
	while (r == 0 && (de = readdir(d)))
		if (de->d_name[0] >= '0' && de->d_name[0] <= '9')
			r = walk_overlay(&w, s->dir, de->d_name);
	buf_done(&w.path);
	if (cut)
		*cut = w.cut;
	return r < 0 && e && !e->num ? err_set(e, r, "finding what the session changed") : r;
}

/* --- as a list --- */

void changes_done(struct changes *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->v[i].path);
	free(c->v);
	*c = (struct changes){};
}

static int add(const struct change *c, int dir, const char *name, void *data)
{
	struct changes *l = data;

	(void)dir;
	(void)name;
	if (l->n == CHANGES_MAX) {
		l->cut = true;
		return 0;
	}
	if (l->n % 256 == 0) {
		void *v = reallocarray(l->v, l->n + 256, sizeof(*l->v));

		if (!v)
			return -ENOMEM;
		l->v = v;
	}
	l->v[l->n] = *c;
	l->v[l->n].path = strdup(c->path);
	return l->v[l->n].path ? (l->n++, 0) : -ENOMEM;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct change *)a)->path, ((const struct change *)b)->path);
}

int changes_read(const struct plan *p, const struct overlay_scratch *s, struct changes *out,
		 struct err *e)
{
	bool cut = false;
	int r;

	*out = (struct changes){};
	r = changes_walk(p, s, add, out, &cut, e);
	out->cut = out->cut || cut;
	if (out->n)
		qsort(out->v, out->n, sizeof(*out->v), by_path);
	return r;
}

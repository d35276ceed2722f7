#include "session/changes.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "session/copy.h"
#include "session/pieces.h"

enum { NAMES_MAX = 1 << 20, WALK_STACK = 4 << 20 };

struct walk {
	const struct plan *p;
	change_fn *fn;
	void *data;
	bool cut;
	struct buf path; /* of the directory we are in, without a slash at its end */
	int depth;
	bool whole; /* not an upper directory, but a copy: what is not there was deleted */
	const struct strv *mounts; /* where the pieces of the view are */
	int scratch;
	int result; /* of a walk in another process */
};

static int walk_dir(struct walk *w, int upper, int lower, bool opaque);

static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

/* What a copy leaves out. */
static bool is_special(const struct stat *st)
{
	return S_ISSOCK(st->st_mode) || S_ISBLK(st->st_mode) || S_ISCHR(st->st_mode);
}

/* "y": nothing of the directory below is to be seen. */
static bool is_opaque(const struct walk *w, int dir)
{
	const char *mark = w->p->user_xattr ? "user.overlay.opaque" : "trusted.overlay.opaque";
	char path[40], value[4];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", dir);
	return getxattr(path, mark, value, sizeof(value)) == 1 && value[0] == 'y';
}

static const struct cow_mount *mount_at(const struct plan *p, const char *path)
{
	for (size_t i = 0; i < p->cow.n; i++)
		if (str_eq(p->cow.v[i].dest, path))
			return &p->cow.v[i];
	return NULL;
}

/* One of the view's mounts is at `path`, or somewhere below it. */
static bool holds_mount(const struct plan *p, const char *path)
{
	for (size_t i = 0; i < p->cow.n; i++)
		if (path_below(p->cow.v[i].dest, path))
			return true;
	return false;
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

static bool same_stat(const struct stat *a, const struct stat *b)
{
	return a->st_mode == b->st_mode && a->st_uid == b->st_uid && a->st_gid == b->st_gid &&
	       a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* The session's copy of a file is as it was made; its source may have been written to since, as
 * engines do with /etc/hosts, and then only its size and times can tell. */
static bool same_copy(const struct walk *w, int upper, const char *name, const struct stat *st,
		      const struct cow_mount *m)
{
	_cleanup_close_ int from = pieces_source(w->p, m);
	struct stat now;

	if (from < 0 || fstat(from, &now) < 0 || !same_stat(&now, &m->was))
		return same_stat(st, &m->was);
	return same_file(upper, name, st, from, true, &now);
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
	r = walk_dir(w, up, low, low >= 0 && (w->whole || is_opaque(w, up)));
	w->depth--;
	return r;
}

/* The session could not see it: something else lies over it. */
static bool is_covered(const struct walk *w)
{
	static const char *const own[] = {"/dev", "/proc", "/sys"};

	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (str_eq(w->path.data, own[i]))
			return true;
	return w->whole && strv_has(w->mounts, w->path.data);
}

/* One entry of an upper directory; w->path is its path. */
static int walk_entry(struct walk *w, int upper, int lower, const char *name)
{
	/* without root what runs shows its files with owners of its own user namespace: what lies
	 * below the view is compared with, which has the same */
	const struct cow_mount *m =
		w->p->store || !w->p->rootless ? mount_at(w->p, w->path.data) : NULL;
	struct stat st, old;
	bool was, both;
	char kind;
	int r = 0;

	if (is_covered(w))
		return 0;
	if (fstatat(upper, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	was = lower >= 0 && fstatat(lower, name, &old, AT_SYMLINK_NOFOLLOW) == 0;
	if (is_whiteout(&st))
		return was ? say(w, 'D', upper, name, NULL) : 0;
	if (m && m->how == COW_COPY)
		return same_copy(w, upper, name, &st, m) ? 0 : say(w, 'C', upper, name, &st);
	both = was && S_ISDIR(st.st_mode) && S_ISDIR(old.st_mode);
	kind = was ? 'C' : 'A';
	if (both ? st.st_mode != old.st_mode || st.st_uid != old.st_uid || st.st_gid != old.st_gid
		 : !was || !same_file(upper, name, &st, lower, false, &old))
		/* what was missing to mount something on is our own making */
		r = !was && holds_mount(w->p, w->path.data) ? 0 : say(w, kind, upper, name, &st);
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
	else if (fstatat(upper, name, &st, AT_SYMLINK_NOFOLLOW) < 0 && !is_covered(w) &&
		 fstatat(lower, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		 !(w->whole && is_special(&st)))
		r = say(w, 'D', upper, name, NULL);
	w->path.len = len;
	w->path.data[len] = '\0';
	return r;
}

/* Each name of `fd`, which stays the caller's. `only_deleted`: those that are in `lower` and not
 * in `upper`. */
static int each_name(struct walk *w, int upper, int lower, bool only_deleted)
{
	_cleanup_dir_ DIR *d = dir_open(only_deleted ? lower : upper, ".");
	struct dirent *de;
	int n = 0, r = 0;

	if (!d)
		return -errno;
	while (r == 0 && (de = dir_next(d))) {
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

/* What lies below the piece at `dest`. */
static int open_lower(const struct plan *p, const char *dest)
{
	const struct cow_mount *m = mount_at(p, dest);

	if (str_eq(dest, "/"))
		return openat(p->root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (m && cow_source(m) >= 0)
		return openat(cow_source(m), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return path_open_in_root(p->root_fd, dest, O_RDONLY | O_DIRECTORY);
}

/* NAME/u is an upper directory, NAME/t a copy. */
static int open_piece(int scratch, const char *name, bool *whole)
{
	_cleanup_free_ char *u = str_fmt("%s/u", name), *t = str_fmt("%s/t", name);
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int r;

	if (!u || !t)
		return -ENOMEM;
	r = openat(scratch, u, flags);
	*whole = r < 0;
	if (r < 0)
		r = openat(scratch, t, flags);
	return r < 0 ? -errno : r;
}

static int dest_of(int scratch, const char *name, char *dest, size_t size)
{
	_cleanup_free_ char *link = str_fmt("%s/d", name);

	return link ? (int)link_read_at(scratch, link, dest, size) : -ENOMEM;
}

static int walk_piece(struct walk *w, int scratch, const char *name)
{
	_cleanup_close_ int upper = -EBADF, lower = -EBADF;
	const struct cow_mount *m;
	char dest[PATH_MAX];

	if (dest_of(scratch, name, dest, sizeof(dest)) < 0)
		return 0; /* it was not mounted after all */
	upper = open_piece(scratch, name, &w->whole);
	if (upper < 0)
		return 0;
	m = mount_at(w->p, dest);
	if (!m || m->how != COW_TMPFS) /* which hides what lies below */
		lower = open_lower(w->p, dest);
	if (lower < 0)
		lower = -EBADF;
	w->path.len = 0;
	buf_puts(&w->path, str_eq(dest, "/") ? "" : dest);
	return w->path.oom ? -ENOMEM : walk_dir(w, upper, lower, w->whole && lower >= 0);
}

/* The names of all pieces, and where each is. */
static int list_pieces(const struct plan *p, int scratch, struct strv *names, struct strv *mounts)
{
	_cleanup_dir_ DIR *d = dir_open(scratch, ".");
	char dest[PATH_MAX];
	struct dirent *de;
	int r = 0;

	if (!d)
		return -errno;
	while (r == 0 && (de = readdir(d))) {
		if (de->d_name[0] < '0' || de->d_name[0] > '9')
			continue;
		r = strv_add(names, de->d_name);
		if (r == 0 && dest_of(scratch, de->d_name, dest, sizeof(dest)) > 0)
			r = strv_add(mounts, dest);
	}
	for (size_t i = 0; i < p->cow.n && r == 0; i++)
		r = strv_add(mounts, p->cow.v[i].dest);
	return r;
}

static int walk_all(struct walk *w)
{
	_cleanup_strv_ struct strv names = {}, mounts = {};
	int r = list_pieces(w->p, w->scratch, &names, &mounts);

	w->mounts = &mounts;
	for (size_t i = 0; i < names.n && r == 0; i++)
		r = walk_piece(w, w->scratch, names.v[i]);
	buf_done(&w->path);
	return r;
}

/* [child] shares our memory and descriptors, and nothing else */
static int walk_child(void *arg)
{
	struct walk *w = arg;

	w->result = setns(w->p->changes_ns, CLONE_NEWUSER) < 0 ? -errno : walk_all(w);
	_exit(0);
}

/* Without root the files of other ids than ours can be read in the user namespace that has them. */
static int walk_inside(struct walk *w)
{
	_cleanup_free_ char *stack = malloc(WALK_STACK);
	pid_t pid;

	w->result = -EIO;
	pid = stack ? clone(walk_child, stack + WALK_STACK,
			    CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, w)
		    : -1;
	if (pid < 0)
		return -errno;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return w->result;
}

int changes_walk(const struct plan *p, const struct overlay_scratch *s, change_fn *fn, void *data,
		 bool *cut, struct err *e)
{
	struct walk w = {.p = p, .scratch = s->dir, .fn = fn, .data = data};
	int r = p->changes_ns >= 0 ? walk_inside(&w) : walk_all(&w);

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

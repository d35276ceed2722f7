#include "store/below.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"

#define OPAQUE	  "trusted.overlay.opaque"
#define TIMES_MAX ((size_t)64 << 20) /* bytes of paths whose times are kept for later */
enum { LINKS_MAX = 40 };

void below_done(struct below *t)
{
	for (size_t i = 0; i < t->n_times; i++)
		free(t->times[i].path);
	free(t->times);
	free(t->asked);
	buf_done(&t->real);
	cleanup_close(&t->parent);
	*t = BELOW_INIT(-EBADF);
}

/* Open a path that has no link and no `..`; O_NOFOLLOW with O_PATH yields the last one's link. */
static int open_real(int root, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_NOFOLLOW | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	int fd = (int)syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

/* Take the last component off a path. */
static void pop(struct buf *b)
{
	while (b->len > 0 && b->data[--b->len] != '/')
		;
	if (b->data)
		b->data[b->len] = '\0';
}

static void push(struct buf *b, const char *name, size_t n)
{
	if (b->len)
		buf_putc(b, '/');
	buf_add(b, name, n);
}

int below_clean(const char *name, char **out)
{
	_cleanup_buf_ struct buf b = {};
	size_t n;

	for (name += strspn(name, "/"); *name; name += n, name += strspn(name, "/")) {
		n = strcspn(name, "/");
		if (n > NAME_MAX || b.len + n + 2 > PATH_MAX)
			return -ENAMETOOLONG;
		if (n == 1 && name[0] == '.')
			continue;
		if (n != 2 || name[0] != '.' || name[1] != '.')
			push(&b, name, n);
		else if (b.len == 0)
			return -EXDEV;
		else
			pop(&b);
	}
	*out = buf_take(&b);
	return *out ? 0 : -ENOMEM;
}

bool below_is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

int below_opaque(int dir, const char *name)
{
	_cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return fsetxattr(fd, OPAQUE, "y", 1, 0) < 0 ? -errno : 0;
}

bool below_is_opaque(int dir_fd)
{
	char self[sizeof("/proc/self/fd/-2147483648")], v[2];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", dir_fd);
	return getxattr(self, OPAQUE, v, sizeof(v)) == 1 && v[0] == 'y';
}

/* A walk towards a directory: what is real so far, and what is still to come. */
struct walk {
	struct below *t;
	struct buf *real;
	struct buf rest;
	unsigned links;
};

/* Put a link's text before the rest; `real` ends in the link. */
static int follow(struct walk *w, const char *text)
{
	char *rest;

	if (++w->links > LINKS_MAX)
		return -ELOOP;
	pop(w->real);
	if (*text == '/')
		w->real->len = 0;
	if (w->real->data)
		w->real->data[w->real->len] = '\0';
	rest = str_fmt("%s/%s", text, w->rest.data ? w->rest.data : "");
	buf_done(&w->rest);
	if (!rest)
		return -ENOMEM;
	w->rest = (struct buf){.data = rest, .len = strlen(rest), .size = strlen(rest) + 1};
	return w->rest.len >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static int make_dir(struct walk *w, const struct stat *like, bool opaque)
{
	_cleanup_close_ int fd = -EBADF;
	struct timespec times[2];
	char *path = w->real->data;

	if (mkdirat(w->t->root, path, 0755) < 0)
		return -errno;
	fd = open_real(w->t->root, path, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return fd;
	if (opaque && fsetxattr(fd, OPAQUE, "y", 1, 0) < 0)
		return -errno;
	if (!like)
		return fchmod(fd, 0755) < 0 ? -errno : 0;
	times[0] = times[1] = like->st_mtim;
	if (fchown(fd, like->st_uid, like->st_gid) < 0 || fchmod(fd, like->st_mode & 07777) < 0 ||
	    futimens(fd, times) < 0)
		return -errno;
	return below_time_later(w->t, path, &like->st_mtim);
}

/* Nothing of the name is in this layer: as it is in the nearest below, link or directory. */
static int missing(struct walk *w)
{
	for (size_t i = 0; i < w->t->n_lower; i++) {
		_cleanup_close_ int fd = open_real(w->t->lower[i], w->real->data, O_PATH);
		char text[PATH_MAX];
		struct stat st;

		if (fd == -ENOENT)
			continue;
		if (fd < 0 || fstat(fd, &st) < 0)
			break;
		if (S_ISDIR(st.st_mode))
			return make_dir(w, &st, false);
		if (S_ISLNK(st.st_mode) && link_read_at(fd, "", text, sizeof(text)) > 0)
			return follow(w, text);
		break;
	}
	return make_dir(w, NULL, false);
}

/* One component further. */
static int step(struct walk *w, const char *name, size_t n)
{
	_cleanup_close_ int fd = -EBADF;
	char text[PATH_MAX];
	struct stat st;
	int r;

	if (n == 1 && name[0] == '.')
		return 0;
	if (n == 2 && name[0] == '.' && name[1] == '.') {
		pop(w->real);
		return 0;
	}
	push(w->real, name, n);
	if (w->real->oom || n > NAME_MAX || w->real->len >= PATH_MAX)
		return w->real->oom ? -ENOMEM : -ENAMETOOLONG;
	fd = open_real(w->t->root, w->real->data, O_PATH);
	if (fd == -ENOENT)
		return missing(w);
	if (fd < 0 || fstat(fd, &st) < 0)
		return fd < 0 ? fd : -errno;
	if (S_ISDIR(st.st_mode))
		return 0;
	if (S_ISLNK(st.st_mode)) {
		r = (int)link_read_at(fd, "", text, sizeof(text));
		return r < 0 ? r : follow(w, text);
	}
	/* a file where a directory was meant: the later one holds */
	if (unlinkat(w->t->root, w->real->data, 0) < 0)
		return -errno;
	return make_dir(w, NULL, below_is_whiteout(&st));
}

/* The directory `path`, made where it is missing; its real path in *real. */
static int walk(struct below *t, const char *path, struct buf *real)
{
	struct walk w = {.t = t, .real = real};
	int r = 0;

	buf_puts(&w.rest, path);
	while (r == 0 && w.rest.len && !w.rest.oom) {
		size_t slashes = strspn(w.rest.data, "/"), n = strcspn(w.rest.data + slashes, "/");
		char name[NAME_MAX + 1];

		if (n > NAME_MAX) {
			r = -ENAMETOOLONG;
			break;
		}
		memcpy(name, w.rest.data + slashes, n);
		name[n] = '\0';
		w.rest.len -= slashes + n;
		memmove(w.rest.data, w.rest.data + slashes + n, w.rest.len + 1);
		if (n)
			r = step(&w, name, n);
	}
	if (w.rest.oom)
		r = -ENOMEM;
	buf_done(&w.rest);
	return r;
}

/* Make t->parent the directory `path`. */
static int enter(struct below *t, const char *path)
{
	char *asked;
	int fd, r;

	if (t->asked && strcmp(t->asked, path) == 0)
		return 0;
	free(TAKE_PTR(t->asked));
	cleanup_close(&t->parent);
	buf_done(&t->real);
	fd = t->parent = open_real(t->root, path, O_PATH | O_DIRECTORY);
	if (fd >= 0) {
		buf_puts(&t->real, path);
	} else {
		r = walk(t, path, &t->real);
		if (r < 0)
			return r;
		t->parent =
			open_real(t->root, t->real.data ? t->real.data : "", O_PATH | O_DIRECTORY);
		if (t->parent < 0)
			return t->parent;
	}
	asked = strdup(path);
	t->asked = asked;
	return asked && !t->real.oom ? 0 : -ENOMEM;
}

int below_place(struct below *t, const char *path, struct place *out)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *dir = strndup(path, slash ? (size_t)(slash - path) : 0);
	int r = dir ? enter(t, dir) : -ENOMEM;

	if (r < 0)
		return r;
	*out = (struct place){.dir = t->parent, .name = slash ? slash + 1 : *path ? path : "."};
	out->there = fstatat(out->dir, out->name, &out->st, AT_SYMLINK_NOFOLLOW) == 0;
	return out->there || errno == ENOENT ? 0 : -errno;
}

int below_find(const struct below *t, const char *path)
{
	return path_open_in_root(t->root, *path ? path : ".", O_PATH | O_NOFOLLOW);
}

/* Remove all that is in a directory but directories that are not empty: the name of one of those
 * is left in `name`. 1; 0 when it is empty now, -errno. */
static int empty_dir(int fd, char name[NAME_MAX + 1])
{
	_cleanup_dir_ DIR *d = dir_take(fd);
	struct dirent *de;

	if (!d)
		return -errno;
	while ((de = dir_next(d))) {
		if (unlinkat(dirfd(d), de->d_name, 0) == 0 || errno == ENOENT)
			continue;
		if (errno == EISDIR && unlinkat(dirfd(d), de->d_name, AT_REMOVEDIR) == 0)
			continue;
		if (errno != ENOTEMPTY)
			return -errno;
		snprintf(name, NAME_MAX + 1, "%s", de->d_name);
		return 1;
	}
	return 0;
}

int below_remove(int root, const char *path)
{
	_cleanup_buf_ struct buf p = {};
	size_t top = strlen(path);
	int r = 0;

	if (unlinkat(root, path, 0) == 0 || errno == ENOENT)
		return 0;
	buf_puts(&p, path);
	/* one directory open at a time, however deep it is */
	while (r >= 0 && !p.oom) {
		char name[NAME_MAX + 1];
		int fd = open_real(root, p.data, O_RDONLY | O_DIRECTORY);

		r = fd < 0 ? fd : empty_dir(fd, name);
		if (r > 0) {
			push(&p, name, strlen(name));
		} else if (r == 0) {
			/* not empty: it was changed below the reader, which looks again */
			if (unlinkat(root, p.data, AT_REMOVEDIR) < 0 && errno != ENOTEMPTY)
				return -errno;
			if (faccessat(root, p.data, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
				continue;
			if (p.len == top)
				return 0;
			pop(&p);
		}
	}
	return p.oom ? -ENOMEM : r;
}

int below_clear(struct below *t, struct place *p)
{
	_cleanup_buf_ struct buf path = {};
	int r;

	if (!p->there || str_eq(p->name, "."))
		return p->there ? -EBUSY : 0;
	p->there = false;
	if (!S_ISDIR(p->st.st_mode))
		return unlinkat(p->dir, p->name, 0) < 0 ? -errno : 0;
	if (unlinkat(p->dir, p->name, AT_REMOVEDIR) == 0)
		return 0;
	buf_add(&path, t->real.data ? t->real.data : "", t->real.len);
	push(&path, p->name, strlen(p->name));
	r = path.oom ? -ENOMEM : below_remove(t->root, path.data);
	return r;
}

int below_time_later(struct below *t, const char *path, const struct timespec *mtime)
{
	size_t n = strlen(path) + sizeof(struct below_time);
	void *v;

	if (t->bytes_times + n > TIMES_MAX)
		return 0;
	if (!(t->n_times & (t->n_times - 1))) {
		v = reallocarray(t->times, t->n_times ? t->n_times * 2 : 1, sizeof(*t->times));
		if (!v)
			return -ENOMEM;
		t->times = v;
	}
	t->times[t->n_times].path = strdup(path);
	if (!t->times[t->n_times].path)
		return -ENOMEM;
	t->times[t->n_times++].mtime = *mtime;
	t->bytes_times += n;
	return 0;
}

void below_times_now(struct below *t)
{
	for (size_t i = 0; i < t->n_times; i++) {
		struct timespec times[2] = {t->times[i].mtime, t->times[i].mtime};
		/* it may have become something else: then it is no directory, or a later one */
		_cleanup_close_ int fd =
			open_real(t->root, t->times[i].path, O_RDONLY | O_DIRECTORY);

		if (fd >= 0)
			futimens(fd, times);
	}
}

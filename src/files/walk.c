#include "files/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

#ifndef MQUEUE_MAGIC
#define MQUEUE_MAGIC 0x19800202
#endif

/* A directory that is being read. */
struct level {
	DIR *d;
	struct strv names; /* when sorted */
	size_t at;	   /* in names */
	size_t path;	   /* length of its path */
	struct walk_entry e;
};

struct walk {
	const struct walk_how *how;
	const struct walk_ops *ops;
	void *data;
	struct level *v;
	size_t n, size;
	char *path;
	size_t path_len, path_size;
	dev_t dev;    /* of the top */
	bool kernels; /* what the top is on */
};

static void walk_done(struct walk *w)
{
	for (; w->n; w->n--) {
		strv_done(&w->v[w->n - 1].names);
		closedir(w->v[w->n - 1].d);
	}
	free(w->v);
	free(w->path);
}

/* Each level takes two descriptors, of the many we may have. */
static void raise_limit(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max) {
		l.rlim_cur = l.rlim_max;
		setrlimit(RLIMIT_NOFILE, &l);
	}
}

static int failed(struct walk *w, int r)
{
	if (r == -ENOENT || !w->ops->failed)
		return 0;
	return w->ops->failed(w->path, r, w->data);
}

/* The path of `name` in the directory whose path is `len` long. */
static int set_path(struct walk *w, size_t len, const char *name)
{
	size_t need = len + strlen(name) + 2;

	if (need > w->path_size) {
		char *p = realloc(w->path, need * 2);

		if (!p)
			return -ENOMEM;
		w->path = p;
		w->path_size = need * 2;
	}
	if (len)
		w->path[len++] = '/';
	strcpy(w->path + len, name);
	w->path_len = strlen(w->path);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static const char *next_name(struct level *l)
{
	struct dirent *de;

	if (l->names.v)
		return l->at < l->names.n ? l->names.v[l->at++] : NULL;
	errno = 0;
	de = dir_next(l->d);
	return de ? de->d_name : NULL;
}

static int load_sorted(struct level *l)
{
	struct strv names = {};
	const char *name;
	int r = 0;

	while (r == 0 && (name = next_name(l)))
		r = strv_add(&names, name);
	if (r == 0 && errno)
		r = -errno;
	if (names.n)
		qsort(names.v, names.n, sizeof(*names.v), by_name);
	l->names = names;
	return r;
}

/* Go into the directory `e`, whose descriptor is taken over. */
static int go_down(struct walk *w, const struct walk_entry *e)
{
	struct level *l;

	if (w->n == w->size) {
		size_t size = w->size ? w->size * 2 : 16;
		void *v = reallocarray(w->v, size, sizeof(*w->v));

		if (!v)
			return close(e->fd), -ENOMEM;
		w->v = v;
		w->size = size;
	}
	l = &w->v[w->n];
	*l = (struct level){.d = dir_take(e->fd), .path = w->path_len, .e = *e};
	if (!l->d)
		return -errno;
	w->n++;
	return w->how->sorted ? load_sorted(l) : 0;
}

/* Open a directory, and say in `st` what that is. 0, or -errno. */
static int open_dir(struct walk_entry *e)
{
	e->fd = openat(e->dir, *e->name ? e->name : ".",
		       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (e->fd < 0 || fstat(e->fd, &e->st) < 0)
		return -errno;
	return 0;
}

bool walk_is_kernels(int fd)
{
	static const long kinds[] = {
		PROC_SUPER_MAGIC,   SYSFS_MAGIC,   CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC,
		DEVPTS_SUPER_MAGIC, DEBUGFS_MAGIC, TRACEFS_MAGIC,      BPF_FS_MAGIC,
		SECURITYFS_MAGIC,   MQUEUE_MAGIC,
	};
	struct statfs fs;

	if (fd < 0 || fstatfs(fd, &fs) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if ((long)fs.f_type == kinds[i])
			return true;
	return false;
}

/* It is on another file system than the top. */
static bool is_left_out(const struct walk *w, const struct walk_entry *e)
{
	return w->how->xdev || (w->how->files && !w->kernels && walk_is_kernels(e->fd));
}

static int visit(struct walk *w, struct walk_entry *e)
{
	int r = fstatat(e->dir, e->name, &e->st, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0 ? -errno
											  : 0;

	if (r == 0 && S_ISDIR(e->st.st_mode)) {
		r = open_dir(e);
		if (r == -ENOTDIR || r == -ELOOP) /* something else by now */
			r = fstatat(e->dir, e->name, &e->st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
	}
	if (r < 0) {
		cleanup_close(&e->fd);
		return e->depth ? failed(w, r) : r;
	}
	if (e->depth == 0) {
		w->dev = e->st.st_dev;
		w->kernels = walk_is_kernels(e->fd);
	}
	e->path = w->path;
	r = w->ops->entry(e, w->data);
	if (r != 0 || e->fd < 0) {
		cleanup_close(&e->fd);
		return r < 0 ? r : 0;
	}
	if (e->depth >= (w->how->max_depth ? w->how->max_depth : WALK_DEPTH_MAX) ||
	    (e->st.st_dev != w->dev && is_left_out(w, e))) {
		r = !w->how->max_depth && e->depth >= WALK_DEPTH_MAX ? failed(w, -ENAMETOOLONG) : 0;
		if (w->ops->leave && r == 0)
			r = w->ops->leave(e, w->data);
		cleanup_close(&e->fd);
		return r;
	}
	r = go_down(w, e);
	return r < 0 && r != -ENOMEM ? failed(w, r) : r;
}

/* The next entry of the innermost directory, or its end. */
static int step(struct walk *w)
{
	struct level *l = &w->v[w->n - 1];
	const char *name = next_name(l);
	struct walk_entry e = {.fd = -EBADF, .mine = -1};
	int r = 0;

	if (name) {
		e.dir = l->e.fd;
		e.name = name;
		e.depth = l->e.depth + 1;
		e.up = l->e.mine;
		r = set_path(w, l->path, name);
		return r < 0 ? r : visit(w, &e);
	}
	w->path[l->path] = '\0';
	w->path_len = l->path;
	if (!l->names.v && errno)
		r = failed(w, -errno);
	l->e.path = w->path;
	l->e.name = l->e.depth ? strrchr(w->path, '/') : "";
	l->e.name = !l->e.name ? w->path : *l->e.name == '/' ? l->e.name + 1 : l->e.name;
	if (w->ops->leave && r == 0)
		r = w->ops->leave(&l->e, w->data);
	strv_done(&l->names);
	closedir(l->d);
	w->n--;
	return r;
}

/* After an error: each directory that was entered is left. */
static void leave_all(struct walk *w)
{
	while (w->n) {
		struct level *l = &w->v[w->n - 1];

		w->path[l->path] = '\0';
		l->e.path = l->e.name = w->path;
		if (w->ops->leave)
			w->ops->leave(&l->e, w->data);
		strv_done(&l->names);
		closedir(l->d);
		w->n--;
	}
}

int walk(int top, const struct walk_how *how, const struct walk_ops *ops, void *data)
{
	_cleanup_(walk_done) struct walk w = {.how = how, .ops = ops, .data = data};
	struct walk_entry e = {.dir = top, .name = "", .fd = -EBADF, .up = -1, .mine = -1};
	int r = set_path(&w, 0, "");

	raise_limit();
	if (r == 0)
		r = visit(&w, &e);
	while (r == 0 && w.n)
		r = step(&w);
	leave_all(&w);
	return r;
}

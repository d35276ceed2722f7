#include "inject/compare.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "inject/tree.h"
#include "session/copy.h"

enum { DEPTH_MAX = 128, ITEMS_MAX = 2000000, CONFLICTS_MAX = 10000 };

/* A directory of the source and where it goes. */
struct spot {
	int from;	  /* open for reading */
	const char *path; /* of it, in the source; "" is the root */
	const char *to;	  /* in the target */
	int there;	  /* the target's directory, O_PATH; negative: it is new */
	int depth;
};

/* One name of it. */
struct entry {
	const struct spot *in;
	const char *name;
	char *from, *to; /* its paths */
	struct stat st;
};

/* The first of several names of a file. */
struct inode {
	dev_t dev;
	ino_t ino;
	char *path;
};

struct walk {
	struct compare *c;
	struct inode *inodes;
	size_t n_inodes;
};

static int visit(struct walk *w, const struct spot *s, struct err *e);

void compare_done(struct compare *c)
{
	items_done(&c->items);
	for (size_t i = 0; i < c->n_conflicts; i++)
		free(c->conflicts[i].path);
	free(c->conflicts);
	strv_done(&c->elsewhere);
	*c = (struct compare){};
}

static char *join(const char *dir, const char *name)
{
	return *dir ? str_fmt("%s/%s", dir, name) : strdup(name);
}

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, "comparing what is to be put in with the container");
}

/* --- what is new --- */

static uint32_t id_outside(const struct idmap *m, uint32_t id)
{
	uint32_t out = m && m->n ? idmap_to_outside(m, id) : id;

	if (out == (uint32_t)-1) /* the container has no such id: its root's, then */
		out = idmap_to_outside(m, idmap_first_inside(m));
	return out;
}

/* The path of an earlier name of the same file, NULL: this is the first. */
static const char *earlier_name(struct walk *w, const struct entry *n)
{
	struct inode *v;

	if (n->st.st_nlink < 2 || !S_ISREG(n->st.st_mode))
		return NULL;
	for (size_t i = 0; i < w->n_inodes; i++)
		if (w->inodes[i].ino == n->st.st_ino && w->inodes[i].dev == n->st.st_dev)
			return w->inodes[i].path;
	v = w->n_inodes < ITEMS_MAX ? reallocarray(w->inodes, w->n_inodes + 1, sizeof(*w->inodes))
				    : NULL;
	if (v) {
		w->inodes = v;
		v[w->n_inodes] = (struct inode){n->st.st_dev, n->st.st_ino, strdup(n->to)};
		w->n_inodes += v[w->n_inodes].path != NULL;
	}
	return NULL;
}

static char kind_of(mode_t mode)
{
	return S_ISDIR(mode)	? 'd'
	       : S_ISREG(mode)	? 'f'
	       : S_ISLNK(mode)	? 'l'
	       : S_ISFIFO(mode) ? 'p'
				: '\0';
}

static int push(struct walk *w, struct item *i, struct err *e)
{
	if (w->c->items.n >= ITEMS_MAX) {
		item_done(i);
		return err_say(e, EFBIG, "there are more than %d files to put in", ITEMS_MAX);
	}
	return items_push(&w->c->items, i) ? 0 : no_memory(e);
}

/* The entry becomes an item; what is in a directory comes after it. */
static int add(struct walk *w, const struct entry *n, bool replaces, struct err *e)
{
	struct item i = {
		.kind = kind_of(n->st.st_mode),
		.replaces = replaces,
		.path = strdup(n->to),
		.from = strdup(n->from),
		.mode = n->st.st_mode & 07777,
		.uid = id_outside(w->c->uids, n->st.st_uid),
		.gid = id_outside(w->c->gids, n->st.st_gid),
		.mtime = n->st.st_mtim,
		.size = S_ISREG(n->st.st_mode) ? (uint64_t)n->st.st_size : 0,
		.seq = w->c->items.n,
	};
	const char *same = earlier_name(w, n);
	char link[PATH_MAX];
	ssize_t len;

	if (!i.kind) {
		item_done(&i);
		w->c->odd++;
		return 0;
	}
	if (same)
		i.same = strdup(same);
	if (i.kind == 'l') {
		len = link_read_at(n->in->from, n->name, link, sizeof(link));
		i.link = len > 0 ? strdup(link) : NULL;
	}
	if (!i.path || !i.from || (same && !i.same) || (i.kind == 'l' && !i.link)) {
		item_done(&i);
		return no_memory(e);
	}
	return push(w, &i, e);
}

static int add_new(struct walk *w, const struct entry *n, struct err *e)
{
	_cleanup_close_ int fd = -EBADF;
	int r = add(w, n, false, e);

	if (r < 0 || !S_ISDIR(n->st.st_mode))
		return r;
	fd = openat(n->in->from, n->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, errno, "reading %s", n->from);
	return visit(w, &(struct spot){fd, n->from, n->to, -EBADF, n->in->depth + 1}, e);
}

/* --- what is there already --- */

static int add_conflict(struct walk *w, const struct entry *n, const char *why, struct err *e)
{
	struct compare *c = w->c;
	struct conflict *v;

	if (c->n_conflicts >= CONFLICTS_MAX)
		return 0;
	v = reallocarray(c->conflicts, c->n_conflicts + 1, sizeof(*v));
	if (!v)
		return no_memory(e);
	c->conflicts = v;
	v[c->n_conflicts] = (struct conflict){strdup(n->to), why};
	return v[c->n_conflicts].path ? (c->n_conflicts++, 0) : no_memory(e);
}

/* Not the same. */
static int differ(struct walk *w, const struct entry *n, const struct stat *there, const char *why,
		  struct err *e)
{
	if (w->c->rule == COMPARE_KEEP || (w->c->yields && !S_ISDIR(n->st.st_mode))) {
		w->c->kept++;
		return 0;
	}
	if (w->c->rule == COMPARE_REPLACE && (S_ISREG(there->st_mode) || S_ISLNK(there->st_mode))) {
		w->c->need += (uint64_t)there->st_size; /* overlayfs copies it up to move it */
		if (!S_ISDIR(n->st.st_mode))
			return add(w, n, true, e);
	}
	return add_conflict(w, n, why, e);
}

/* The target's file at `path` has the bytes of the entry. */
static bool has_bytes(struct walk *w, const struct entry *n, const char *path)
{
	_cleanup_close_ int at = tree_open(w->c->root, path, O_PATH), theirs = -EBADF;
	_cleanup_close_ int ours = -EBADF;
	struct stat st;

	if (at < 0 || fstat(at, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size != n->st.st_size)
		return false;
	theirs = path_reopen(at);
	ours = openat(n->in->from, n->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return theirs >= 0 && ours >= 0 && same_bytes(theirs, ours);
}

static int meet_file(struct walk *w, const struct entry *n, const struct stat *there, struct err *e)
{
	_cleanup_free_ char *path = NULL;

	if (S_ISREG(there->st_mode))
		path = strdup(n->to);
	else if (S_ISLNK(there->st_mode) && tree_resolve(w->c->root, n->to, &path) < 0)
		path = NULL;
	if (path && has_bytes(w, n, path)) {
		w->c->same++;
		return 0;
	}
	return differ(w, n, there,
		      S_ISREG(there->st_mode)	? "another file"
		      : S_ISLNK(there->st_mode) ? "a link to something else"
		      : S_ISDIR(there->st_mode) ? "a directory"
						: "no regular file",
		      e);
}

/* Where the target has a directory and the source a link to `dir` (split and merged /usr): each
 * name of ours becomes a link in the target's, unless that name is taken. */
static int add_links(struct walk *w, const struct entry *n, const char *dir, struct err *e)
{
	_cleanup_close_ int fd = tree_open(w->c->source, dir, O_RDONLY | O_DIRECTORY);
	_cleanup_close_ int to = tree_open(w->c->root, n->to, O_PATH | O_DIRECTORY);
	_cleanup_dir_ DIR *d = fd < 0 || to < 0 ? NULL : fdopendir(fd);
	struct dirent *de;
	struct stat st;
	int r = 0;

	if (!d)
		return err_set(e, to < 0 ? -to : fd < 0 ? -fd : errno, "reading %s", dir);
	TAKE_FD(fd);
	while (r == 0 && (de = dir_next(d))) {
		struct item i = {.kind = 'l', .mode = 0777, .seq = w->c->items.n};

		if (fstatat(to, de->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
			w->c->kept++;
			continue;
		}
		i.uid = id_outside(w->c->uids, 0);
		i.gid = id_outside(w->c->gids, 0);
		i.mtime = n->st.st_mtim;
		i.path = join(n->to, de->d_name);
		i.link = str_fmt("/%s/%s", dir, de->d_name);
		if (!i.path || !i.link) {
			item_done(&i);
			return no_memory(e);
		}
		w->c->linked++;
		r = push(w, &i, e);
	}
	return r;
}

static int meet_link(struct walk *w, const struct entry *n, const struct stat *there, struct err *e)
{
	_cleanup_free_ char *ours = NULL, *theirs = NULL;
	char a[PATH_MAX], b[PATH_MAX];
	_cleanup_close_ int dir = -EBADF;

	if (S_ISLNK(there->st_mode) && link_read_at(n->in->from, n->name, a, sizeof(a)) > 0 &&
	    link_read_at(n->in->there, n->name, b, sizeof(b)) > 0 && str_eq(a, b)) {
		w->c->same++;
		return 0;
	}
	if (tree_resolve(w->c->source, n->from, &ours) == 0) {
		if (S_ISLNK(there->st_mode) && tree_resolve(w->c->root, n->to, &theirs) == 0 &&
		    str_eq(ours, theirs)) {
			w->c->same++;
			return 0;
		}
		dir = tree_open(w->c->source, ours, O_PATH | O_DIRECTORY);
		if (dir >= 0 && S_ISDIR(there->st_mode))
			return add_links(w, n, ours, e);
	}
	return differ(w, n, there,
		      S_ISLNK(there->st_mode)	? "a link to something else"
		      : S_ISDIR(there->st_mode) ? "a directory"
						: "a file",
		      e);
}

/* A directory where there is a directory, or a link to one. */
static int meet_dir(struct walk *w, const struct entry *n, const struct stat *there, struct err *e)
{
	_cleanup_close_ int fd = -EBADF, to = -EBADF;
	_cleanup_free_ char *path = NULL;

	if (S_ISLNK(there->st_mode) && tree_resolve(w->c->root, n->to, &path) < 0)
		return differ(w, n, there, "a link that leads to no directory", e);
	if (!path)
		path = strdup(n->to);
	to = path ? tree_open(w->c->root, path, O_PATH | O_DIRECTORY) : -ENOMEM;
	if (to < 0)
		return differ(w, n, there, "a file", e);
	fd = openat(n->in->from, n->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, errno, "reading %s", n->from);
	return visit(w, &(struct spot){fd, n->from, path, to, n->in->depth + 1}, e);
}

static int meet(struct walk *w, const struct entry *n, const struct stat *there, struct err *e)
{
	char kind = kind_of(n->st.st_mode);

	if (kind == 'd')
		return meet_dir(w, n, there, e);
	if (kind == 'l')
		return meet_link(w, n, there, e);
	if (kind == 'f')
		return meet_file(w, n, there, e);
	if (kind == 'p' && S_ISFIFO(there->st_mode))
		w->c->same++;
	else if (kind == 'p')
		return differ(w, n, there, "no FIFO", e);
	else
		w->c->odd++;
	return 0;
}

/* --- the walk --- */

/* The kernel's and the engine's own: nothing is put in there. */
static bool is_left_out(const char *path)
{
	static const char *const files[] = {".dockerenv", "lost+found", ".dockerinit"};
	static const char *const below[] = {"dev/", "proc/", "sys/"};

	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (str_eq(path, files[i]))
			return true;
	for (size_t i = 0; i < ARRAY_LEN(below); i++)
		if (str_starts(path, below[i]))
			return true;
	return str_starts(path, ".porthole-");
}

/* A mount of the target's at this name: what is put there would be in a volume, not in it. */
static int leave_mount(struct walk *w, const struct entry *n, struct err *e)
{
	static const char *const usual[] = {"dev", "proc", "sys"};

	for (size_t i = 0; i < ARRAY_LEN(usual); i++)
		if (str_eq(n->to, usual[i]))
			return 0;
	return strv_add(&w->c->elsewhere, n->to) < 0 ? no_memory(e) : 0;
}

static int look(struct walk *w, const struct spot *s, const char *name, struct err *e)
{
	_cleanup_free_ char *from = join(s->path, name), *to = join(s->to, name);
	struct entry n = {.in = s, .name = name, .from = from, .to = to};
	_cleanup_close_ int fd = -EBADF;
	struct stat there;

	if (!from || !to)
		return no_memory(e);
	if (is_left_out(from))
		return 0;
	if (fstatat(s->from, name, &n.st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_set(e, errno, "reading %s", from);
	if (s->there < 0)
		return add_new(w, &n, e);
	if (fstatat(s->there, name, &there, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? add_new(w, &n, e)
				       : err_set(e, errno, "looking at /%s in the container", to);
	if (S_ISLNK(there.st_mode))
		return meet(w, &n, &there, e);
	fd = tree_open(s->there, name, O_PATH);
	if (fd == -EXDEV)
		return leave_mount(w, &n, e);
	if (fd < 0 || fstat(fd, &there) < 0)
		return err_set(e, fd < 0 ? -fd : errno, "looking at /%s in the container", to);
	return meet(w, &n, &there, e);
}

static int visit(struct walk *w, const struct spot *s, struct err *e)
{
	_cleanup_dir_ DIR *d = dir_open(s->from, ".");
	struct dirent *de;
	int r = 0;

	if (!d)
		return err_set(e, errno, "reading %s", s->path);
	if (s->depth > DEPTH_MAX)
		return err_say(e, EFBIG, "what is to be put in is more than %d directories deep",
			       DEPTH_MAX);
	while (r == 0 && (de = dir_next(d)))
		r = look(w, s, de->d_name, e);
	return r;
}

/* What of the target changes, and what all of it takes. */
static int sum_up(struct compare *c, struct err *e)
{
	for (size_t i = 0; i < c->items.n; i++) {
		struct item *it = &c->items.v[i];
		_cleanup_free_ char *dir = strndup(it->path, item_dir_len(it->path));
		struct timespec t;
		int r;

		if (!dir)
			return no_memory(e);
		c->replaced += it->replaces;
		if (!it->same) {
			c->bytes += it->size;
			c->need += (it->size + 4095) / 4096 * 4096 + (it->kind == 'd' ? 4096 : 256);
		}
		if (!it->graft)
			continue;
		r = tree_time(c->root, dir, &t);
		if (r == 0)
			r = items_add_parent(&c->items, dir, t);
		if (r < 0)
			return err_set(e, r, "looking at /%s in the container", dir);
	}
	return 0;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct conflict *)a)->path, ((const struct conflict *)b)->path);
}

int compare_run(struct compare *c, struct err *e)
{
	struct walk w = {.c = c};
	struct timespec t;
	int r = visit(&w, &(struct spot){c->source, "", "", c->root, 0}, e);

	for (size_t i = 0; i < w.n_inodes; i++)
		free(w.inodes[i].path);
	free(w.inodes);
	if (r < 0)
		return r;
	items_sort(&c->items);
	if (c->n_conflicts)
		qsort(c->conflicts, c->n_conflicts, sizeof(*c->conflicts), by_path);
	/* the hidden directory is made in the root */
	r = tree_time(c->root, "", &t);
	if (r == 0)
		r = items_add_parent(&c->items, "", t);
	return r < 0 ? err_set(e, r, "looking at the container's root") : sum_up(c, e);
}

/* What is put in, built where nobody looks for it. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "inject/inject.h"
#include "inject/tree.h"
#include "session/copy.h"

struct build {
	struct compare *c;
	const struct inject_steps *steps;
	int stage;
	uint64_t done;
	size_t graft; /* of the items that come now */
};

/* Items are sorted: the graft of item `i` is the last one before it, or itself. */
static size_t graft_of(const struct items *l, size_t i)
{
	while (i > 0 && !l->v[i].graft)
		i--;
	return i;
}

/* Where an item is in the hidden directory: a new string, NULL when memory is out. */
static char *stage_path(const struct items *l, size_t i)
{
	size_t g = graft_of(l, i);

	return str_fmt("%zu%s", g, l->v[i].path + strlen(l->v[g].path));
}

/* The directory in which it is built, and its name there. */
static int open_spot(const struct build *b, size_t i, char **path)
{
	*path = stage_path(&b->c->items, i);
	return *path ? tree_parent(b->stage, *path) : -ENOMEM;
}

/* Owner, extended attributes, mode, time: in this order, as chown(2) takes set-id bits and
 * capabilities away. */
static int dress(const struct build *b, const struct item *it, int dir, const char *name, int from,
		 int fd)
{
	struct timespec t[2] = {it->mtime, it->mtime};
	int r = 0;

	if (fchownat(dir, name, it->uid, it->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (fd >= 0 && from >= 0)
		r = tree_copy_xattrs(from, fd, b->c->uids);
	if (r == 0 && it->kind != 'l' &&
	    (fd >= 0 ? fchmod(fd, it->mode) : fchmodat(dir, name, it->mode, 0)) < 0)
		r = -errno;
	if (r == 0 && it->kind != 'd' && utimensat(dir, name, t, AT_SYMLINK_NOFOLLOW) < 0)
		r = -errno;
	return r;
}

/* Another name of a file that was built already. 1: it was not. */
static int build_same(struct build *b, struct item *it, int dir, const char *name)
{
	const struct item *first = items_find(&b->c->items, it->same);
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int at = -EBADF;

	if (!first || first == it || first->kind != 'f')
		return 1;
	path = stage_path(&b->c->items, (size_t)(first - b->c->items.v));
	at = path ? tree_parent(b->stage, path) : -ENOMEM;
	if (at < 0)
		return 1;
	if (linkat(at, item_name(path), dir, name, 0) < 0)
		return errno == EMLINK || errno == ENOENT ? 1 : -errno;
	memcpy(it->sha, first->sha, sizeof(it->sha));
	return 0;
}

static int build_file(struct build *b, struct item *it, int dir, const char *name)
{
	_cleanup_close_ int at = tree_open(b->c->source, it->from, O_PATH), in = -EBADF,
			    out = -EBADF;
	struct stat st;
	int r;

	in = at < 0 ? at : path_reopen(at);
	if (in < 0)
		return in;
	out = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0)
		return -errno;
	r = copy_bytes(in, out);
	if (r == 0 && (fstat(out, &st) < 0 || (uint64_t)st.st_size != it->size))
		r = -ESTALE;
	if (r == 0)
		r = tree_hash(in, it->sha);
	b->done += it->size;
	return r < 0 ? r : dress(b, it, dir, name, in, out);
}

static int build_dir(struct build *b, struct item *it, int dir, const char *name)
{
	_cleanup_close_ int from = -EBADF, fd = -EBADF;

	if (mkdirat(dir, name, 0700) < 0)
		return -errno;
	from = tree_open(b->c->source, it->from, O_RDONLY | O_DIRECTORY);
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return from < 0 ? from : fd < 0 ? -errno : dress(b, it, dir, name, from, fd);
}

static int build_item(struct build *b, size_t i)
{
	struct item *it = &b->c->items.v[i];
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int dir = open_spot(b, i, &path);
	const char *name;
	int r = 1;

	if (dir < 0)
		return dir;
	name = item_name(path);
	if (it->same)
		r = build_same(b, it, dir, name);
	if (r <= 0)
		return r;
	if (it->kind == 'd')
		return build_dir(b, it, dir, name);
	if (it->kind == 'f')
		return build_file(b, it, dir, name);
	if (it->kind == 'l')
		r = symlinkat(it->link, dir, name);
	else
		r = mkfifoat(dir, name, 0600);
	return r < 0 ? -errno : dress(b, it, dir, name, -1, -1);
}

static int fail(const struct build *b, size_t i, int r, struct err *e)
{
	if (r == -ENOSPC || r == -EDQUOT) {
		err_say(e, r, "the %scontainer's file system is %s: nothing was put in",
			r == -EDQUOT ? "disk quota of the " : "",
			r == -EDQUOT ? "used up" : "full");
		err_hint(e, "make room, or use --from busybox, which needs 2 MiB");
		return r;
	}
	return err_set(e, r, "putting in /%s (nothing was changed)", b->c->items.v[i].path);
}

int inject_build(struct compare *c, int stage, const struct inject_steps *steps, struct err *e)
{
	struct build b = {.c = c, .steps = steps, .stage = stage};

	/* other names of a file come when all files are there */
	for (int names = 0; names < 2; names++) {
		for (size_t i = 0; i < c->items.n; i++) {
			int r;

			if (!!c->items.v[i].same != names)
				continue;
			r = inject_is_stopped() ? -EINTR : build_item(&b, i);
			if (r == -EINTR)
				return err_say(e, EINTR, "interrupted: nothing was put in");
			if (r < 0)
				return fail(&b, i, r, e);
			steps->step(steps->arg, b.done, c->bytes);
		}
	}
	/* from the innermost on: nothing more is made in them */
	for (size_t i = c->items.n; i-- > 0;) {
		_cleanup_free_ char *path = NULL;
		int r;

		if (c->items.v[i].kind != 'd')
			continue;
		path = stage_path(&c->items, i);
		r = path ? tree_set_time(stage, path, c->items.v[i].mtime) : -ENOMEM;
		if (r < 0)
			return fail(&b, i, r, e);
	}
	return 0;
}

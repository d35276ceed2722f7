/* Directories that overlayfs refuses as a whole. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "session/copy.h"
#include "session/pieces.h"

enum { DEPTH_MAX = 4, COPY_ENTRIES = 5000, COPY_BYTES = 32 << 20 };

static const char *const kernels[] = {"dev", "proc", "sys", NULL};

/* A new NAME in the scratch that remembers what is at `dest` to be something else than what is
 * left there by those who go through what was changed. */
static int new_name(const struct view_parts *parts, struct pieces *c, const char *dest,
		    size_t *name)
{
	int scratch = parts->scratch->dir;
	char path[32];

	*name = c->names++;
	snprintf(path, sizeof(path), "%zu", *name);
	if (mkdirat(scratch, path, 0700) < 0)
		return -errno;
	snprintf(path, sizeof(path), "%zu/d", *name);
	return symlinkat(dest, scratch, path) < 0 ? -errno : 0;
}

/* A new directory NAME/t of the scratch, like `fd`. Opened, or -errno. */
static int new_dir(const struct view_parts *parts, struct pieces *c, int fd, const char *dest,
		   size_t *name)
{
	int scratch = parts->scratch->dir, r = new_name(parts, c, dest, name);
	char path[32];
	struct stat st;

	if (r < 0 || fstat(fd, &st) < 0)
		return r < 0 ? r : -errno;
	snprintf(path, sizeof(path), "%zu/t", *name);
	if (mkdirat(scratch, path, 0700) < 0 ||
	    fchmodat(scratch, path, st.st_mode & 07777, 0) < 0 ||
	    fchownat(scratch, path, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	r = openat(scratch, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return r < 0 ? -errno : r;
}

/* NAME/t as a mount; `r`: what came of filling it. One that failed is no copy of anything. */
static int mount_dir(const struct view_parts *parts, size_t name, int r)
{
	char path[32];

	snprintf(path, sizeof(path), "%zu/t", name);
	if (r == 0) {
		r = open_tree(parts->scratch->dir, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
		r = r < 0 ? -errno : r;
	}
	if (r < 0) {
		snprintf(path, sizeof(path), "%zu/d", name);
		unlinkat(parts->scratch->dir, path, 0);
	}
	return r;
}

int pieces_scratch(const struct view_parts *parts, struct pieces *c, const char *dest, mode_t mode,
		   uint64_t attrs)
{
	struct mount_attr attr = {.attr_set = attrs, .propagation = MS_PRIVATE};
	_cleanup_close_ int m = -EBADF;
	size_t name;
	char path[32];
	int r = new_name(parts, c, dest, &name);

	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%zu/t", name);
	r = mkdirat(parts->scratch->dir, path, 0700) < 0 ||
			    fchmodat(parts->scratch->dir, path, mode, 0) < 0
		    ? -errno
		    : 0;
	m = mount_dir(parts, name, r);
	if (m >= 0 && mount_setattr(m, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return -errno;
	return m < 0 ? m : TAKE_FD(m);
}

static int copied(const struct view_parts *parts, struct pieces *c, int fd, const char *dest)
{
	struct copy_budget b = {.entries = COPY_ENTRIES, .bytes = COPY_BYTES};
	_cleanup_close_ int to = -EBADF, from = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	size_t name;
	int r = from < 0 ? -errno : copy_measure(from, &b);

	if (r < 0)
		return r;
	to = new_dir(parts, c, fd, dest, &name);
	return mount_dir(parts, name, to < 0 ? to : copy_tree(from, to));
}

/* Of a child that lies on the same mount. */
static int child(const struct plan *p, const struct view_parts *parts, struct pieces *c, int fd,
		 const char *dest, int depth)
{
	_cleanup_close_ int alone =
		open_tree(fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	int r = pieces_overlay(p, parts, c, fd, dest, NULL);

	if (r < 0 && alone < 0 && depth < DEPTH_MAX) /* something on it may not be taken off */
		r = pieces_apart(p, parts, c, fd, dest, depth);
	if (r < 0 && alone >= 0)
		r = copied(parts, c, fd, dest);
	if (r >= 0)
		return r;
	pieces_note(parts, dest, "can be read only in this view");
	return pieces_clone(fd, MOUNT_ATTR_RDONLY, MS_PRIVATE);
}

static bool is_planned(const struct plan *p, const char *dest)
{
	for (size_t i = 0; i < p->cow.n; i++)
		if (str_eq(p->cow.v[i].dest, dest))
			return true;
	return false;
}

/* One entry of `from`, at `dest`: again in `to`. */
static int entry(const struct plan *p, const struct view_parts *parts, struct pieces *c, int from,
		 int to, const struct view_entry *en, const char *dest, int depth)
{
	_cleanup_close_ int fd = -EBADF;
	size_t name;
	int r;

	if (!en->dir) {
		r = copy_single(from, en->name, to, COW_FILE_MAX);
		if (r == 0 || r == -ENOSPC || r == -ENOMEM)
			return r;
		pieces_note(parts, dest, "is not in this view");
		return new_name(parts, c, dest, &name);
	}
	if (mkdirat(to, en->name, 0755) < 0)
		return -errno;
	if (is_planned(p, dest))
		return 0;
	r = new_name(parts, c, dest, &name);
	if (r < 0)
		return r;
	fd = openat(from, en->name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return 0;
	r = child(p, parts, c, fd, dest, depth + 1);
	return r < 0 ? 0 : pieces_add(c, dest, r, NULL);
}

int pieces_apart(const struct plan *p, const struct view_parts *parts, struct pieces *c, int fd,
		 const char *dest, int depth)
{
	_cleanup_close_ int to = -EBADF, from = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_entries_ struct view_entries l = {};
	bool top = str_eq(dest, "/");
	size_t name;
	int r = from < 0 ? -errno : view_entries_read(from, top ? kernels : NULL, VIEW_LIST, &l);

	if (r < 0)
		return r;
	to = new_dir(parts, c, fd, dest, &name);
	r = to < 0 ? to : 0;
	for (size_t i = 0; i < l.n && r == 0; i++) {
		_cleanup_free_ char *path = str_fmt("%s/%s", top ? "" : dest, l.v[i].name);

		r = path ? entry(p, parts, c, from, to, &l.v[i], path, depth) : -ENOMEM;
	}
	return mount_dir(parts, name, r);
}

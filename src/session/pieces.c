/* The pieces of a view that forgets. */
#include "session/pieces.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "session/devices.h"
#include "session/fresh.h"
#include "sys/overlay.h"

static const char *const skip_dev[] = {"p", "shm", NULL};

void pieces_done(struct pieces *c)
{
	for (size_t i = 0; i < c->n; i++) {
		cleanup_close(&c->v[i].mnt);
		free(c->v[i].dest);
	}
	free(c->v);
	cleanup_close(&c->root);
	cleanup_close(&c->proc);
	cleanup_close(&c->sys);
	cleanup_close(&c->target);
	cleanup_close(&c->shm);
	cleanup_close(&c->devices);
	view_entries_done(&c->dev);
}

void pieces_note(const struct view_parts *parts, const char *dest, const char *what)
{
	strv_push(parts->notes, str_fmt("%s %s", dest, what));
}

int pieces_add(struct pieces *c, const char *dest, int mnt, const struct cow_mount *m)
{
	_cleanup_close_ int own = mnt;
	_cleanup_free_ char *path = strdup(dest);
	void *v;

	if (!path)
		return -ENOMEM;
	if (c->n % 32 == 0) {
		v = reallocarray(c->v, c->n + 32, sizeof(*c->v));
		if (!v)
			return -ENOMEM;
		c->v = v;
	}
	c->v[c->n++] = (struct piece){.dest = TAKE_PTR(path), .mnt = TAKE_FD(own), .m = m};
	return 0;
}

/* Which restrictions an overlay takes over from what it lies over. */
static uint64_t attrs_of(const struct plan *p, int fd)
{
	const unsigned long both = ST_NOSUID | ST_NODEV | ST_NOEXEC; /* MOUNT_ATTR_* are the same */
	struct statvfs fs;
	uint64_t attrs = p->store ? MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV : 0;

	return fstatvfs(fd, &fs) < 0 ? attrs : attrs | (fs.f_flag & both);
}

int pieces_overlay(const struct plan *p, const struct view_parts *parts, struct pieces *c, int fd,
		   const char *dest, struct err *e)
{
	const int over = str_eq(dest, "/") ? p->hold.over : -EBADF, lower[] = {over, fd};
	char name[24], link[32];
	const struct overlay o = {
		.lower = over >= 0 ? lower : &lower[1],
		.n = over >= 0 ? 2 : 1,
		.scratch = parts->scratch,
		.name = name,
		.attrs = attrs_of(p, fd),
		.user_xattr = p->user_xattr,
	};
	size_t nr = c->names++;
	int m;

	snprintf(name, sizeof(name), "%zu", nr);
	snprintf(link, sizeof(link), "%zu/d", nr);
	m = overlay_mount(&o, e);
	if (m >= 0 && symlinkat(dest, parts->scratch->dir, link) < 0) {
		close(m);
		return err_set(e, errno, "making room for changes");
	}
	return m;
}

int pieces_clone(int fd, uint64_t attrs, uint64_t propagation)
{
	struct mount_attr attr = {.attr_set = attrs, .propagation = propagation};
	_cleanup_close_ int m = open_tree(
		fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);

	if (m < 0 || mount_setattr(m, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		return -errno;
	return TAKE_FD(m);
}

int pieces_source(const struct plan *p, const struct cow_mount *m)
{
	int fd = cow_source(m);

	return fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3)
		       : path_open_in_root(p->root_fd, m->dest, O_PATH | O_NOFOLLOW);
}

/* The mount that goes to m->dest, or -errno. */
static int mount_of(const struct plan *p, const struct view_parts *parts, struct pieces *c,
		    const struct cow_mount *m)
{
	_cleanup_close_ int fd = -EBADF;
	int r;

	if (m->how == COW_BIND) {
		r = fcntl(m->fd, F_DUPFD_CLOEXEC, 3);
		return r < 0 ? -errno : r;
	}
	r = m->how == COW_TMPFS && p->rehearsal ? confined_tmpfs(p, m) : -EBADF;
	if (r >= 0)
		return r;
	if (m->how == COW_TMPFS) /* mode and flags are engines' default */
		return pieces_scratch(parts, c, m->dest, 01777,
				      MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	fd = pieces_source(p, m);
	if (fd < 0)
		return fd;
	if (m->how == COW_AS_IS)
		return pieces_clone(fd, 0, MS_PRIVATE);
	if (m->how == COW_OVERLAY) {
		r = pieces_overlay(p, parts, c, fd, m->dest, NULL);
		if (r == -EINVAL)
			r = pieces_apart(p, parts, c, fd, m->dest, 0);
		if (r >= 0)
			return r;
	}
	pieces_note(parts, m->dest, "can be read only in this view");
	return pieces_clone(fd, MOUNT_ATTR_RDONLY, MS_PRIVATE);
}

static int make_mounts(const struct plan *p, const struct view_parts *parts, struct pieces *c)
{
	int r = 0;

	for (size_t i = 0; i < p->cow.n && r == 0; i++) {
		const struct cow_mount *m = &p->cow.v[i];
		int mnt = -EBADF;

		if (m->how == COW_MISSING)
			continue;
		if (m->how != COW_COPY)
			mnt = mount_of(p, parts, c, m);
		if (mnt < 0 && m->how != COW_COPY)
			pieces_note(parts, m->dest, "is not in this view");
		else
			r = pieces_add(c, m->dest, mnt, m);
	}
	return r;
}

/* The host's /, where the root of the new mount namespace is somebody else's. */
static int clone_old(const struct plan *p, struct pieces *c)
{
	const struct mount_attr *attr = &p->beside.old_attr;
	_cleanup_close_ int root = open("/", ROOT_DIR_FLAGS);
	int m = root < 0 ? -errno : pieces_clone(root, attr->attr_set, attr->propagation);

	return m < 0 ? m : pieces_add(c, p->beside.old, m, NULL);
}

/* The root, if need be in parts. */
static int make_root(const struct plan *p, const struct view_parts *parts, struct pieces *c,
		     struct err *e)
{
	int root = p->hold.root >= 0 ? p->hold.root : p->root_fd;
	struct err why = {};

	c->root = pieces_overlay(p, parts, c, root, "/", &why);
	if (c->root == -EINVAL)
		c->root = pieces_apart(p, parts, c, root, "/", 0);
	if (c->root >= 0)
		return 0;
	*e = why;
	return c->root;
}

/* The kernel's own directories, as in a live view. */
static void clone_kernels(const struct plan *p, const struct view_parts *parts, struct pieces *c)
{
	_cleanup_close_ int proc = -EBADF, sys = openat(p->root_fd, "sys", ROOT_DIR_FLAGS);
	struct stat st, root;

	if (p->shape.proc_good && parts->proc_fd < 0) {
		proc = openat(p->root_fd, "proc", ROOT_DIR_FLAGS);
		c->proc = proc < 0 ? -EBADF : pieces_clone(proc, 0, MS_PRIVATE);
	}
	if (sys >= 0 && fstat(sys, &st) == 0 && fstat(p->root_fd, &root) == 0 &&
	    st.st_dev != root.st_dev)
		c->sys = pieces_clone(sys, 0, MS_PRIVATE);
}

/* What a sidekick sees of the target: its files, and its /dev/shm where ipc is shared. Unmounting
 * there is not kept from happening here. */
static int clone_target(const struct plan *p, struct pieces *c, struct err *e)
{
	_cleanup_close_ int shm = -EBADF;

	if ((p->ns_join | p->ns_same) & CLONE_NEWIPC)
		shm = path_open_in_root(p->beside.root, "/dev/shm", O_PATH | O_DIRECTORY);
	if (shm >= 0)
		c->shm = pieces_clone(shm, 0, MS_SLAVE);
	if (p->beside.host)
		return 0;
	c->target = pieces_clone(p->beside.root, 0, MS_SLAVE);
	return c->target < 0 ? err_set(e, c->target, "cloning the files of '%s'", p->label) : 0;
}

static int by_dest(const void *a, const void *b)
{
	return strcmp(((const struct piece *)a)->dest, ((const struct piece *)b)->dest);
}

static bool has_piece(const struct pieces *c, const char *dest)
{
	for (size_t i = 0; i < c->n; i++)
		if (str_eq(c->v[i].dest, dest))
			return true;
	return false;
}

int pieces_make(const struct plan *p, const struct view_parts *parts, struct pieces *c,
		struct err *e)
{
	enum view_how how = p->ns_join & CLONE_NEWUSER ? VIEW_CLONE : VIEW_NODES;
	int r = p->beside.on ? clone_target(p, c, e) : 0;

	if (r >= 0 && !(p->beside.on && p->view == VIEW_KIT))
		r = make_root(p, parts, c, e);
	if (r >= 0) {
		r = make_mounts(p, parts, c);
		if (r == 0 && p->beside.old && p->place >= 0)
			r = clone_old(p, c);
		if (r < 0)
			err_set(e, r, "preparing the view");
	}
	if (r < 0)
		return r;
	if (c->n) /* what lies below comes later */
		qsort(c->v, c->n, sizeof(*c->v), by_dest);
	if (p->store || p->beside.on)
		r = has_piece(c, "/sys") ? 0 : fresh_sys(&c->sys, e);
	else
		clone_kernels(p, parts, c);
	if (r >= 0 && p->shape.dev_dir) {
		int root = p->beside.on ? p->beside.root : p->root_fd;
		_cleanup_close_ int dev = openat(root, "dev", ROOT_DIR_FLAGS);

		if (p->beside.devices && parts->devices)
			c->devices = devices_mount(parts, p->kit.kind != KIT_NONE, parts->devices);
		r = dev < 0 ? -errno
			    : view_entries_read(dev, skip_dev, c->devices >= 0 ? VIEW_MOUNTS : how,
						&c->dev);
		if (r < 0)
			return err_set(e, r, "cloning the entries of /dev of '%s'", p->label);
	}
	return r < 0 ? r : 0;
}

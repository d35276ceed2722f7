/* The view that forgets: what there is of the target below overlays, in a root that it cannot be
 * reached from. */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "session/copy.h"
#include "session/fresh.h"
#include "session/view.h"
#include "sys/fsmount.h"
#include "sys/overlay.h"

static const char *const skip_dev[] = {"p", "shm", NULL};

/* What is made before unshare(2), all of it detached; -EBADF: not, or not here. */
struct pieces {
	int root, proc, sys;
	int *mnt; /* of each of p->cow */
	size_t n;
	struct view_entries dev;
};

static void pieces_done(struct pieces *c)
{
	for (size_t i = 0; i < c->n; i++)
		cleanup_close(&c->mnt[i]);
	free(c->mnt);
	cleanup_close(&c->root);
	cleanup_close(&c->proc);
	cleanup_close(&c->sys);
	view_entries_done(&c->dev);
}

static void note(const struct view_parts *parts, const char *dest, const char *what)
{
	strv_push(parts->notes, str_fmt("%s %s", dest, what));
}

/* Which restrictions an overlay takes over from what it lies over. */
static uint64_t attrs_of(const struct plan *p, int fd)
{
	const unsigned long both = ST_NOSUID | ST_NODEV | ST_NOEXEC; /* MOUNT_ATTR_* are the same */
	struct statvfs fs;
	uint64_t attrs = p->store ? MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV : 0;

	return fstatvfs(fd, &fs) < 0 ? attrs : attrs | (fs.f_flag & both);
}

/* An overlay over `fd`; the scratch remembers what it is of. */
static int overlay_over(const struct plan *p, const struct view_parts *parts, int fd, size_t name,
			const char *dest, struct err *e)
{
	const int over = name == 0 ? p->hold.over : -EBADF, lower[] = {over, fd};
	char text[24], link[32];
	const struct overlay o = {
		.lower = over >= 0 ? lower : &lower[1],
		.n = over >= 0 ? 2 : 1,
		.scratch = parts->scratch,
		.name = text,
		.attrs = attrs_of(p, fd),
	};
	int m;

	snprintf(text, sizeof(text), "%zu", name);
	snprintf(link, sizeof(link), "%zu/d", name);
	m = overlay_mount(&o, e);
	if (m >= 0 && symlinkat(dest, parts->scratch->dir, link) < 0) {
		close(m);
		return err_set(e, errno, "making room for changes");
	}
	return m;
}

/* As it is in the target, with what is mounted on it; `attrs`: and these. */
static int clone_tree(int fd, uint64_t attrs)
{
	struct mount_attr attr = {.attr_set = attrs, .propagation = MS_PRIVATE};
	_cleanup_close_ int m = open_tree(
		fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);

	if (m < 0 || mount_setattr(m, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		return -errno;
	return TAKE_FD(m);
}

/* The source of a mount; the caller's. */
static int source_of(const struct plan *p, const struct cow_mount *m)
{
	return m->fd >= 0 ? fcntl(m->fd, F_DUPFD_CLOEXEC, 3)
			  : path_open_in_root(p->root_fd, m->dest, O_PATH | O_NOFOLLOW);
}

static int piece_of(const struct plan *p, const struct view_parts *parts, size_t i)
{
	const struct cow_mount *m = &p->cow.v[i];
	_cleanup_close_ int fd = -EBADF;
	int r;

	if (m->how == COW_TMPFS) {
		r = view_new_tmpfs("50%", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
		return r >= 0 && fchmodat(r, ".", 01777, 0) < 0 ? -errno : r; /* engines' default */
	}
	if (m->how == COW_MISSING)
		return -EBADF;
	fd = source_of(p, m);
	if (fd < 0 || m->how == COW_COPY)
		return -EBADF;
	if (m->how == COW_AS_IS)
		return clone_tree(fd, 0);
	if (m->how == COW_OVERLAY) {
		r = overlay_over(p, parts, fd, i + 1, m->dest, NULL);
		if (r >= 0)
			return r;
	}
	note(parts, m->dest, "can be read only in this view");
	return clone_tree(fd, MOUNT_ATTR_RDONLY);
}

static int make_pieces(const struct plan *p, const struct view_parts *parts, struct pieces *c,
		       struct err *e)
{
	enum view_how how = p->ns_join & CLONE_NEWUSER ? VIEW_CLONE : VIEW_NODES;
	int r;

	c->mnt = calloc(p->cow.n + 1, sizeof(*c->mnt));
	if (!c->mnt)
		return err_set(e, ENOMEM, "preparing the view");
	c->root = overlay_over(p, parts, p->hold.root >= 0 ? p->hold.root : p->root_fd, 0, "/", e);
	if (c->root < 0)
		return c->root;
	for (; c->n < p->cow.n; c->n++)
		c->mnt[c->n] = piece_of(p, parts, c->n);
	if (p->store)
		return fresh_sys(&c->sys, e);
	if (p->shape.dev_dir) {
		_cleanup_close_ int dev = openat(p->root_fd, "dev", ROOT_DIR_FLAGS);

		r = dev < 0 ? -errno : view_entries_read(dev, skip_dev, how, &c->dev);
		if (r < 0)
			return err_set(e, r, "cloning the entries of /dev of '%s'", p->label);
	}
	return 0;
}

/* The kernel's own directories, as in a live view. */
static void clone_kernels(const struct plan *p, const struct view_parts *parts, struct pieces *c)
{
	_cleanup_close_ int proc = -EBADF, sys = openat(p->root_fd, "sys", ROOT_DIR_FLAGS);
	struct stat st, root;

	if (p->shape.proc_good && parts->proc_fd < 0) {
		proc = openat(p->root_fd, "proc", ROOT_DIR_FLAGS);
		c->proc = proc < 0 ? -EBADF : clone_tree(proc, 0);
	}
	if (sys >= 0 && fstat(sys, &st) == 0 && fstat(p->root_fd, &root) == 0 &&
	    st.st_dev != root.st_dev)
		c->sys = clone_tree(sys, 0);
}

/* A real directory NAME, whatever lies there. */
static int take_dir(int root, const char *name)
{
	struct stat st;

	if (fstatat(root, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (S_ISDIR(st.st_mode))
			return openat(root, name, ROOT_DIR_FLAGS);
		if (unlinkat(root, name, 0) < 0)
			return -errno;
	}
	if (mkdirat(root, name, 0755) < 0)
		return -errno;
	return openat(root, name, ROOT_DIR_FLAGS);
}

/* The mount point `dest` below `root`, made where it is missing. */
static int mount_point(int root, const char *dest, bool dir)
{
	_cleanup_free_ char *path = strdup(dest);
	int at = path_open_in_root(root, dest, O_PATH | O_NOFOLLOW);

	for (char *s = path; path && at == -ENOENT && s;) {
		_cleanup_close_ int parent = -EBADF, f = -EBADF;
		char *name = s + strspn(s, "/"), *end = strchr(name, '/');

		*s = '\0'; /* what is before is the parent */
		if (end)
			*end = '\0';
		parent = path_open_in_root(root, *path ? path : "/", O_PATH | O_DIRECTORY);
		if (parent < 0 || !path_is_component(name))
			return parent < 0 ? parent : -EINVAL;
		*s = '/';
		if (dir || end) {
			if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
				return -errno;
		} else {
			f = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
			if (f < 0)
				return -errno;
		}
		s = end;
		if (!end)
			at = path_open_in_root(root, dest, O_PATH | O_NOFOLLOW);
		else
			*end = '/';
	}
	return path ? at : -ENOMEM;
}

static int copy_in(const struct plan *p, const struct view_parts *parts, int root,
		   const struct cow_mount *m)
{
	_cleanup_close_ int at = mount_point(root, m->dest, false), from = source_of(p, m);

	if (at < 0 || from < 0)
		return at < 0 ? at : from;
	return copy_file(parts->host_proc, from, at, COW_FILE_MAX);
}

/* All the mounts again below `root`, each in its place. */
static void attach_mounts(const struct plan *p, const struct view_parts *parts, int root,
			  const struct pieces *c)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct cow_mount *m = &p->cow.v[i];
		_cleanup_close_ int at = -EBADF;
		struct stat st;
		int r = 0;

		if (m->how == COW_COPY) {
			r = copy_in(p, parts, root, m);
		} else if (c->mnt[i] >= 0) {
			r = fstat(c->mnt[i], &st) < 0 ? -errno : 0;
			at = r < 0 ? r : mount_point(root, m->dest, S_ISDIR(st.st_mode));
			r = at < 0 ? at : view_attach(c->mnt[i], at, "");
		} else if (m->how != COW_MISSING) {
			r = c->mnt[i];
		}
		if (r < 0)
			note(parts, m->dest, "could not be had in this view");
	}
}

/* Stand in `top` alone: what was the root before is let go of, with all the target's mounts. */
static int pivot(int top, struct err *e)
{
	_cleanup_close_ int old = open("/", ROOT_DIR_FLAGS);

	if (old < 0 || fchdir(top) < 0)
		return err_set(e, errno, "going to the session's root");
	if (syscall(SYS_pivot_root, ".", ".") < 0) {
		if (errno != EINVAL) /* of an initramfs, which nobody can leave */
			return err_set(e, errno, "changing to the session's root");
		return chroot(".") < 0 ? err_set(e, errno, "changing to the session's root") : 0;
	}
	if (fchdir(old) < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return err_set(e, errno, "letting go of the root of before");
	return 0;
}

/* The root, and the directory that is the target's root in it (another in a kit's view). */
static int attach_root(const struct plan *p, int root, struct err *e)
{
	_cleanup_close_ int at = open("/", ROOT_DIR_FLAGS), top = -EBADF;
	int r;

	top = p->view == VIEW_KIT ? view_new_tmpfs("16m", MOUNT_ATTR_NOSUID)
				  : fcntl(root, F_DUPFD_CLOEXEC, 3);
	r = top < 0 ? top : view_attach(top, at, "");
	if (r == 0 && p->view == VIEW_KIT)
		r = view_fill_kit_root(top)
			    ?: mkdirat(top, "target", 0755) < 0 ? -errno
								: view_attach(root, top, "target");
	return r < 0 ? err_set(e, r, "attaching the files of '%s'", p->label) : TAKE_FD(top);
}

static int put_together(const struct plan *p, const struct view_parts *parts, struct pieces *c,
			int *dev_fd, struct err *e)
{
	_cleanup_close_ int top = attach_root(p, c->root, e), dev = -EBADF, proc = -EBADF,
			    sys = -EBADF;
	int proc_mnt = c->proc >= 0 ? c->proc : parts->proc_fd, r = 0;

	if (top < 0)
		return top;
	dev = take_dir(top, "dev");
	proc = take_dir(top, "proc");
	if (dev < 0 || proc < 0)
		return err_set(e, dev < 0 ? dev : proc, "making /dev and /proc of the session");
	if (c->sys >= 0) {
		sys = take_dir(top, "sys");
		r = sys < 0 ? sys : view_attach(c->sys, sys, "");
	}
	if (r == 0 && proc_mnt >= 0)
		r = view_attach(proc_mnt, proc, "");
	if (r < 0)
		return err_set(e, r, "attaching /proc and /sys of the session");
	*dev_fd = view_build_dev(p, p->shape.dev_dir ? &c->dev : parts->nodes, dev, e);
	if (*dev_fd < 0)
		return *dev_fd;
	if (p->store)
		r = fresh_dev(*dev_fd, e) ?: proc_mnt < 0 ? 0 : fresh_proc(proc_mnt, *dev_fd, e);
	else if (mkdirat(*dev_fd, "shm", 01777) < 0)
		r = err_set(e, errno, "making /dev/shm of the session");
	if (r < 0)
		return r;
	view_show_target_proc(*dev_fd, parts->target_proc);
	attach_mounts(p, parts, c->root, c);
	return pivot(top, e);
}

int view_build_cow(const struct plan *p, const struct view_parts *parts, int *dev, struct err *e)
{
	mode_t mask = umask(0);
	_cleanup_(pieces_done) struct pieces c = {.root = -EBADF, .proc = -EBADF, .sys = -EBADF};
	int r = make_pieces(p, parts, &c, e);

	*dev = -EBADF;
	if (r == 0 && !p->store)
		clone_kernels(p, parts, &c);
	if (r == 0 &&
	    (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0))
		r = err_set(e, errno, "making a private mount namespace");
	if (r == 0)
		r = put_together(p, parts, &c, dev, e);
	umask(mask);
	return r;
}

/* The view that forgets: what there is of the target below overlays, in a root that it cannot be
 * reached from. */
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "session/copy.h"
#include "session/devices.h"
#include "session/fresh.h"
#include "session/pieces.h"
#include "session/top.h"

static int make_read_only(int mnt)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};

	return mount_setattr(mnt, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0 ? -errno : 0;
}

/* Lie the file `at` over itself, read-only. */
static int keep_from_writing(int at)
{
	_cleanup_close_ int mnt =
		open_tree(at, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	int r = mnt < 0 ? -errno : make_read_only(mnt);

	return r < 0 ? r : view_attach(mnt, at, "");
}

static int copy_in(const struct plan *p, const struct view_parts *parts, int root,
		   const struct cow_mount *m)
{
	_cleanup_close_ int at = path_make_in_root(root, m->dest, false),
			    from = pieces_source(p, m);
	int r;

	if (at < 0 || from < 0)
		return at < 0 ? at : from;
	r = copy_file(parts->host_proc, from, at, COW_FILE_MAX);
	return r == 0 && p->rehearsal && m->ro ? keep_from_writing(at) : r;
}

static int attach_piece(int root, const struct piece *piece)
{
	_cleanup_close_ int at = -EBADF;
	struct stat st;

	if (fstat(piece->mnt, &st) < 0)
		return -errno;
	at = path_make_in_root(root, piece->dest, S_ISDIR(st.st_mode));
	return at < 0 ? at : view_attach(piece->mnt, at, "");
}

/* All the pieces below `root`, each in its place. */
static void attach_pieces(const struct plan *p, const struct view_parts *parts, int root,
			  const struct pieces *c)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct piece *piece = &c->v[i];
		int r = piece->mnt < 0 ? copy_in(p, parts, root, piece->m)
				       : attach_piece(root, piece);

		if (r == 0 && p->rehearsal && piece->mnt >= 0 && piece->m && piece->m->ro)
			r = make_read_only(piece->mnt);
		if (r < 0)
			pieces_note(parts, piece->dest, "is not in this view");
	}
}

/* Where what was the root before goes; NULL: it is let go of. */
static const char *old_place(const struct plan *p)
{
	return p->place < 0 ? p->beside.old : NULL;
}

/* What was the root before has its place below the new one. */
static int keep_old(const struct beside *b, struct err *e)
{
	struct mount_attr attr = b->old_attr;

	if ((attr.attr_set || attr.propagation == MS_PRIVATE) &&
	    mount_setattr(AT_FDCWD, b->old + 1, AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		return err_set(e, errno, "preparing '/', which is to be at %s", b->old);
	return chdir("/") < 0 ? err_set(e, errno, "going to the session's root") : 0;
}

/* Stand in `top` alone: what was the root before is let go of, with all the target's mounts. */
static int pivot(const struct plan *p, int top, struct err *e)
{
	_cleanup_close_ int old = open("/", ROOT_DIR_FLAGS);
	const char *keep = old_place(p);

	if (old < 0 || fchdir(top) < 0)
		return err_set(e, errno, "going to the session's root");
	if (keep)
		return syscall(SYS_pivot_root, ".", keep + 1) == 0
			       ? keep_old(&p->beside, e)
			       : err_set(e, errno, "putting '/' at %s", keep);
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
static int attach_root(const struct plan *p, const struct view_parts *parts, const struct pieces *c,
		       struct err *e)
{
	int target = p->beside.on ? c->target /* a host container has it among its volumes */
		     : p->view == VIEW_KIT ? c->root
					   : -EBADF;
	_cleanup_close_ int at = open("/", ROOT_DIR_FLAGS), top = -EBADF;
	int r;

	top = p->view != VIEW_KIT     ? fcntl(c->root, F_DUPFD_CLOEXEC, 3)
	      : top_is_sent(p, parts) ? top_recv(parts->talk, e)
				      : top_make(p, e);
	if (top < 0 && e->num)
		return top;
	r = top < 0 ? -errno : view_attach(top, at, "");
	if (r == 0 && target >= 0) {
		_cleanup_close_ int dir = top_dir(top, BESIDE_TARGET);

		r = dir < 0 ? dir : view_attach(target, dir, "");
	}
	return r < 0 ? err_set(e, r, "attaching the files of '%s'", p->label) : TAKE_FD(top);
}

/* Give what we made to root of the user namespace that is joined next. */
static int hand_over(const struct plan *p, int dir, int depth)
{
	_cleanup_close_ int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_dir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct stat top, st;
	struct dirent *de;
	int r = d && fstat(fd, &top) == 0 ? 0 : -errno;

	if (d)
		TAKE_FD(fd);
	while (r == 0 && (de = readdir(d))) {
		_cleanup_close_ int sub = -EBADF;

		if (str_eq(de->d_name, "..") ||
		    fstatat(dir, de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    st.st_dev != top.st_dev)
			continue;
		if (fchownat(dir, de->d_name, p->beside.uid, p->beside.gid, AT_SYMLINK_NOFOLLOW) <
		    0)
			r = -errno;
		if (r < 0 || !S_ISDIR(st.st_mode) || str_eq(de->d_name, ".") || depth == 4)
			continue;
		sub = openat(dir, de->d_name, ROOT_DIR_FLAGS);
		r = sub < 0 ? -errno : hand_over(p, sub, depth + 1);
	}
	return r;
}

/* What is the sidekick's own: whose it is, and whether it may be written to. */
static int beside_finish(const struct plan *p, int top, int dev, struct err *e)
{
	int r = 0;

	if (p->ns_join & CLONE_NEWUSER && p->view == VIEW_KIT)
		r = hand_over(p, top, 0);
	if (r == 0 && p->ns_join & CLONE_NEWUSER)
		r = hand_over(p, dev, 0);
	if (r == 0 && p->beside.read_only)
		r = make_read_only(top);
	return r < 0 ? err_set(e, r, "preparing the root of the sidekick") : 0;
}

/* Room for what was the root before. */
static int make_old(const struct plan *p, int top, struct err *e)
{
	const char *keep = old_place(p);
	_cleanup_close_ int at = keep ? path_make_in_root(top, keep, true) : -EBADF;

	return keep && at < 0 ? err_set(e, at, "making %s", keep) : 0;
}

static int put_together(const struct plan *p, const struct view_parts *parts, struct pieces *c,
			int *dev_fd, struct err *e)
{
	_cleanup_close_ int top = attach_root(p, parts, c, e), dev = -EBADF, proc = -EBADF,
			    sys = -EBADF;
	int proc_mnt = c->proc >= 0 ? c->proc : parts->proc_fd, r = 0;

	if (top < 0)
		return top;
	dev = top_dir(top, "dev");
	proc = top_dir(top, "proc");
	if (dev < 0 || proc < 0)
		return err_set(e, dev < 0 ? dev : proc, "making /dev and /proc of the session");
	if (c->sys >= 0) {
		sys = top_dir(top, "sys");
		r = sys < 0 ? sys : view_attach(c->sys, sys, "");
	}
	if (r == 0 && proc_mnt >= 0)
		r = view_attach(proc_mnt, proc, "");
	if (r < 0)
		return err_set(e, r, "attaching /proc and /sys of the session");
	if (parts->devices && parts->devices->from >= 0)
		view_attach(parts->devices->from, dev, ""); /* seen by nobody below it */
	*dev_fd = view_build_dev(p, p->shape.dev_dir ? &c->dev : parts->nodes, TAKE_FD(c->devices),
				 dev, e);
	if (*dev_fd < 0)
		return *dev_fd;
	if (parts->devices && parts->devices->watch >= 0)
		parts->devices->to = fcntl(*dev_fd, F_DUPFD_CLOEXEC, 3);
	if (p->store || p->beside.on)
		r = fresh_dev(p, *dev_fd, c->shm, e)
			    ?: proc_mnt < 0 || p->beside.unmasked
			       ? 0
			       : fresh_proc(proc_mnt, *dev_fd, e);
	else if (mkdirat(*dev_fd, "shm", 01777) < 0)
		r = err_set(e, errno, "making /dev/shm of the session");
	if (r < 0)
		return r;
	confined_devices(p, parts, *dev_fd);
	view_show_target_proc(*dev_fd, parts->target_proc);
	attach_pieces(p, parts, c->root >= 0 ? c->root : top, c);
	if (p->rehearsal && p->store->config.root_ro && (r = make_read_only(c->root)) < 0)
		return err_set(e, r, "making the root of '%s' read-only", p->label);
	r = make_old(p, top, e);
	if (r == 0 && p->beside.on)
		r = beside_finish(p, top, *dev_fd, e);
	return r < 0 ? r : pivot(p, top, e);
}

/* A mount namespace of our own, whose mounts say nothing to others, or (MS_SLAVE) only listen. */
static int leave_mounts(const struct plan *p, const struct view_parts *parts, unsigned long cut)
{
	_cleanup_close_ int own = -EBADF;

	if ((p->place < 0 ? unshare(CLONE_NEWNS) : setns(p->place, CLONE_NEWNS)) < 0)
		return -errno;
	if (mount(NULL, "/", NULL, MS_REC | cut, NULL) == 0)
		return 0;
	if (errno != EINVAL)
		return -errno;
	/* a directory that the caller has changed his root to: whoever joins a namespace, be it
	 * his own, has its root */
	own = openat(parts->host_proc, "self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (own < 0 || setns(own, CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | cut, NULL) < 0)
		return -errno;
	return 0;
}

int view_build_cow(const struct plan *p, const struct view_parts *parts, int *dev, struct err *e)
{
	mode_t mask = umask(0);
	_cleanup_(pieces_done) struct pieces c = PIECES_INIT;
	unsigned long cut =
		old_place(p) && p->beside.old_attr.propagation == MS_SLAVE ? MS_SLAVE : MS_PRIVATE;
	int r = pieces_make(p, parts, &c, e);

	*dev = -EBADF;
	if (r == 0)
		r = leave_mounts(p, parts, cut);
	if (r < 0 && !e->num)
		err_set(e, r, "making a private mount namespace");
	if (r == 0)
		r = put_together(p, parts, &c, dev, e);
	umask(mask);
	return r;
}

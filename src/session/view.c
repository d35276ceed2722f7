#include "session/view.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "sys/fsmount.h"

#define SCRATCH_SIZE "64m"

static const char *const skip_dev[] = {"p", PLAN_SCRATCH_NAME, NULL};
static const char *const skip_root[] = {"dev", "proc", NULL};
/* What of the target's /etc the kit's root shows: names and addresses are the target's. */
static const char *const etc_files[] = {"passwd",      "group",		"hosts",    "hostname",
					"resolv.conf", "nsswitch.conf", "services", "protocols"};

bool view_needs_root(const struct plan *p)
{
	return p->view == VIEW_KIT ||
	       (p->view == VIEW_LIVE && p->kit.kind != KIT_NONE &&
		(!p->shape.dev_dir || !(p->shape.proc_dir || p->shape.proc_good)));
}

/* --- by descriptor --- */

int view_attach(int mnt, int dirfd, const char *name)
{
	unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | (*name ? 0 : MOVE_MOUNT_T_EMPTY_PATH);

	return move_mount(mnt, "", dirfd, name, flags) < 0 ? -errno : 0;
}

/* A node that may not be made here (a device cgroup says so) is attached from where it lies, below
 * the new directory. */
static int attach_node(int under, int dirfd, const struct view_entry *en)
{
	_cleanup_close_ int mnt = open_tree(
		under, en->name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
	const struct view_entry file = {.name = en->name};
	int r = mnt < 0 ? -errno : view_entry_make(dirfd, &file);

	return r < 0 ? r : view_attach(mnt, dirfd, en->name);
}

/* An entry again in `dirfd`; `under`: the directory it lies over. What is there has its place. */
static int attach_one(const struct view_entry *en, int dirfd, int under, bool there)
{
	int r = there && en->fd >= 0 ? view_attach(en->fd, dirfd, en->name) : -ENOENT;

	if (r != -ENOENT)
		return r;
	r = view_entry_make(dirfd, en);
	if (r == -EPERM && en->node.st_rdev)
		r = attach_node(under, dirfd, en);
	return r == 0 && en->fd >= 0 ? view_attach(en->fd, dirfd, en->name) : r;
}

/* All of them; there: `dirfd` shows them already, but for what is mounted on them. */
static int attach_all(const struct view_entries *l, int dirfd, int under, bool there)
{
	for (size_t i = 0; i < l->n; i++) {
		int r = attach_one(&l->v[i], dirfd, under, there);

		if (r < 0 && r != -ENOENT && r != -ENOTDIR)
			return r;
	}
	return 0;
}

int view_new_tmpfs(const char *size, uint64_t attrs)
{
	const struct fs_opt opts[] = {{"source", "porthole"}, {"mode", "0755"}, {"size", size}, {}};
	struct err why = {};

	return fs_mount_detached("tmpfs", opts, attrs, NULL, &why);
}

/* A pty of its own for the view where the target has no devpts to give one. */
static void own_devpts(int devfd)
{
	static const struct fs_opt opts[] = {{"ptmxmode", "0666"}, {"mode", "0620"}, {}};
	_cleanup_close_ int mnt = -EBADF;
	struct err why = {};

	if (faccessat(devfd, "pts/ptmx", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return;
	mkdirat(devfd, "pts", 0755);
	mnt = fs_mount_detached("devpts", opts, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, NULL, &why);
	if (mnt < 0 || view_attach(mnt, devfd, "pts") < 0 ||
	    symlinkat("pts/ptmx", devfd, "ptmx") < 0)
		return; /* open_pty() says what is missing */
}

int view_make_scratch(int dev)
{
	return mkdirat(dev, PLAN_SCRATCH_NAME, 01777) < 0 ||
			       fchmodat(dev, PLAN_SCRATCH_NAME, 01777, 0) < 0
		       ? -errno
		       : 0;
}

uint64_t view_own_attrs(const struct plan *p)
{
	bool nodes = (!p->store && !p->beside.on) || p->beside.devices;

	return MOUNT_ATTR_NOSUID | (nodes ? 0 : MOUNT_ATTR_NODEV);
}

int view_build_dev(const struct plan *p, const struct view_entries *dev, int over, int at,
		   struct err *e)
{
	_cleanup_close_ int mnt =
		over >= 0 ? over
			  : view_new_tmpfs(p->scratch ? SCRATCH_SIZE : "1m", view_own_attrs(p));
	int r = mnt < 0 ? mnt : view_attach(mnt, at, "");

	if (r < 0)
		return err_set(e, r, "laying a private /dev over that of '%s'", p->label);
	r = attach_all(dev, mnt, at, over >= 0);
	if (r < 0)
		return err_set(e, r, "attaching the entries of /dev of '%s' again", p->label);
	if (p->tty)
		own_devpts(mnt);
	if (p->scratch && view_make_scratch(mnt) < 0)
		return err_set(e, errno, "making " PLAN_SCRATCH " for temporary files");
	if (p->kit.kind != KIT_NONE && over < 0 && mkdirat(mnt, "p", 0755) < 0 && errno != EEXIST)
		return err_set(e, errno, "making room for the kit at " KIT_PREFIX);
	return TAKE_FD(mnt);
}

int view_add_kit(int dev, int kit_fd, struct err *e)
{
	int r = view_attach(kit_fd, dev, "p");

	return r < 0 ? err_set(e, r, "attaching the kit at " KIT_PREFIX) : 0;
}

const char *const view_kit_links[VIEW_KIT_LINKS][2] = {
	{"bin", "dev/p/b"},	   {"sbin", "dev/p/b"},		{"lib", "dev/p/l"},
	{"lib64", "dev/p/l"},	   {"usr/bin", "../dev/p/b"},	{"usr/sbin", "../dev/p/b"},
	{"usr/lib", "../dev/p/l"}, {"usr/share", "../dev/p/s"},
};

int view_fill_kit_root(int root, const char *etc_of)
{
	static const char *const dirs[] = {"usr", "tmp", "root", "etc", "run", "var"};
	_cleanup_close_ int etc = -EBADF;

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		if (mkdirat(root, dirs[i], 0755) < 0)
			return -errno;
	if (fchmodat(root, "tmp", 01777, 0) < 0)
		return -errno;
	for (size_t i = 0; i < VIEW_KIT_LINKS; i++)
		if (symlinkat(view_kit_links[i][1], root, view_kit_links[i][0]) < 0)
			return -errno;
	etc = openat(root, "etc", ROOT_DIR_FLAGS);
	if (etc < 0)
		return -errno;
	for (size_t i = 0; etc_of && i < ARRAY_LEN(etc_files); i++) {
		_cleanup_free_ char *to = str_fmt("%s/%s", etc_of, etc_files[i]);

		if (!to || symlinkat(to, etc, etc_files[i]) < 0)
			return to ? -errno : -ENOMEM;
	}
	return 0;
}

/* The kit's root, with the target at /target and its names and addresses in /etc. */
static int fill_kit_root(const struct plan *p, int root, int target, struct err *e)
{
	int r = view_fill_kit_root(root, VIEW_TARGET_ETC);

	if (r == 0)
		r = mkdirat(root, "target", 0755) < 0 ? -errno
						      : view_attach(target, root, "target");
	return r < 0 ? err_set(e, r, "attaching the files of '%s' at /target", p->label) : 0;
}

/* A root of our own: the target's entries (or the kit's root) in a tmpfs, made the process's root.
 */
static int build_root(const struct plan *p, const struct view_entries *dev,
		      const struct view_entries *root_entries, int target, struct err *e)
{
	_cleanup_close_ int mnt = view_new_tmpfs("16m", MOUNT_ATTR_NOSUID),
			    at = open("/", ROOT_DIR_FLAGS), sub = -EBADF;
	_cleanup_close_ int devfd = -EBADF;
	int r = mnt < 0 ? mnt : view_attach(mnt, at, "");

	if (r < 0)
		return err_set(e, r, "laying a private root over that of '%s'", p->label);
	r = p->view == VIEW_KIT ? fill_kit_root(p, mnt, target, e)
				: attach_all(root_entries, mnt, -EBADF, false);
	if (r < 0)
		return e->num ? r : err_set(e, r, "attaching the files of '%s' again", p->label);
	if (mkdirat(mnt, "dev", 0755) < 0 || mkdirat(mnt, "proc", 0755) < 0)
		return err_set(e, errno, "making /dev and /proc in a private root");
	sub = openat(mnt, "dev", ROOT_DIR_FLAGS);
	devfd = view_build_dev(p, dev, -EBADF, sub, e);
	if (devfd < 0)
		return devfd;
	if (fchdir(mnt) < 0 || chroot(".") < 0)
		return err_set(e, errno, "changing to the private root");
	return TAKE_FD(devfd);
}

static int build_in_place(const struct plan *p, const struct view_entries *dev, struct err *e)
{
	_cleanup_close_ int at = open("/dev", ROOT_DIR_FLAGS);

	if (at < 0)
		return err_set(e, errno, "opening /dev of '%s'", p->label);
	return view_build_dev(p, dev, -EBADF, at, e);
}

/* A procfs that matches the session's pid namespace, where the target's does not. */
static void build_proc(int proc_fd)
{
	_cleanup_close_ int at = proc_fd < 0 ? -EBADF : open("/proc", ROOT_DIR_FLAGS);

	if (at >= 0)
		view_attach(proc_fd, at, "");
}

int view_new_proc(int pid_ns)
{
	_cleanup_close_ int fs = fsopen("proc", FSOPEN_CLOEXEC);
	int mnt;

	if (fs < 0 ||
	    (pid_ns >= 0 && (fsconfig(fs, FSCONFIG_SET_FD, "pidns", NULL, pid_ns) < 0 ||
			     fsconfig(fs, FSCONFIG_SET_STRING, "subset", "pid", 0) < 0)) ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -EBADF;
	mnt = fsmount(fs, FSMOUNT_CLOEXEC,
		      MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	return mnt < 0 ? -EBADF : mnt;
}

int view_target_proc(const struct plan *p)
{
	_cleanup_close_ int ns = -EBADF;

	if (p->store || p->beside.on || !(p->ns_new & CLONE_NEWPID))
		return -EBADF;
	ns = openat(p->target->proc_fd, "ns/pid", O_RDONLY | O_CLOEXEC);
	return ns < 0 ? -EBADF : view_new_proc(ns);
}

void view_show_target_proc(int dev, int proc_fd)
{
	struct statfs fs;

	if (proc_fd >= 0 && fstatfs(proc_fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC &&
	    mkdirat(dev, VIEW_TARGET_PROC, 0555) == 0)
		view_attach(proc_fd, dev, VIEW_TARGET_PROC);
}

/* What has to be cloned before unshare(2): afterwards the mounts of a target with a user namespace
 * of its own are locked. */
struct clones {
	struct view_entries dev, root;
	int target, proc, target_proc;
};

static void clones_done(struct clones *c)
{
	view_entries_done(&c->dev);
	view_entries_done(&c->root);
	cleanup_close(&c->target);
	cleanup_close(&c->proc);
	cleanup_close(&c->target_proc);
}

static int clone_all(const struct plan *p, const struct view_parts *parts, struct clones *c)
{
	bool own_root = view_needs_root(p);
	enum view_how how = own_root || p->ns_join & CLONE_NEWUSER ? VIEW_CLONE : VIEW_NODES;
	const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE;
	int r = 0;

	if (p->kit.kind != KIT_NONE && p->shape.dev_dir) {
		_cleanup_close_ int dev = openat(p->root_fd, "dev", ROOT_DIR_FLAGS);

		r = dev < 0 ? -errno : view_entries_read(dev, skip_dev, how, &c->dev);
	}
	if (p->shape.proc_theirs && parts->target_proc < 0)
		c->target_proc =
			open_tree(p->root_fd, "proc",
				  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
	if (r < 0 || !own_root)
		return r;
	if (p->shape.proc_good && parts->proc_fd < 0)
		c->proc = open_tree(p->root_fd, "proc", flags | AT_SYMLINK_NOFOLLOW);
	if (p->view == VIEW_LIVE)
		return view_entries_read(p->root_fd, skip_root, VIEW_CLONE, &c->root);
	c->target = open_tree(p->root_fd, "", flags | AT_EMPTY_PATH);
	return c->target < 0 ? -errno : 0;
}

int view_build(const struct plan *p, const struct view_parts *parts, int *dev_fd, struct err *e)
{
	mode_t mask = umask(0);
	_cleanup_(clones_done) struct clones c = {
		.target = -EBADF, .proc = -EBADF, .target_proc = -EBADF};
	const struct view_entries *dev = p->shape.dev_dir ? &c.dev : parts->nodes;
	int r = clone_all(p, parts, &c);

	if (r < 0)
		return err_set(e, r, "cloning the files of '%s'", p->label);
	r = view_unshare(p, e);
	if (r < 0)
		return r;
	*dev_fd = -EBADF;
	if (view_needs_root(p))
		r = *dev_fd = build_root(p, dev, &c.root, c.target, e);
	else if (p->kit.kind != KIT_NONE)
		r = *dev_fd = build_in_place(p, dev, e);
	if (r >= 0)
		build_proc(c.proc >= 0 ? c.proc : parts->proc_fd);
	if (*dev_fd >= 0)
		view_show_target_proc(*dev_fd,
				      c.target_proc >= 0 ? c.target_proc : parts->target_proc);
	umask(mask);
	return r < 0 ? r : 0;
}

int view_unshare(const struct plan *p, struct err *e)
{
	/* the working directory moves with us into the copy of the namespace; the slave flag must
	 * go to the root of the whole namespace, which is not the target's root if that is a chroot
	 */
	if (fchdir(p->root_fd) < 0)
		return err_set(e, errno, "entering the root directory of '%s'", p->label);
	if (unshare(CLONE_NEWNS) < 0)
		return err_set(e, errno, "making a private mount namespace");
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return err_set(e, errno, "cutting the mounts off from those of '%s'", p->label);
	if (chroot(".") < 0)
		return err_set(e, errno, "changing to the root directory of '%s'", p->label);
	return 0;
}

/* Mounting and unmounting what visible_look() found. */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "session/visible.h"
#include "session/wire.h"
#include "session/within.h"
#include "sys/cred.h"
#include "sys/fsmount.h"
#include "sys/lsm.h"
#include "sys/ns.h"
#include "sys/title.h"

#define NAME "p" /* KIT_PREFIX in /dev */

/* One change under way. */
struct deed {
	const struct visible *v;
	int kit;		  /* detached mount; -EBADF: none */
	int at;			  /* the target's /dev, writable; -EBADF: none */
	struct timespec times[2]; /* of /dev, as they were and shall be */
	int watch[2];		  /* the watcher waits for the end of those who hold [1] */
	pid_t watcher;
};

#define DEED_INIT(visible)                                                                         \
	((struct deed){.v = (visible), .kit = -EBADF, .at = -EBADF, .watch = {-EBADF, -EBADF}})

static void deed_done(struct deed *d)
{
	cleanup_close(&d->kit);
	cleanup_close(&d->at);
	cleanup_close(&d->watch[0]);
	cleanup_close(&d->watch[1]);
}

/* What may have been left half done: the directory with nothing mounted on it, the times of /dev.
 */
static void settle(const struct deed *d)
{
	struct stat dev, p;

	if (d->at < 0)
		return;
	if (fstat(d->v->dev, &dev) == 0 && fstatat(d->v->dev, NAME, &p, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISDIR(p.st_mode) && p.st_dev == dev.st_dev)
		unlinkat(d->at, NAME, AT_REMOVEDIR);
	futimens(d->at, d->times);
}

/* --- the watcher: waits for the end of those who do it --- */

_Noreturn static void watcher_main(struct deed d)
{
	struct visible v = *d.v;
	int *const keep[] = {&d.watch[0], &v.dev, &d.at, &v.lock}; /* nobody between us and him */
	struct wire_msg m;
	int fd;

	fd_keep_only(keep, ARRAY_LEN(keep));
	setsid();
	title_set("ph-watch");
	d.v = &v;
	if (wire_recv(d.watch[0], &m, &fd) != 1)
		settle(&d);
	_exit(0);
}

static int watcher_start(struct deed *d, struct err *e)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, d->watch) < 0)
		return err_set(e, errno, "making a socket pair");
	d->watcher = fork();
	if (d->watcher == 0)
		watcher_main(*d);
	return d->watcher < 0 ? err_set(e, errno, "starting a process") : 0;
}

static void watcher_stop(const struct deed *d)
{
	const struct wire_msg done = {.type = WIRE_DONE};

	wire_send(d->watch[1], &done, -EBADF);
	waitpid(d->watcher, NULL, 0);
}

/* --- in the target's mount namespace, by a process of its own --- */

/* The same directory by a mount of our own that can be written to. */
static int writable_clone(const void *arg, struct err *e)
{
	const struct deed *d = arg;
	struct mount_attr attr = {.attr_clr = MOUNT_ATTR_RDONLY};
	int fd = open_tree(d->v->dev, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);

	if (fd < 0 || mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return err_set(e, errno, "/dev of '%s' is read-only", d->v->label);
	return fd;
}

static int open_at(struct deed *d, struct err *e)
{
	_cleanup_close_ int clone = -EBADF;
	struct statvfs fs;
	struct stat st;

	if (fstatvfs(d->v->dev, &fs) < 0 || fstat(d->v->dev, &st) < 0)
		return err_set(e, errno, "looking at /dev of '%s'", d->v->label);
	if (fs.f_flag & ST_RDONLY) {
		clone = within_mounts(d->v->target, d->v->label, writable_clone, d, e);
		if (clone < 0)
			return clone;
	}
	d->at = openat(clone < 0 ? d->v->dev : clone, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d->times[0] = st.st_atim;
	d->times[1] = st.st_mtim;
	return d->at < 0 ? err_set(e, errno, "opening /dev of '%s'", d->v->label) : 0;
}

/* Make the directory, or a link; in a file system of the target's user namespace as its root. */
static int make_name(const struct deed *d, const char *link)
{
	struct idmap m;
	int r = 0;

	for (int theirs = 0; theirs < 2; theirs++) {
		r = link ? symlinkat(link, d->at, NAME) : mkdirat(d->at, NAME, 0755);
		if (r == 0 || errno != EOVERFLOW || theirs)
			break;
		if (idmap_read(d->v->target->proc_fd, "gid_map", &m) == 0)
			setfsgid(idmap_to_outside(&m, idmap_first_inside(&m)));
		if (idmap_read(d->v->target->proc_fd, "uid_map", &m) == 0)
			setfsuid(idmap_to_outside(&m, idmap_first_inside(&m)));
	}
	r = r < 0 ? -errno : 0;
	setfsuid(geteuid());
	setfsgid(getegid());
	return r;
}

static int mount_here(const void *arg, struct err *e)
{
	const struct deed *d = arg;
	mode_t mask = umask(0);
	int r = make_name(d, NULL);

	umask(mask);
	if (r == -EROFS)
		err_say(e, EROFS, "/dev of '%s' is on a file system that is read-only for good",
			d->v->label);
	else if (r < 0)
		err_set(e, r, "making the directory " KIT_PREFIX " in '%s'", d->v->label);
	if (r < 0) {
		err_hint(e, "'porthole exec' works there all the same");
		return r;
	}
	return move_mount(d->kit, "", d->v->dev, NAME, MOVE_MOUNT_F_EMPTY_PATH) < 0
		       ? err_set(e, errno, "mounting the kit at " KIT_PREFIX " in '%s'",
				 d->v->label)
		       : 0;
}

/* --- */

static bool is_visible(const struct deed *d)
{
	_cleanup_close_ int fd =
		path_open_in_root(d->v->root, d->v->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat here, kit;

	return fd >= 0 && fstat(fd, &here) == 0 && fstat(d->kit, &kit) == 0 &&
	       here.st_dev == kit.st_dev;
}

static int mount_on_host(const struct deed *d, struct err *e)
{
	const struct visible *v = d->v;
	int r = 0;

	if (move_mount(d->kit, "", AT_FDCWD, v->host_path, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_set(e, errno, "mounting the kit at %s on the host", v->host_path);
	if (!is_visible(d))
		r = err_say(e, EIO, "a mount at %s on the host does not reach '%s'", v->host_path,
			    v->label);
	else if (v->link)
		r = make_name(d, v->path);
	if (r == -EEXIST) /* the link: looked at before */
		r = 0;
	if (r < 0 && !e->num)
		err_set(e, r, "making " KIT_PREFIX " a link to %s in '%s'", v->path, v->label);
	if (r < 0)
		umount2(v->host_path, MNT_DETACH | UMOUNT_NOFOLLOW);
	return r;
}

static int mount_watched(struct deed *d, struct err *e)
{
	int r = watcher_start(d, e);

	if (r == 0)
		r = d->v->way == VISIBLE_DIRECT
			    ? within_mounts(d->v->target, d->v->label, mount_here, d, e)
			    : mount_on_host(d, e);
	settle(d);
	if (r == 0 && !is_visible(d))
		r = err_say(e, EIO, "the kit was mounted in '%s', and cannot be seen there",
			    d->v->label);
	if (d->watcher > 0)
		watcher_stop(d);
	return r;
}

int visible_mount(const struct visible *v, const struct kit *k, enum kit_rung *rung, struct err *e)
{
	_cleanup_(deed_done) struct deed d = DEED_INIT(v);
	_cleanup_close_ int userns = -EBADF;
	struct lsm lsm;
	int r = 0;

	if (v->there)
		return err_say(e, EALREADY, "'%s' has a kit already", v->label);
	if (v->own_userns)
		userns = openat(v->target->proc_fd, "ns/user", O_RDONLY | O_CLOEXEC);
	lsm_read(v->target->proc_fd, &lsm);
	fs_label(lsm.files);
	d.kit = kit_mount(k, userns, rung, e);
	if (d.kit == -ENOSYS)
		return err_say(e, ENOSYS,
			       "a visible kit needs Linux 5.2 or later; 'porthole exec' does not");
	if (d.kit < 0)
		return d.kit;
	if (v->way == VISIBLE_DIRECT || v->link)
		r = open_at(&d, e);
	return r < 0 ? r : mount_watched(&d, e);
}

/* In one system call, made in our own mount namespace: mountpoint and mount. */
static int remove_direct(const struct deed *d, struct err *e)
{
	const struct visible *v = d->v;

	if (unlinkat(d->at, NAME, AT_REMOVEDIR) == 0)
		return 0;
	err_set(e, errno, "taking the kit away from '%s'", v->label);
	if (errno == ENOTEMPTY)
		err_hint(e, "there are files in the directory it lies over, put there on purpose");
	return -e->num;
}

static int remove_propagated(const struct deed *d, struct err *e)
{
	const struct visible *v = d->v;
	char text[PATH_MAX];

	if (d->at >= 0 && link_read_at(d->at, NAME, text, sizeof(text)) > 0 &&
	    str_eq(text, v->path))
		unlinkat(d->at, NAME, 0);
	return umount2(v->host_path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0
		       ? err_set(e, errno, "unmounting %s on the host", v->host_path)
		       : 0;
}

/* The kernel still has a file system of that number, which is of nobody else so soon: it is in use.
 */
static bool is_alive(dev_t fs)
{
#ifdef SYS_ustat
	char unused[64]; /* struct ustat is 32 bytes */

	return syscall(SYS_ustat, (unsigned)fs, unused) == 0 || errno != EINVAL;
#else
	return fs;
#endif
}

int visible_unmount(const struct visible *v, struct err *e)
{
	_cleanup_(deed_done) struct deed d = DEED_INIT(v);
	int r = 0;

	if (v->dev >= 0)
		r = open_at(&d, e);
	if (r < 0)
		return r;
	r = watcher_start(&d, e);
	if (r == 0)
		r = v->way == VISIBLE_DIRECT ? remove_direct(&d, e) : remove_propagated(&d, e);
	settle(&d);
	if (d.watcher > 0)
		watcher_stop(&d);
	return r < 0 ? r : is_alive(v->fs);
}

int visible_unmount_host(const char *path, struct err *e)
{
	_cleanup_mountinfo_ struct mountinfo ours = {};
	_cleanup_close_ int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = self < 0 ? -errno : mountinfo_read(self, &ours);

	if (r < 0)
		return err_set(e, r, "reading our mount table");
	for (size_t i = 0; i < ours.n; i++)
		if (str_eq(ours.v[i].target, path) && visible_is_kit(&ours.v[i]))
			return umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0
				       ? err_set(e, errno, "unmounting %s", path)
				       : 0;
	return err_say(e, ENOENT, "there is no kit at %s on the host", path);
}

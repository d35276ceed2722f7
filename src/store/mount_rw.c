/* A stopped container's files, to be written to: what its engine would mount at its next start. */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "base/fd.h"
#include "base/path.h"
#include "store/store.h"
#include "sys/fsmount.h"
#include "sys/mountinfo.h"
#include "sys/overlay.h"

#define ATTRS (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOATIME)

enum {
	PAUSE_MS = 20,
	LOCK_MS = 2000,	 /* others may have it so long before we say so */
	ENDING_MS = 100, /* for the mounts of who just had it */
};

/* Mount namespaces that were looked at. */
struct seen {
	ino_t *v;
	size_t n;
};

static void seen_done(struct seen *s)
{
	free(s->v);
}

/* Whether it is new; what there is no memory for is looked at again. */
static bool is_new(struct seen *s, ino_t ino)
{
	void *v;

	for (size_t i = 0; i < s->n; i++)
		if (s->v[i] == ino)
			return false;
	v = reallocarray(s->v, s->n + 1, sizeof(*s->v));
	if (v) {
		s->v = v;
		s->v[s->n++] = ino;
	}
	return true;
}

/* No two layers of any engine have the same ID/diff when it is so long; containerd only counts. */
enum { UNIQUE_MIN = 32 };

/* The last two names of a path: ID/diff. */
static const char *tail(const char *path)
{
	const char *p = path + strlen(path);

	for (int slashes = 0; p > path; p--)
		if (p[-1] == '/' && ++slashes == 2)
			break;
	return p;
}

/* Whether the upper directory `path`, as a process of /proc/PID sees it, is our first layer. One
 * that cannot be looked at is, if it is called so and no other can be, unless `surely`. */
static bool is_upper(const struct store *s, int pid_fd, const char *path, bool surely)
{
	_cleanup_close_ int root = -EBADF, fd = -EBADF;
	struct stat a, b;

	if (!str_eq(tail(path), tail(s->layers[0].path)))
		return false;
	root = openat(pid_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd = root < 0 || *path != '/' ? -EBADF : path_open_in_root(root, path, O_PATH);
	if (fd < 0 || fstat(fd, &a) < 0 || fstat(s->layers[0].fd, &b) < 0)
		return !surely &&
		       (str_eq(path, s->layers[0].path) || strlen(tail(path)) >= UNIQUE_MIN);
	return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* The overlay that has it as its upper directory, as a process of /proc/PID sees it; NULL: none. */
static const struct mount_row *find_mount(const struct store *s, int pid_fd, bool surely,
					  struct mountinfo *m)
{
	if (mountinfo_read(pid_fd, m) < 0)
		return NULL;
	for (size_t i = 0; i < m->n; i++) {
		size_t len = 0;
		const char *upper = str_eq(m->v[i].fstype, "overlay")
					    ? mountinfo_value(m->v[i].super, "upperdir", &len)
					    : NULL;
		_cleanup_free_ char *path = upper ? strndup(upper, len) : NULL;

		if (path && is_upper(s, pid_fd, path, surely))
			return &m->v[i];
	}
	return NULL;
}

/* Where it is mounted (a new string); NULL: nowhere. */
static char *where_mounted(const struct store *s, int pid_fd)
{
	_cleanup_mountinfo_ struct mountinfo m = {};
	const struct mount_row *row = find_mount(s, pid_fd, false, &m);

	return row ? str_printable_dup(row->target) : NULL;
}

/* Its engine left it mounted here, as containerd does until a task is removed, and podman mount:
 * that one is written to. -ENOENT: it did not, or something else is in that place. */
static int clone_mounted(const struct store *s, int proc_fd, struct err *e)
{
	_cleanup_close_ int self = openat(proc_fd, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_mountinfo_ struct mountinfo m = {};
	const struct mount_row *row = self < 0 ? NULL : find_mount(s, self, true, &m);
	_cleanup_close_ int fd = -EBADF;
	struct stat st;

	if (!row)
		return -ENOENT;
	fd = open(row->target, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_dev != makedev(row->major, row->minor) ||
	    !str_eq(row->root, "/"))
		return -ENOENT;
	return fs_clone_detached(fd, ATTRS, e);
}

/* Overlays that share an upper directory damage it. 0; -EBUSY when somebody has it mounted. */
static int check_unused(const struct store *s, int proc_fd, struct err *e)
{
	_cleanup_(seen_done) struct seen seen = {};
	_cleanup_dir_ DIR *d = dir_open(proc_fd, ".");
	struct dirent *de;

	if (!d)
		return err_set(e, errno, "looking for who has '%s' mounted", s->label);
	while ((de = readdir(d))) {
		_cleanup_close_ int pid = -EBADF;
		_cleanup_free_ char *at = NULL;
		struct stat ns;

		if (!isdigit((unsigned char)*de->d_name))
			continue;
		pid = openat(proc_fd, de->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (pid >= 0 && fstatat(pid, "ns/mnt", &ns, 0) == 0 && is_new(&seen, ns.st_ino))
			at = where_mounted(s, pid);
		if (!at)
			continue;
		err_say(e, EBUSY,
			"'%s' does not run, but its files are mounted at %s, and would be damaged "
			"if they were mounted to be written to a second time",
			s->label, at);
		err_hint(e, "start it, write there, or have it unmounted (ctr task rm, podman "
			    "unmount)");
		return -EBUSY;
	}
	return 0;
}

static int unknown(const struct store *s, const char *why, struct err *e)
{
	err_say(e, ENOTSUP, "'%s' does not run, and its files cannot be written to then: %s",
		s->label, why);
	err_hint(e, "start it, or use its engine's own cp");
	return -ENOTSUP;
}

static bool is_dir(int base, const char *name)
{
	struct stat st;

	return fstatat(base, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* The first layer's own name in `base`. NULL: it is another directory. */
static const char *upper_of(const struct store *s, int base)
{
	const char *name = strrchr(s->layers[0].path, '/');
	struct stat a, b;

	if (!name || fstat(s->layers[0].fd, &a) < 0 ||
	    fstatat(base, name + 1, &b, AT_SYMLINK_NOFOLLOW) < 0)
		return NULL;
	return a.st_dev == b.st_dev && a.st_ino == b.st_ino ? name + 1 : NULL;
}

/* What the kernel makes in the work directory is of who mounts; an engine without root has to
 * remove it. */
static void give_work(int base, const char *work)
{
	_cleanup_close_ int fd = openat(base, work, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0)
		(void)!fchownat(fd, "work", st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW);
}

static int mount_layers(const struct store *s, struct err *e)
{
	_cleanup_close_ int base = openat(s->layers[0].fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ int *lower = calloc(s->n_layers, sizeof(*lower));
	struct overlay o = {.lower = lower, .n = s->n_layers - 1, .base = base, .attrs = ATTRS};
	int r;

	if (base < 0 || !lower)
		return err_set(e, errno, "opening the storage of '%s'", s->label);
	o.user_xattr = s->user_xattr;
	o.upper = upper_of(s, base);
	o.work = is_dir(base, "work") ? "work" : is_dir(base, "olwork") ? "olwork" : NULL;
	if (!o.upper || !o.work)
		return unknown(s, "its storage has no work directory for overlayfs", e);
	for (size_t i = 1; i < s->n_layers; i++) {
		if (s->layers[i].ids_inside)
			return unknown(s, "its engine shows layers with other owners", e);
		lower[i - 1] = s->layers[i].fd;
	}
	r = overlay_mount(&o, e);
	if (r >= 0)
		give_work(base, o.work);
	return r;
}

static void wait_a_moment(void)
{
	nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000L}, NULL);
}

/* Nobody sees our mount until it is attached, if it is: so that no other porthole makes a second
 * one, the first layer is locked. The lock's descriptor, the caller's, or -EBUSY when somebody has
 * it for LOCK_MS. */
static int lock_layer(const struct store *s, struct err *e)
{
	_cleanup_close_ int fd = openat(s->layers[0].fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (int ms = 0; fd >= 0 && ms < LOCK_MS; ms += PAUSE_MS) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return TAKE_FD(fd);
		if (errno != EWOULDBLOCK)
			break;
		wait_a_moment();
	}
	if (fd < 0 || errno != EWOULDBLOCK)
		return err_set(e, errno, "locking the files of '%s'", s->label);
	err_say(e, EBUSY, "another porthole is writing to the files of '%s', which does not run",
		s->label);
	err_hint(e, "wait for it to end, and try again");
	return -EBUSY;
}

/* Its lock is gone a moment before the mounts of a process that ends. */
static int wait_unused(const struct store *s, int proc_fd, struct err *e)
{
	int r = check_unused(s, proc_fd, e);

	for (int ms = 0; r == -EBUSY && ms < ENDING_MS; ms += PAUSE_MS) {
		wait_a_moment();
		r = check_unused(s, proc_fd, e);
	}
	return r;
}

static int mount_alone(const struct store *s, int proc_fd, struct err *e)
{
	_cleanup_close_ int lock = lock_layer(s, e), fd = -EBADF;
	int r = lock < 0 ? lock : wait_unused(s, proc_fd, e);

	if (r < 0)
		return r;
	fd = mount_layers(s, e);
	if (fd < 0)
		return fd;
	r = check_unused(s, proc_fd, e); /* or it was started just now */
	if (r < 0)
		return r;
	(void)TAKE_FD(lock); /* this process's until it ends, as the mount may be */
	return TAKE_FD(fd);
}

int store_mount_rw(const struct store *s, int proc_fd, struct err *e)
{
	_cleanup_close_ int fd = -EBADF;
	int r;

	if (!s->own || s->n_layers == 0)
		return unknown(s, "it has no directory of its own", e);
	if (s->n_layers == 1)
		return fs_clone_detached(s->layers[0].fd,
					 ATTRS | (s->config.root_ro ? MOUNT_ATTR_RDONLY : 0), e);
	fd = clone_mounted(s, proc_fd, e);
	if (fd == -ENOENT)
		fd = mount_alone(s, proc_fd, e);
	if (fd < 0)
		return fd;
	r = s->config.root_ro ? fs_make_readonly(fd, e) : 0;
	return r < 0 ? r : TAKE_FD(fd);
}

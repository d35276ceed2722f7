#include "session/fresh.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "session/view.h"
#include "sys/fsmount.h"
#include "sys/loopback.h"

#define HOST_NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"

/* As in the OCI runtime specification's examples, and in every engine's default. */
static const char *const read_only[] = {"bus", "fs", "irq", "sys", "sysrq-trigger"};
static const char *const masked[] = {"acpi",	   "asound",	    "interrupts",  "kcore",
				     "keys",	   "latency_stats", "sched_debug", "scsi",
				     "timer_list", "timer_stats"};

/* The name it had; else of what its label says last, as much as can be in a host name. */
static int set_hostname(const struct plan *p)
{
	const char *had = p->beside.on ? NULL : p->store->config.hostname;
	const char *from = p->beside.on ? p->beside.name : p->label;
	char name[HOST_NAME_MAX + 1];
	size_t n = 0, len = strlen(from);

	if (had && *had)
		return sethostname(had, strnlen(had, HOST_NAME_MAX));
	while (len && from[len - 1] == '/')
		len--;
	for (size_t i = 0; i < len; i++)
		if (from[i] == '/')
			n = 0;
		else if (n < sizeof(name))
			name[n++] = strchr(HOST_NAME_CHARS, from[i]) ? from[i] : '-';
	return sethostname(name, n < HOST_NAME_MAX ? n : HOST_NAME_MAX);
}

int fresh_namespaces(const struct plan *p, struct err *e)
{
	if (unshare((int)(p->ns_new & ~(unsigned)(CLONE_NEWPID | CLONE_NEWNS))) < 0) {
		err_set(e, errno, "making namespaces for '%s'", p->label);
		if (errno == EPERM)
			err_hint(e, "this needs CAP_SYS_ADMIN: run with sudo");
		return -e->num;
	}
	if (p->ns_new & CLONE_NEWUTS && set_hostname(p) < 0)
		return err_set(e, errno, "setting the host name");
	if (p->ns_new & CLONE_NEWNET)
		loopback_up();
	return 0;
}

int fresh_sys(int *mnt, struct err *e)
{
	static const struct fs_opt none[] = {{}};

	*mnt = fs_mount_detached("sysfs", none,
				 MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
					 MOUNT_ATTR_NOEXEC,
				 NULL, e);
	return *mnt < 0 ? *mnt : 0;
}

/* In the directory NAME, which may be there. */
static int attach_in(int dev, const char *name, int mnt)
{
	int r = view_attach(mnt, dev, name);

	if (r != -ENOENT)
		return r;
	return mkdirat(dev, name, 0755) < 0 ? -errno : view_attach(mnt, dev, name);
}

static int mount_in(int dev, const char *name, const char *type, const struct fs_opt *opts, bool ro,
		    struct err *e)
{
	const uint64_t attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | (ro ? MOUNT_ATTR_RDONLY : 0);
	/* a devpts is made of devices */
	_cleanup_close_ int m = fs_mount_detached(
		type, opts, str_eq(type, "devpts") ? attrs : attrs | MOUNT_ATTR_NODEV, NULL, e);
	int r = m < 0 ? m : attach_in(dev, name, m);

	return r < 0 ? err_set(e, r, "making /dev/%s of the session", name) : 0;
}

int fresh_dev(const struct plan *p, int dev, int shm, struct err *e)
{
	static const char *const links[][2] = {
		{"fd", "/proc/self/fd"},       {"stdin", "/proc/self/fd/0"},
		{"stdout", "/proc/self/fd/1"}, {"stderr", "/proc/self/fd/2"},
		{"ptmx", "pts/ptmx"},
	};
	const struct fs_opt shm_opts[] = {
		{.key = "mode", .value = "1777"},
		{.key = "size", .value = *p->confined.shm_size ? p->confined.shm_size : "50%"},
		{}};
	static const struct fs_opt pts[] = {
		{.key = "ptmxmode", .value = "0666"}, {.key = "mode", .value = "0620"}, {}};
	static const struct fs_opt none[] = {{}};
	int r;

	for (size_t i = 0; i < ARRAY_LEN(links); i++)
		if (faccessat(dev, links[i][0], F_OK, AT_SYMLINK_NOFOLLOW) < 0 &&
		    symlinkat(links[i][1], dev, links[i][0]) < 0)
			return err_set(e, errno, "making /dev/%s of the session", links[i][0]);
	r = shm >= 0 && attach_in(dev, "shm", shm) == 0
		    ? 0
		    : mount_in(dev, "shm", "tmpfs", shm_opts, false, e);
	if (r == 0 && faccessat(dev, "pts/ptmx", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		r = mount_in(dev, "pts", "devpts", pts, false, e);
	if (r == 0)
		mount_in(dev, "mqueue", "mqueue", none, p->beside.ipc_ro,
			 NULL); /* not every kernel has it */
	return r;
}

static int cover_read_only(int proc, const char *name)
{
	_cleanup_close_ int m =
		open_tree(proc, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY, .propagation = MS_PRIVATE};

	if (m < 0)
		return errno == ENOENT ? 0 : -errno;
	if (mount_setattr(m, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return -errno;
	return view_attach(m, proc, name);
}

static int mask(int proc, int dev, const char *name)
{
	_cleanup_close_ int m = -EBADF;
	struct stat st;

	if (fstatat(proc, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	m = S_ISDIR(st.st_mode) ? view_new_tmpfs("4k", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID)
				: open_tree(dev, "null", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (m < 0)
		return S_ISDIR(st.st_mode) ? m : -errno;
	return view_attach(m, proc, name);
}

int fresh_proc(int proc, int dev, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(read_only) && r == 0; i++)
		r = cover_read_only(proc, read_only[i]);
	for (size_t i = 0; i < ARRAY_LEN(masked) && r == 0; i++)
		r = mask(proc, dev, masked[i]);
	return r < 0 ? err_set(e, r, "making /proc of the session safe") : 0;
}

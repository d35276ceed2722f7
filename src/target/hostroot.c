/*
 * The host's / from inside a container: one of our own mounts that shows it, by the mount tables of
 * the host and of ourselves, whatever it is called; else the root directory of a process that has
 * it.
 */
#include "target/hostroot.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "sys/mountinfo.h"
#include "sys/ns.h"
#include "sys/proc.h"

static bool is_procfs(int dir, const char *path)
{
	_cleanup_close_ int fd = openat(dir, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;

	return fd >= 0 && fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

/* Whether `proc_fd` (/proc) shows the processes of the machine itself. */
static bool host_procs_seen(int proc_fd)
{
	struct proc_stat st;

	return is_procfs(proc_fd, ".") && proc_stat_read_at(proc_fd, 2, &st) == 0 && st.kthread &&
	       str_eq(st.comm, "kthreadd");
}

/* The mounts of the host: of its process 1, or where that is closed to us, the kernel's own. */
static int read_hosts(int proc_fd, struct mountinfo *m)
{
	int r = -ENOENT;

	for (pid_t pid = 1; pid <= 2 && r < 0; pid++) {
		_cleanup_close_ int dir = proc_dir_open(proc_fd, pid);

		r = dir >= 0 ? mountinfo_read(dir, m) : dir;
	}
	return r;
}

static bool shows_same(const struct mount_row *a, const struct mount_row *b)
{
	return a->major == b->major && a->minor == b->minor && str_eq(a->root, b->root);
}

/* Where that mount is, if nothing is mounted over it. */
static int open_row(const struct mount_row *row)
{
	_cleanup_close_ int fd = open(row->target, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct statx st;

	if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0)
		return -ENOENT;
	if (st.stx_mask & STATX_MNT_ID && st.stx_mnt_id != (uint64_t)row->id)
		return -ENOENT;
	return TAKE_FD(fd);
}

/* The root of processes that have the host's. Where an initial ramdisk was left, kthreadd's is the
 * empty one below. */
static int of_process(int proc_fd)
{
	for (pid_t pid = 1; pid <= 2; pid++) {
		_cleanup_close_ int fd = proc_link_open(proc_fd, pid, "root");

		if (fd >= 0 && is_procfs(fd, "proc"))
			return TAKE_FD(fd);
	}
	return -ENOENT;
}

/* Whether process 1 or 2 has our own /: with many mounts, their tables take a millisecond. */
static bool is_theirs(int proc_fd)
{
	struct stat ours, theirs;

	if (stat("/", &ours) < 0)
		return false;
	for (pid_t pid = 1; pid <= 2; pid++) {
		_cleanup_close_ int fd = proc_link_open(proc_fd, pid, "root");

		if (fd >= 0 && fstat(fd, &theirs) == 0 && theirs.st_dev == ours.st_dev &&
		    theirs.st_ino == ours.st_ino)
			return true;
	}
	return false;
}

/* On the host itself this is all that is asked. Whoever is 2 in our own pid namespace will do, too.
 */
static bool is_hosts(int proc_fd, int self)
{
	static const struct ns_type mnt = {"mnt", "ns/mnt", CLONE_NEWNS};
	uint64_t ours = ns_inode(self, &mnt), theirs = proc_ns_inode_at(proc_fd, 2, mnt.name);

	return theirs ? ours == theirs : ns_is_booted(proc_fd, &mnt, ours) > 0;
}

int host_root_open(int proc_fd, char **path)
{
	_cleanup_close_ int self = openat(proc_fd, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_mountinfo_ struct mountinfo theirs = {}, ours = {};
	const struct mount_row *root, *own, *best = NULL;
	int fd;

	*path = NULL;
	if (self < 0 || is_hosts(proc_fd, self) || !host_procs_seen(proc_fd))
		return -ENOENT;
	if (is_theirs(proc_fd))
		return -EEXIST;
	if (read_hosts(proc_fd, &theirs) < 0 || mountinfo_read(self, &ours) < 0)
		return -ENOENT;
	root = mountinfo_root(&theirs);
	own = mountinfo_root(&ours);
	if (!root)
		return -ENOENT;
	if (own && shows_same(root, own))
		return -EEXIST;
	for (size_t i = 0; i < ours.n; i++) {
		const struct mount_row *row = &ours.v[i];

		if (shows_same(root, row) && (!best || strlen(row->target) < strlen(best->target)))
			best = row;
	}
	fd = best ? open_row(best) : -ENOENT;
	if (fd < 0)
		return of_process(proc_fd);
	*path = strdup(best->target);
	if (*path)
		return fd;
	close(fd);
	return -ENOMEM;
}

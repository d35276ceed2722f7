/*
 * A container with nothing in it: for checking kits. Its user namespace has no rights over the
 * host, so that no program run in it, with whatever option, can do harm.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "kit/check.h"
#include "sys/fsmount.h"
#include "sys/loopback.h"

#ifndef MOVE_MOUNT_F_EMPTY_PATH
#define MOVE_MOUNT_F_EMPTY_PATH 0x00000004
#endif

/* As root the container's ids are ones nobody has: global root may write many a file of /proc/sys.
 */
#define ID_BASE	 0x70000000u
#define ID_COUNT 65536u

static int write_map(const char *proc, const char *file, const char *text)
{
	char path[64];
	_cleanup_close_ int fd = -EBADF;

	snprintf(path, sizeof(path), "%s/%s", proc, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));
}

static int write_maps(const char *proc, unsigned uid, unsigned gid, unsigned count)
{
	char text[64];
	int r;

	snprintf(text, sizeof(text), "0 %u %u", uid, count);
	r = write_map(proc, "uid_map", text);
	snprintf(text, sizeof(text), "0 %u %u", gid, count);
	return r < 0 ? r : write_map(proc, "gid_map", text);
}

static int unshare_all(int flags, struct err *e)
{
	if (unshare(flags) == 0)
		return 0;
	err_set(e, errno, "cannot make namespaces for the check");
	err_hint(e, "it needs root, or a kernel that lets users make user namespaces");
	return -e->num;
}

/* A user namespace in which we are root and nobody else exists. */
static int unshare_alone(int flags, struct err *e)
{
	unsigned uid = geteuid(), gid = getegid();
	int r = unshare_all(CLONE_NEWUSER | flags, e);

	if (r < 0)
		return r;
	r = write_map("/proc/self", "setgroups", "deny");
	if (r == 0 || r == -ENOENT)
		r = write_maps("/proc/self", uid, gid, 1);
	return r < 0 ? err_set(e, r, "cannot map our ids for the check") : 0;
}

/* A user namespace with many ids; a process that stays outside must write its maps. */
static int unshare_mapped(int flags, struct err *e)
{
	char proc[32], byte = 0;
	int go[2], status = -1, r;
	pid_t pid;

	snprintf(proc, sizeof(proc), "/proc/%d", (int)getpid());
	if (pipe2(go, O_CLOEXEC) < 0)
		return err_set(e, errno, "cannot make a pipe");
	pid = fork();
	if (pid == 0) {
		close(go[1]);
		_exit(read(go[0], &byte, 1) != 1 ||
		      write_maps(proc, ID_BASE, ID_BASE, ID_COUNT) < 0);
	}
	close(go[0]);
	r = pid < 0 ? err_set(e, errno, "cannot start a process for the check")
		    : unshare_all(CLONE_NEWUSER | flags, e);
	if (r == 0 && write(go[1], &byte, 1) != 1)
		r = err_set(e, EIO, "cannot map the ids for the check");
	close(go[1]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r == 0 && status != 0)
		r = err_say(e, EPERM, "cannot map the ids for the check");
	/* new ids make us undumpable, and our children out of reach of ptrace */
	if (r == 0 &&
	    (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 1) < 0))
		r = err_set(e, errno, "cannot become root of the check");
	return r;
}

static int bind_device(const char *name, struct err *e)
{
	char from[64], to[64];
	_cleanup_close_ int fd = -EBADF;

	snprintf(from, sizeof(from), "/dev/%s", name);
	snprintf(to, sizeof(to), "dev/%s", name);
	fd = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0 || mount(from, to, NULL, MS_BIND, NULL) < 0)
		return err_set(e, errno, "cannot give the check %s", from);
	return 0;
}

/* The new root, on a tmpfs over /tmp of a mount namespace of our own; we stand in it afterwards. */
static int make_root(int kit_mnt, unsigned owner, struct err *e)
{
	static const char *const dirs[] = {"dev",  "dev/p", "dev/pts", "dev/shm",
					   "proc", "tmp",   "root",    "work"};
	static const char *const devices[] = {"null", "zero", "full", "random", "urandom", "tty"};
	char opts[96];
	int r;

	snprintf(opts, sizeof(opts), "mode=755,size=512m,uid=%u,gid=%u", owner, owner);
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("scratch", "/tmp", "tmpfs", MS_NOSUID, opts) < 0 || chdir("/tmp") < 0)
		return err_set(e, errno, "cannot make a root for the check");
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		if (mkdir(dirs[i], 0755) < 0 || chown(dirs[i], owner, owner) < 0)
			return err_set(e, errno, "cannot make /%s for the check", dirs[i]);
	for (size_t i = 0; i < ARRAY_LEN(devices); i++) {
		r = bind_device(devices[i], e);
		if (r < 0)
			return r;
	}
	if (symlink("pts/ptmx", "dev/ptmx") < 0 || symlink("/proc/self/fd", "dev/fd") < 0)
		return err_set(e, errno, "cannot make links in /dev for the check");
	if (syscall(SYS_move_mount, kit_mnt, "", AT_FDCWD, "dev/p", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_set(e, errno, "cannot attach the kit at " KIT_PREFIX);
	/* a new proc may only be mounted where another can be seen whole */
	if (mount("/proc", "proc", NULL, MS_BIND | MS_REC, NULL) < 0)
		return err_set(e, errno, "cannot make /proc for the check");
	return 0;
}

static int enter_root(struct err *e)
{
	if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return err_set(e, errno, "cannot enter the root of the check");
	return 0;
}

/* Without root an image cannot be mounted, in whatever namespace: a copy on a tmpfs. */
static int unpack_kit(const struct kit *k, enum kit_rung *rung, struct err *e)
{
	static const struct fs_opt opts[] = {{"mode", "755"}, {}};
	_cleanup_close_ int mnt = fs_mount_detached("tmpfs", opts, 0, NULL, e);
	int r = mnt < 0 ? mnt : kit_unpack(k, mnt, e);

	*rung = KIT_RUNG_UNPACK;
	if (r == 0)
		r = fs_make_readonly(mnt, e);
	return r < 0 ? r : TAKE_FD(mnt);
}

static int mount_kit(const char *spec, bool root, enum kit_rung *rung, struct err *e)
{
	_cleanup_kit_ struct kit k = KIT_INIT;
	int r = kit_find(spec, &k, e);

	if (r < 0)
		return r;
	if (k.kind == KIT_NONE)
		return err_say(e, EINVAL, "there is no kit to check");
	if (k.kind == KIT_IMAGE && !root)
		return unpack_kit(&k, rung, e);
	return kit_mount(&k, -1, rung, e);
}

int scratch_enter(const char *spec, enum kit_rung *rung, struct err *e)
{
	const int inner = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
	_cleanup_close_ int mnt = -EBADF;
	bool root = geteuid() == 0;
	int r = root ? 0 : unshare_alone(inner, e);

	if (r == 0)
		mnt = r = mount_kit(spec, root, rung, e);
	if (r >= 0 && root)
		r = unshare_all(CLONE_NEWNS, e);
	if (r >= 0)
		r = make_root(mnt, root ? ID_BASE : 0, e);
	if (r >= 0)
		r = enter_root(e);
	return r == 0 && root ? unshare_mapped(inner, e) : r;
}

int scratch_init(struct err *e)
{
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return err_set(e, errno, "cannot mount /proc for the check");
	if (mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
		  "newinstance,ptmxmode=0666,mode=620") < 0)
		return err_set(e, errno, "cannot mount /dev/pts for the check");
	loopback_up();
	return sethostname("scratch", 7) < 0 ? err_set(e, errno, "cannot set the host name") : 0;
}

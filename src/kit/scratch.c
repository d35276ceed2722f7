/*
 * A container with nothing in it: for checking kits. Its user namespace has no rights over the
 * host, so that no program run in it, with whatever option, can do harm.
 */
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "kit/check.h"

#ifndef MOVE_MOUNT_F_EMPTY_PATH
#define MOVE_MOUNT_F_EMPTY_PATH 0x00000004
#endif

/* Root of the new user namespace is whoever we are outside; nobody else exists. */
static int map_ids(uid_t uid, gid_t gid, struct err *e)
{
	const struct {
		const char *file;
		unsigned id;
	} maps[] = {{"/proc/self/uid_map", uid}, {"/proc/self/gid_map", gid}};
	_cleanup_close_ int deny = open("/proc/self/setgroups", O_WRONLY | O_CLOEXEC);

	if (deny >= 0 && fd_write_all(deny, "deny", 4) < 0)
		return err_set(e, EPERM, "cannot write setgroups");
	for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
		_cleanup_close_ int fd = open(maps[i].file, O_WRONLY | O_CLOEXEC);
		char text[32];
		int n = snprintf(text, sizeof(text), "0 %u 1", maps[i].id), r;

		r = fd < 0 ? -errno : fd_write_all(fd, text, (size_t)n);
		if (r < 0)
			return err_set(e, r, "cannot write %s", maps[i].file);
	}
	return 0;
}

static int unshare_all(int flags, struct err *e)
{
	if (unshare(flags) == 0)
		return 0;
	err_set(e, errno, "cannot make namespaces for the check");
	err_hint(e, "it needs root, or a kernel that lets users make user namespaces");
	return -e->num;
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
static int make_root(int kit_mnt, struct err *e)
{
	static const char *const dirs[] = {"dev",  "dev/p", "dev/pts", "dev/shm",
					   "proc", "tmp",   "root",    "work"};
	static const char *const devices[] = {"null", "zero", "full", "random", "urandom", "tty"};
	int r;

	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("scratch", "/tmp", "tmpfs", MS_NOSUID, "mode=755,size=512m") < 0 ||
	    chdir("/tmp") < 0)
		return err_set(e, errno, "cannot make a root for the check");
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		if (mkdir(dirs[i], 0755) < 0)
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

static int mount_kit(const char *spec, enum kit_rung *rung, struct err *e)
{
	_cleanup_kit_ struct kit k = KIT_INIT;
	int r = kit_find(spec, &k, e);

	if (r < 0)
		return r;
	if (k.kind == KIT_NONE)
		return err_say(e, EINVAL, "there is no kit to check");
	return kit_mount(&k, -1, rung, e);
}

int scratch_enter(const char *spec, enum kit_rung *rung, struct err *e)
{
	const int inner = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
	_cleanup_close_ int mnt = -EBADF;
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int r;

	if (uid == 0) {
		mnt = mount_kit(spec, rung, e);
		r = mnt < 0 ? mnt : unshare_all(CLONE_NEWNS, e);
		if (r == 0)
			r = make_root(mnt, e);
		if (r == 0)
			r = enter_root(e);
		return r == 0 && (r = unshare_all(CLONE_NEWUSER | inner, e)) == 0
			       ? map_ids(uid, gid, e)
			       : r;
	}
	r = unshare_all(CLONE_NEWUSER | inner, e);
	if (r == 0)
		r = map_ids(uid, gid, e);
	if (r == 0)
		mnt = r = mount_kit(spec, rung, e);
	if (r >= 0)
		r = make_root(mnt, e);
	return r < 0 ? r : enter_root(e);
}

static void loopback_up(void)
{
	_cleanup_close_ int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};

	if (s >= 0)
		(void)ioctl(s, SIOCSIFFLAGS, &ifr);
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

/* The root of a scratch container. See scratch.h. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "scratch.h"

#define STAGE "/tmp"
#define ROOT  STAGE "/r"

static int fail(const char *what)
{
	fprintf(stderr, "scratch: %s: %s\n", what, strerror(errno));
	return -1;
}

static int touch(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, mode);
	size_t len = strlen(text);

	if (fd < 0 || write(fd, text, len) != (ssize_t)len)
		return fail(path);
	return close(fd);
}

static int copy_app(const char *app)
{
	static char buf[65536];
	int in = open(app, O_RDONLY | O_CLOEXEC);
	int out = open(ROOT "/app", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	ssize_t n;

	if (in < 0 || out < 0)
		return fail(app);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, (size_t)n) != n)
			return fail("copy of the app");
	close(in);
	return close(out);
}

/* "/etc/passwd=TEXT", with its directories. */
static int add_file(const char *spec)
{
	char path[4096], *eq, *slash;

	if (snprintf(path, sizeof(path), ROOT "%s", spec) >= (int)sizeof(path) ||
	    !(eq = strchr(path, '=')))
		return fail(spec);
	*eq = '\0';
	for (slash = path + strlen(ROOT) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(path, 0755);
		*slash = '/';
	}
	return touch(path, strchr(spec, '=') + 1, 0644);
}

/* A device: made, or where a user namespace forbids that, the host's own bound there. */
static int add_device(const char *name, unsigned maj, unsigned min)
{
	char path[64], host[64];

	snprintf(path, sizeof(path), ROOT "/dev/%s", name);
	snprintf(host, sizeof(host), "/dev/%s", name);
	if (mknod(path, S_IFCHR | 0666, makedev(maj, min)) == 0)
		return chmod(path, 0666);
	if (errno != EPERM || touch(path, "", 0666) < 0)
		return fail(path);
	return mount(host, path, NULL, MS_BIND, NULL) < 0 ? fail(path) : 0;
}

static int add_dev(const struct scratch *s)
{
	if (s->dev == DEV_NONE)
		return 0;
	if (s->dev == DEV_LINK)
		return symlink("/", ROOT "/dev") < 0 ? fail("/dev link") : 0;
	mkdir(ROOT "/dev", 0755);
	if (mount("dev", ROOT "/dev", "tmpfs", MS_NOSUID, "mode=755,size=64k") < 0)
		return fail("/dev");
	if (add_device("null", 1, 3) || add_device("zero", 1, 5) || add_device("full", 1, 7) ||
	    add_device("random", 1, 8) || add_device("urandom", 1, 9) || add_device("tty", 5, 0))
		return -1;
	mkdir(ROOT "/dev/pts", 0755);
	mkdir(ROOT "/dev/shm", 01777);
	if (mount("devpts", ROOT "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
		  "newinstance,ptmxmode=0666,mode=620") < 0)
		return fail("/dev/pts");
	if (symlink("pts/ptmx", ROOT "/dev/ptmx") < 0 ||
	    symlink("/proc/self/fd", ROOT "/dev/fd") < 0)
		return fail("/dev links");
	if (s->dev == DEV_RO &&
	    mount(NULL, ROOT "/dev", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0)
		return fail("/dev read-only");
	return 0;
}

static int add_content(const struct scratch *s, const char *app)
{
	if (copy_app(app) < 0)
		return -1;
	for (int i = 0; i < s->n_files; i++)
		if (add_file(s->files[i]) < 0)
			return -1;
	return 0;
}

static int enter_root(const struct scratch *s)
{
	if (chdir(ROOT) < 0)
		return fail(ROOT);
	if (s->chroot)
		return chroot(".") < 0 ? fail("chroot") : 0;
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return fail("pivot_root");
	if (umount2(".", MNT_DETACH) < 0)
		return fail("umount of the old root");
	return chdir("/");
}

/* A tmpfs with the app alone, or the directory asked for, at ROOT. Both are held by descriptor: the
 * stage may hide them. */
static int mount_root(const struct scratch *s)
{
	const char *source = s->root ? s->root : s->app;
	int fd = open(source, O_PATH | O_CLOEXEC);
	char held[64];
	int ret = 0;

	snprintf(held, sizeof(held), "/proc/self/fd/%d", fd);
	if (fd < 0 || mount("stage", STAGE, "tmpfs", 0, "mode=755") < 0 || mkdir(ROOT, 0755) < 0)
		ret = fail(source);
	else if (s->root && mount(held, ROOT, NULL, MS_BIND | MS_REC, NULL) < 0)
		ret = fail(source);
	else if (!s->root && mount("root", ROOT, "tmpfs", 0, "mode=755") < 0)
		ret = fail("tmpfs");
	else if (!s->root)
		ret = add_content(s, held);
	if (fd >= 0)
		close(fd);
	return ret;
}

int scratch_root(const struct scratch *s)
{
	umask(0);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return fail("private mounts");
	if (mount_root(s) < 0)
		return -1;
	if (s->proc) {
		mkdir(ROOT "/proc", 0755);
		if (mount("proc", ROOT "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
			return fail("/proc");
	}
	if (add_dev(s) < 0)
		return -1;
	if (!s->rw && mount(NULL, ROOT, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0)
		return fail("read-only root");
	return enter_root(s);
}

/* Kits under a name of their own in mount tables; and directories as kits. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kit/kit.h"
#include "kit/rungs.h"
#include "sys/apart.h"
#include "sys/fsmount.h"

/* An empty tmpfs, detached. */
static int empty_dir(struct err *e)
{
	const struct fs_opt none[] = {{"size", "64k"}, {}};

	return fs_mount_detached("tmpfs", none, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, NULL, e);
}

int kit_mount_from(const struct kit *k, const char *path, bool ro, const char *offset, bool *opened,
		   struct err *e)
{
	const struct fs_opt opts[] = {
		{"source", k->label ?: path},
		{ro	  ? "ro"
		 : offset ? "fsoffset"
			  : NULL,
		 ro ? NULL : offset},
		{},
	};
	_cleanup_close_ int cwd = -EBADF, dir = -EBADF;
	int m;

	if (!k->label)
		return fs_mount_detached("erofs", opts, KIT_ATTRS, opened, e);
	*opened = false;
	cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	dir = empty_dir(e);
	if (dir < 0)
		return dir;
	if (cwd < 0 || symlinkat(path, dir, k->label) < 0 || fchdir(dir) < 0)
		return err_set(e, errno, "making a link to the kit");
	m = fs_mount_detached("erofs", opts, KIT_ATTRS, opened, e);
	if (fchdir(cwd) < 0 && m >= 0) {
		close(m);
		return err_set(e, errno, "going back to the working directory");
	}
	return m;
}

/* An overlay of the directory alone: read-only for good, whoever may remount it. The kernel wants a
 * second layer, which is empty. */
static int as_overlay(const struct kit *k, int dir, struct err *e)
{
	_cleanup_close_ int empty = empty_dir(e);
	char layers[96];
	const struct fs_opt opts[] = {{"source", k->label ?: "kit"}, {"lowerdir", layers}, {}};

	if (empty < 0)
		return empty;
	snprintf(layers, sizeof(layers), "/proc/self/fd/%d:/proc/self/fd/%d", dir, empty);
	return fs_mount_detached("overlay", opts, KIT_ATTRS, NULL, e);
}

int kit_rung_dir(const struct kit *k, int userns_fd, struct err *e)
{
	_cleanup_close_ int m = fs_clone_detached(k->fd, KIT_ATTRS, e);
	int over;

	if (m == -EPERM && !k->label) {
		m = apart_clone_dir(k->fd, KIT_ATTRS, e);
		if (m < 0)
			err_hint(e, "run with sudo; or with --kit none, which leaves you the "
				    "target's own tools");
		return TAKE_FD(m);
	}
	if (m == -ENOSYS) {
		err_say(e, ENOTSUP, "the kit %s is a directory, which needs Linux 5.12 or later",
			k->path);
		err_hint(e, "pack it: mkfs.erofs -zlz4hc kit.erofs %s", k->path);
		return -ENOTSUP;
	}
	if (m >= 0 && userns_fd >= 0)
		fs_idmap(m, userns_fd, NULL); /* see kit.h for what a refusal means */
	if (m < 0 || (!k->label && userns_fd < 0))
		return TAKE_FD(m);
	over = as_overlay(k, m, e);
	return over < 0 ? as_overlay(k, k->fd, e) : over; /* Linux before 6.15 takes no clone */
}

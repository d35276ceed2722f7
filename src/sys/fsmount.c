#include "sys/fsmount.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "sys/lsm.h"

/* Fill `e` with the sentence the kernel left in the context ("e erofs: ..."), or with strerror. */
static int refused(int fs_fd, int num, const char *type, const char *what, struct err *e)
{
	char log[256];
	ssize_t n = read(fs_fd, log, sizeof(log) - 1);

	if (n <= 2)
		return err_set(e, num, "cannot mount %s: %s", type, what);
	log[n] = '\0';
	log[strcspn(log, "\n")] = '\0';
	return err_set(e, num, "cannot mount %s: %s: %s", type, what, log + 2);
}

static char label[LSM_NAME_MAX];

void fs_label(const char *name)
{
	snprintf(label, sizeof(label), "%s", name);
}

static bool takes_label(const char *type)
{
	static const char *const all[] = {"erofs", "tmpfs", "overlay", "devpts"};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (str_eq(type, all[i]))
			return true;
	return false;
}

int fs_mount_context(int fd, const char *type, const struct fs_opt *opts, uint64_t attrs,
		     struct err *e)
{
	int m;

	for (; opts->key; opts++) {
		unsigned cmd = opts->is_fd   ? FSCONFIG_SET_FD
			       : opts->value ? FSCONFIG_SET_STRING
					     : FSCONFIG_SET_FLAG;

		if (fsconfig(fd, cmd, opts->key, opts->value, opts->is_fd ? opts->fd : 0) < 0)
			return refused(fd, errno, type, opts->key, e);
	}
	if (*label && takes_label(type) &&
	    fsconfig(fd, FSCONFIG_SET_STRING, "context", label, 0) < 0)
		return refused(fd, errno, type, label, e);
	if (fsconfig(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return refused(fd, errno, type, "create", e);
	m = fsmount(fd, FSMOUNT_CLOEXEC, (unsigned)attrs);
	return m < 0 ? refused(fd, errno, type, "fsmount", e) : m;
}

int fs_mount_detached(const char *type, const struct fs_opt *opts, uint64_t attrs, bool *opened,
		      struct err *e)
{
	_cleanup_close_ int fd = fsopen(type, FSOPEN_CLOEXEC);

	if (opened)
		*opened = fd >= 0;
	return fd < 0 ? err_set(e, errno, "cannot mount %s", type)
		      : fs_mount_context(fd, type, opts, attrs, e);
}

static int set_attr(int mnt_fd, struct mount_attr *attr)
{
	return mount_setattr(mnt_fd, "", AT_EMPTY_PATH, attr, sizeof(*attr)) < 0 ? -errno : 0;
}

int fs_make_readonly(int mnt_fd, struct err *e)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
	_cleanup_close_ int fd = -EBADF;
	int r = set_attr(mnt_fd, &attr);

	if (r == 0)
		return 0;
	if (r != -ENOSYS)
		return err_set(e, r, "cannot make a mount read-only");
	fd = fspick(mnt_fd, "", FSPICK_EMPTY_PATH | FSPICK_CLOEXEC);
	if (fd < 0 || fsconfig(fd, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0 ||
	    fsconfig(fd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) < 0)
		return err_set(e, errno, "cannot make a file system read-only");
	return 0;
}

int fs_idmap(int mnt_fd, int userns_fd, struct err *e)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns_fd};
	int r = set_attr(mnt_fd, &attr);

	return r < 0 ? err_set(e, r, "cannot id-map a mount") : 0;
}

int fs_too_old(struct err *e)
{
	err_say(e, ENOSYS, "this kernel is too old to put such files together");
	err_hint(e, "it takes mount_setattr(2) of Linux 5.12 or later");
	return -ENOSYS;
}

int fs_clone_detached(int dir_fd, uint64_t attrs, struct err *e)
{
	_cleanup_close_ int m =
		open_tree(dir_fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	/* what is done with access times is one choice of several: the old one must go first */
	struct mount_attr attr = {.attr_set = attrs,
				  .attr_clr = attrs & MOUNT_ATTR__ATIME ? MOUNT_ATTR__ATIME : 0,
				  .propagation = MS_PRIVATE};
	int r;

	if (m < 0 && errno == EINVAL)
		return err_say(e, EINVAL,
			       "what is in another mount namespace cannot be mounted here");
	if (m < 0)
		return err_set(e, errno, "cannot clone a mount");
	r = set_attr(m, &attr);
	if (r == -EPERM && attr.attr_clr) { /* locked, as it came from another user namespace */
		attr.attr_set &= ~(uint64_t)MOUNT_ATTR__ATIME & ~(uint64_t)MOUNT_ATTR_NODIRATIME;
		attr.attr_clr = 0;
		r = set_attr(m, &attr);
	}
	if (r == -ENOSYS)
		return fs_too_old(e);
	if (r < 0)
		return err_set(e, r, "cannot set a mount's attributes");
	return TAKE_FD(m);
}

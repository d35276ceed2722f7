#include "entry/root.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>

#include "base/path.h"
#include "sys/fsmount.h"
#include "sys/idmap.h"

#define ATTRS (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOATIME)

/* What is mounted there: a copy of its source, or an empty tmpfs. */
static int mount_source(const struct store_mount *m, int userns)
{
	static const struct fs_opt none[] = {{"size", "4k"}, {}};
	int fd = -EINVAL;

	if (m->tmpfs)
		return fs_mount_detached("tmpfs", none, ATTRS, NULL, NULL);
	if (userns >= 0)
		fd = store_mount_mapped(m, ATTRS, userns);
	/* else owners are as on disk: they are only shown */
	return fd < 0 ? fs_clone_detached(m->fd, ATTRS, NULL) : fd;
}

static void mount_all(const struct store *s, int root, int userns)
{
	for (size_t i = 0; i < s->n_mounts; i++) {
		const struct store_mount *m = &s->mounts[i];
		_cleanup_close_ int at = -EBADF, fd = -EBADF;

		if (m->missing || (!m->tmpfs && m->fd < 0))
			continue;
		at = path_open_in_root(root, m->dest, O_PATH);
		fd = at < 0 ? -EBADF : mount_source(m, userns);
		if (fd >= 0)
			(void)!move_mount(fd, "", at, "",
					  MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
	}
}

int entry_root_of_store(const struct store *s, struct entry *en, struct err *e)
{
	_cleanup_close_ int root = store_mount_ro(s, &en->ids_inside, e), userns = -EBADF;

	if (root < 0)
		return root;
	if (en->ids_inside)
		userns = idmap_userns(s->uid_map, s->gid_map, NULL);
	mount_all(s, root, userns);
	return TAKE_FD(root);
}

int entry_root_of_target(const struct target *t, struct err *e)
{
	int root = openat(t->proc_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root >= 0)
		return root;
	err_set(e, errno, "opening the root directory of '%s'", t->name);
	if (errno == EACCES || errno == EPERM)
		err_hint(e, "this needs root with CAP_SYS_PTRACE: run with sudo");
	return -e->num;
}

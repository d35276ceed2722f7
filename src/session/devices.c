#include "session/devices.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

#define EVENTS (IN_CREATE | IN_DELETE | IN_MOVE | IN_ONLYDIR)

int devices_mount(const struct view_parts *parts, bool kit, struct devices *d)
{
	/* not made in the overlay once it stands, which takes thrice as long */
	static const char *const own[] = {"mqueue", "p", NULL}, *const no_kit[] = {"mqueue", NULL};
	const struct overlay o = {
		.lower = &d->from,
		.n = 1,
		.scratch = parts->scratch,
		.name = "dev",
		.attrs = MOUNT_ATTR_NOSUID,
		.dirs = kit ? own : no_kit,
	};
	struct mount_attr cut = {.propagation = MS_PRIVATE};

	if (!parts->scratch)
		return -ENOTSUP;
	d->from = open_tree(AT_FDCWD, "/dev", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	/* or what is laid over it would lie over the host's, too */
	if (d->from < 0 || mount_setattr(d->from, "", AT_EMPTY_PATH, &cut, sizeof(cut)) < 0)
		return -errno;
	d->watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (d->watch >= 0 && inotify_add_watch(d->watch, "/dev", EVENTS) < 0) {
		cleanup_close(&d->watch);
		d->watch = -EBADF;
	}
	return overlay_mount(&o, NULL);
}

/* A directory is a mount of the host's, as those are that were there from the start. */
static void settle_dir(const struct devices *d, const char *name)
{
	const struct view_entry en = {.name = (char *)name, .dir = true};
	_cleanup_close_ int mnt =
		open_tree(d->from, name,
			  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW | AT_RECURSIVE);
	struct mount_attr attr = {.propagation = MS_SLAVE};

	if (mnt >= 0 &&
	    mount_setattr(mnt, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) == 0 &&
	    view_entry_make(d->to, &en) == 0)
		view_attach(mnt, d->to, name);
}

/* What lies over a directory that is gone; the container's own mounts have no place of the host's
 * below them. */
static void let_go(const struct devices *d, const char *name)
{
	_cleanup_free_ char *path = str_fmt("/dev/%s", name);
	struct stat st, host;

	if (path && fstatat(d->to, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    fstat(d->from, &host) == 0 && st.st_dev == host.st_dev)
		umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
}

/* Remove what is there, which fails where the container has mounted something. */
static void settle_one(const struct devices *d, const char *name)
{
	struct view_entry en = {.name = (char *)name, .fd = -EBADF};
	char link[PATH_MAX];
	struct stat now;
	bool is = fstatat(d->from, name, &en.node, AT_SYMLINK_NOFOLLOW) == 0;
	bool was = fstatat(d->to, name, &now, AT_SYMLINK_NOFOLLOW) == 0;

	if (was && S_ISDIR(now.st_mode))
		let_go(d, name);
	if (is && was && en.node.st_rdev && now.st_rdev == en.node.st_rdev &&
	    now.st_mode == en.node.st_mode)
		return;
	if (is && was && S_ISDIR(en.node.st_mode) && S_ISDIR(now.st_mode))
		was = false; /* as it is; a place for the mount */
	if (was && unlinkat(d->to, name, S_ISDIR(now.st_mode) ? AT_REMOVEDIR : 0) < 0)
		return;
	if (is && S_ISDIR(en.node.st_mode)) {
		settle_dir(d, name);
		return;
	}
	if (is && S_ISLNK(en.node.st_mode)) {
		if (link_read_at(d->from, name, link, sizeof(link)) < 0)
			return;
		en.link = link;
	}
	if (is && (en.link || en.node.st_rdev))
		view_entry_make(d->to, &en);
}

void devices_settle(struct devices *d)
{
	_Alignas(struct inotify_event) char buf[4096];
	mode_t mask = umask(0);
	ssize_t n;

	while ((n = read(d->watch, buf, sizeof(buf))) > 0)
		for (char *at = buf; at < buf + n;) {
			const struct inotify_event *ev = (const struct inotify_event *)at;

			if (ev->len)
				settle_one(d, ev->name);
			at += sizeof(*ev) + ev->len;
		}
	umask(mask);
}

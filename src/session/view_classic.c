/* The view with mount(2) alone, for kernels (or seccomp filters) without the calls by descriptor. A
 * tmpfs is filled on a stage, any directory of the target's root, and then moved into place. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "session/view.h"

static const char *const skip_dev[] = {"p", PLAN_SCRATCH_NAME, NULL};
static const char *const skip_root[] = {"dev", "proc", NULL};

/* Bind an entry of `from` to the same name on the stage. */
static int bind_entry(const char *from, const char *to, int to_fd, const struct view_entry *en)
{
	char src[PATH_MAX], dst[PATH_MAX];
	int r = view_entry_make(to_fd, en);

	if (r < 0 || en->link)
		return r;
	if (snprintf(src, sizeof(src), "%s/%s", from, en->name) >= (int)sizeof(src) ||
	    snprintf(dst, sizeof(dst), "%s/%s", to, en->name) >= (int)sizeof(dst))
		return -ENAMETOOLONG;
	return mount(src, dst, NULL, MS_BIND | MS_REC, NULL) < 0 ? -errno : 0;
}

/* Every entry of `from` again on `to`; entries that cannot be bound are left out, as the other view
 * does. */
static int bind_all(const char *from, const char *to, const char *const *skip)
{
	_cleanup_entries_ struct view_entries l = {};
	_cleanup_close_ int dir = open(from, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_close_ int dst = open(to, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = dir < 0 || dst < 0 ? -errno : view_entries_read(dir, skip, VIEW_LIST, &l);

	for (size_t i = 0; i < l.n && r == 0; i++) {
		r = bind_entry(*from == '/' && !from[1] ? "" : from, to, dst, &l.v[i]);
		if (r == -ENOENT || r == -EACCES || r == -EINVAL)
			r = 0;
	}
	return r;
}

/* Any directory of the root that is not /dev: nothing is written there, a tmpfs lies over it. */
static int find_stage(char *out, size_t size)
{
	_cleanup_dir_ DIR *d = opendir("/");
	struct dirent *de;
	struct stat st;

	while (d && (de = readdir(d)))
		if (de->d_name[0] != '.' && !str_eq(de->d_name, "dev") &&
		    fstatat(dirfd(d), de->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISDIR(st.st_mode) && snprintf(out, size, "/%s", de->d_name) < (int)size)
			return 0;
	return -ENOENT;
}

static int fill_dev(const struct plan *p, const struct view_parts *parts, const char *dev,
		    struct err *e)
{
	_cleanup_close_ int fd = open(dev, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char kit[PATH_MAX];
	enum kit_rung rung;
	int r = p->scratch ? view_make_scratch(fd) : 0;

	if (r < 0)
		return err_set(e, r, "making " PLAN_SCRATCH " for temporary files");
	if (p->shape.dev_dir)
		r = bind_all("/dev", dev, skip_dev);
	if (r < 0)
		return err_set(e, r, "attaching the entries of /dev of '%s' again", p->label);
	if (snprintf(kit, sizeof(kit), "%s/p", dev) >= (int)sizeof(kit) || mkdir(kit, 0755) < 0)
		return err_set(e, errno, "making room for the kit at " KIT_PREFIX);
	return kit_mount_at(&p->kit, parts->kit_ready, kit, dev, &rung, e);
}

/* The target's root again at `to`, below the stage, with what the stage lies over. */
static int bind_root(const char *stage, const char *to)
{
	char covered[PATH_MAX];

	if (snprintf(covered, sizeof(covered), "%s%s", to, stage) >= (int)sizeof(covered))
		return -ENAMETOOLONG;
	return mkdir(to, 0755) < 0 || mount("/", to, NULL, MS_BIND | MS_REC, NULL) < 0 ||
			       umount2(covered, MNT_DETACH | UMOUNT_NOFOLLOW) < 0
		       ? -errno
		       : 0;
}

/* Every entry of the target's root on the stage. */
static int bind_live(const char *stage, const char *at)
{
	int r = bind_root(stage, at);

	if (r == 0)
		r = bind_all(at, stage, skip_root);
	if (r == 0 && (umount2(at, MNT_DETACH) < 0 || rmdir(at) < 0))
		r = -errno;
	return r;
}

static int fill_root(const struct plan *p, const struct view_parts *parts, const char *stage,
		     struct err *e)
{
	_cleanup_close_ int root = open(stage, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char sub[PATH_MAX];
	int r;

	snprintf(sub, sizeof(sub), p->view == VIEW_LIVE ? "%s/.porthole" : "%s/target", stage);
	if (p->view == VIEW_LIVE) {
		r = bind_live(stage, sub);
	} else {
		r = view_fill_kit_root(root, VIEW_TARGET_ETC);
		if (r == 0)
			r = bind_root(stage, sub);
	}
	if (r < 0)
		return err_set(e, r, "attaching the files of '%s' again", p->label);
	snprintf(sub, sizeof(sub), "%s/proc", stage);
	if (mkdir(sub, 0755) < 0)
		return err_set(e, errno, "making /proc in a private root");
	if (mount("proc", sub, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0 &&
	    p->shape.proc_dir)
		mount("/proc", sub, NULL, MS_BIND | MS_REC, NULL);
	snprintf(sub, sizeof(sub), "%s/dev", stage);
	if (mkdir(sub, 0755) < 0)
		return err_set(e, errno, "making /dev in a private root");
	return fill_dev(p, parts, sub, e);
}

int view_build_classic(const struct plan *p, const struct view_parts *parts, struct err *e)
{
	bool own_root = view_needs_root(p);
	char stage[300];
	int r = view_unshare(p, e);

	if (r < 0 || p->kit.kind == KIT_NONE)
		return r;
	if (find_stage(stage, sizeof(stage)) < 0)
		return err_say(
			e, ENOTSUP,
			"'%s' has no directory to build the session's view on (this kernel lacks "
			"move_mount(2), Linux 5.2)",
			p->label);
	if (mount("porthole", stage, "tmpfs", MS_NOSUID, "mode=0755,size=16m") < 0)
		return err_set(e, errno, "mounting a tmpfs for the session");
	r = own_root ? fill_root(p, parts, stage, e) : fill_dev(p, parts, stage, e);
	if (r < 0)
		return r;
	if (own_root)
		return chdir(stage) < 0 || chroot(".") < 0
			       ? err_set(e, errno, "changing to the private root")
			       : 0;
	if (mount(stage, "/dev", NULL, MS_MOVE, NULL) < 0)
		return err_set(e, errno, "laying a private /dev over that of '%s'", p->label);
	if (!p->shape.proc_good && p->shape.proc_dir)
		mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	return 0;
}

#include "sys/overlay.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "sys/fsmount.h"
#include "sys/overlay_priv.h"

int overlay_scratch_open(struct overlay_scratch *s, uint64_t size, int proc, struct err *e)
{
	char text[32] = "50%";
	const struct fs_opt opts[] = {
		{.key = "mode", .value = "0700"}, {.key = "size", .value = text}, {}};

	*s = OVERLAY_SCRATCH_INIT;
	s->proc = proc;
	if (size)
		snprintf(text, sizeof(text), "%llu", (unsigned long long)size);
	s->dir = fs_mount_detached("tmpfs", opts, MOUNT_ATTR_NODEV, NULL, e);
	return s->dir < 0 ? s->dir : 0;
}

void overlay_scratch_done(struct overlay_scratch *s)
{
	cleanup_close(&s->dir);
	cleanup_close(&s->ns);
	*s = OVERLAY_SCRATCH_INIT;
}

int overlay_make_upper(const struct overlay *o, int *upper, int *work, struct err *e)
{
	_cleanup_close_ int dir = -EBADF;
	struct stat st;

	if (!path_is_component(o->name))
		return err_set(e, EINVAL, "naming the changes of an overlay");
	if (fstat(o->lower[0], &st) < 0)
		return err_set(e, errno, "looking at the first layer of an overlay");
	if (mkdirat(o->scratch->dir, o->name, 0700) < 0 && errno != EEXIST)
		return err_set(e, errno, "making room for changes");
	dir = openat(o->scratch->dir, o->name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 || (mkdirat(dir, "u", 0700) < 0 && errno != EEXIST) ||
	    (mkdirat(dir, "w", 0700) < 0 && errno != EEXIST) ||
	    fchownat(dir, "u", st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(dir, "u", st.st_mode & 07777, 0) < 0)
		return err_set(e, errno, "making room for changes");
	*upper = openat(dir, "u", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	for (size_t i = 0; *upper >= 0 && o->dirs && o->dirs[i]; i++)
		if (mkdirat(*upper, o->dirs[i], 0755) < 0 && errno != EEXIST)
			return err_set(e, errno, "making room for changes");
	*work = openat(dir, "w", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return *upper < 0 || *work < 0 ? err_set(e, errno, "making room for changes") : 0;
}

static int open_upper(const struct overlay *o, int *upper, int *work, struct err *e)
{
	*upper = openat(o->base, o->upper, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	*work = openat(o->base, o->work, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return *upper < 0 || *work < 0 ? err_set(e, errno, "opening an upper directory") : 0;
}

size_t overlay_features(const struct overlay *o, struct fs_opt out[OVERLAY_FEATURES])
{
	size_t n = 0;

	if (o->user_xattr) {
		out[n++] = (struct fs_opt){.key = "userxattr"};
		return n; /* the kernel follows nothing that users may have made */
	}
	if (o->scratch || o->upper) {
		out[n++] = (struct fs_opt){.key = "redirect_dir",
					   .value = o->upper ? "follow" : "nofollow"};
		out[n++] = (struct fs_opt){.key = "metacopy", .value = "off"};
		out[n++] = (struct fs_opt){.key = "index", .value = "off"};
	} else {
		out[n++] = (struct fs_opt){.key = "redirect_dir", .value = "follow"};
		out[n++] = (struct fs_opt){.key = "metacopy", .value = "on"};
	}
	return n;
}

/* All by descriptor: Linux 6.13 takes layers so, 6.15 such that are attached nowhere. `fs` has the
 * first of them. */
static int mount_direct(const struct overlay *o, int fs, int upper, int work, struct err *e)
{
	_cleanup_free_ struct fs_opt *opts = calloc(o->n + OVERLAY_FEATURES + 3, sizeof(*opts));
	size_t n = 0;

	if (!opts)
		return err_set(e, ENOMEM, "mounting an overlay");
	n = overlay_features(o, opts);
	for (size_t i = 1; i < o->n; i++)
		opts[n++] = (struct fs_opt){.key = "lowerdir+", .fd = o->lower[i], .is_fd = true};
	if (upper >= 0) {
		opts[n++] = (struct fs_opt){.key = "upperdir", .fd = upper, .is_fd = true};
		opts[n++] = (struct fs_opt){.key = "workdir", .fd = work, .is_fd = true};
	}
	return fs_mount_context(fs, "overlay", opts, o->attrs, e);
}

/* What mount_direct() goes on with. 1; 0: it cannot be (before Linux 6.15, or an old libc's seccomp
 * filter is in the way); -errno. An overlay that is begun in vain costs a grace period. */
static int begin_direct(const struct overlay *o, int *fs, struct err *e)
{
	unsigned major = 0, minor = 0;
	struct utsname u;

	if (uname(&u) < 0 || sscanf(u.release, "%u.%u", &major, &minor) != 2 || major < 6 ||
	    (major == 6 && minor < 15))
		return 0;
	*fs = fsopen("overlay", FSOPEN_CLOEXEC);
	if (*fs < 0)
		return err_set(e, errno, "cannot mount overlay");
	return fsconfig(*fs, FSCONFIG_SET_FD, "lowerdir+", NULL, o->lower[0]) == 0;
}

int overlay_mount(const struct overlay *o, struct err *e)
{
	_cleanup_close_ int upper = -EBADF, work = -EBADF, fs = -EBADF;
	int r;

	if (o->n == 0 || o->n > OVERLAY_LAYERS_MAX)
		return err_set(e, o->n ? E2BIG : EINVAL, "mounting an overlay of %zu layers", o->n);
	if (o->n == 1 && !o->scratch && !o->upper)
		return fs_clone_detached(o->lower[0], o->attrs | MOUNT_ATTR_RDONLY, e);
	r = o->scratch && o->scratch->ns >= 0 ? 0 : begin_direct(o, &fs, e);
	if (r <= 0)
		return r < 0 ? r : overlay_mount_staged(o, e);
	r = o->scratch ? overlay_make_upper(o, &upper, &work, e)
	    : o->upper ? open_upper(o, &upper, &work, e)
		       : 0;
	return r < 0 ? r : mount_direct(o, fs, upper, work, e);
}

#include "session/rescue.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "session/copy.h"
#include "session/view.h"

struct work {
	struct rescue *r;
	uint64_t max;	 /* bytes; 0: the usual */
	struct buf path; /* of the directory we are in, without a slash at its end */
};

void rescue_done(struct rescue *r)
{
	cleanup_close(&r->mnt);
	strv_done(&r->names);
	*r = RESCUE_INIT;
}

/* Owner, mode and times, through a descriptor that is not O_PATH. */
static int like(int fd, const struct stat *st)
{
	const struct timespec times[2] = {st->st_atim, st->st_mtim};

	return fchown(fd, st->st_uid, st->st_gid) < 0 || fchmod(fd, st->st_mode & 07777) < 0 ||
			       futimens(fd, times) < 0
		       ? -errno
		       : 0;
}

/* Marks of overlayfs: those of an engine without root are called user.*. */
static bool marked(int fd, const char *mark)
{
	char name[64], value[8];

	snprintf(name, sizeof(name), "trusted.overlay.%s", mark);
	if (fgetxattr(fd, name, value, sizeof(value)) >= 0)
		return true;
	snprintf(name, sizeof(name), "user.overlay.%s", mark);
	return fgetxattr(fd, name, value, sizeof(value)) >= 0;
}

static int copy_regular(int from, int to, const char *name, const struct stat *st, struct rescue *r)
{
	_cleanup_close_ int in = -EBADF, out = -EBADF;
	int ret;

	in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOATIME | O_CLOEXEC);
	if (in < 0 || marked(in, "metacopy")) /* its bytes are in the layer below */
		return in < 0 ? -errno : -ENODATA;
	out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0)
		return -errno;
	ret = copy_bytes(in, out) ?: like(out, st);
	if (ret == 0) {
		r->bytes += (uint64_t)st->st_size;
		r->files++;
	}
	return ret;
}

static int regular(int from, int to, const char *name, const struct stat *st, struct work *w)
{
	if ((uint64_t)st->st_size > (w->max ? w->max : RESCUE_FILE_MAX) ||
	    w->r->bytes + (uint64_t)st->st_size > (w->max ? w->max : RESCUE_BYTES_MAX))
		return -EFBIG;
	return copy_regular(from, to, name, st, w->r);
}

/* Anything but a file or directory: links, and whiteouts among the devices. */
static int special(int from, int to, const char *name, const struct stat *st)
{
	char link[PATH_MAX];

	if (S_ISLNK(st->st_mode)) {
		if (link_read_at(from, name, link, sizeof(link)) < 0 ||
		    symlinkat(link, to, name) < 0)
			return -EIO;
	} else if (mknodat(to, name, st->st_mode, st->st_rdev) < 0) {
		return -errno;
	}
	return fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static void copy_dir(int from, int to, int depth, struct work *w);

static int directory(int from, int to, const char *name, const struct stat *st, int depth,
		     struct work *w)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	_cleanup_close_ int in = openat(from, name, flags | O_NOATIME), out = -EBADF;

	if (in < 0 || depth == RESCUE_DEPTH_MAX || mkdirat(to, name, 0700) < 0)
		return -EIO;
	out = openat(to, name, flags);
	if (out < 0)
		return -errno;
	if (marked(in, "opaque") && fsetxattr(out, "trusted.overlay.opaque", "y", 1, 0) < 0)
		return -errno;
	copy_dir(in, out, depth + 1, w);
	return like(out, st);
}

static void miss(struct work *w)
{
	struct rescue *r = w->r;

	r->missed++;
	if (r->names.n < RESCUE_NAMED)
		strv_push(&r->names, str_printable_dup(w->path.len ? w->path.data : "/"));
}

/* w->path is the path of the entry. */
static int copy_entry(int from, int to, const char *name, int depth, struct work *w)
{
	struct stat st;
	int r;

	if (w->r->files + w->r->missed > RESCUE_ENTRIES_MAX)
		return -E2BIG;
	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return directory(from, to, name, &st, depth, w);
	if (!S_ISREG(st.st_mode)) {
		r = special(from, to, name, &st);
		w->r->files += r == 0;
		return r;
	}
	return regular(from, to, name, &st, w);
}

static void copy_dir(int from, int to, int depth, struct work *w)
{
	_cleanup_dir_ DIR *d = dir_open(from, ".");
	struct dirent *de;
	size_t len = w->path.len;

	if (!d) {
		miss(w);
		return;
	}
	for (int left = RESCUE_ENTRIES_MAX; left > 0 && (de = dir_next(d)); left--) {
		buf_putc(&w->path, '/');
		buf_puts(&w->path, de->d_name);
		if (w->path.oom) {
			w->r->missed++;
			return;
		}
		if (copy_entry(from, to, de->d_name, depth, w) < 0) {
			unlinkat(to, de->d_name, 0); /* half a file is worse than what lies below */
			miss(w);
		}
		w->path.len = len;
		w->path.data[len] = '\0';
	}
}

int rescue_copy(int upper, uint64_t max, struct rescue *out)
{
	_cleanup_close_ int from = openat(upper, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int mnt = -EBADF, to = -EBADF;
	struct work w = {.r = out, .max = max};
	mode_t mask = umask(0);
	struct stat st;
	int r = from < 0 || fstat(from, &st) < 0 ? -errno : 0;

	if (r == 0)
		r = mnt = view_new_tmpfs("50%", MOUNT_ATTR_NOSUID);
	if (r >= 0)
		to = openat(mnt, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r >= 0 && to < 0)
		r = -errno;
	if (r >= 0) {
		copy_dir(from, to, 0, &w);
		r = like(to, &st);
	}
	umask(mask);
	buf_done(&w.path);
	if (r < 0)
		return r;
	out->mnt = TAKE_FD(mnt);
	return 0;
}

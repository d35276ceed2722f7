#include "inject/tree.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "session/copy.h"

enum { LINKS_MAX = 40, XATTRS_MAX = 1 << 16, CHUNK = 1 << 17 };

static int open_below(int root, const char *path, uint64_t flags, uint64_t resolve)
{
	struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = resolve};
	int r = (int)syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof(how));

	return r < 0 ? -errno : r;
}

int tree_open(int root, const char *path, int flags)
{
	return open_below(root, path, (uint64_t)flags | O_NOFOLLOW,
			  RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
}

int tree_parent(int root, const char *path)
{
	_cleanup_free_ char *dir = strndup(path, item_dir_len(path));
	_cleanup_close_ int fd = dir ? tree_open(root, dir, O_PATH) : -ENOMEM;
	int r = fd < 0 ? fd : fd_dir_check(fd);

	return r < 0 ? r : TAKE_FD(fd);
}

/* One step of tree_resolve(): `name` in the directory *at. */
static int step(int root, struct buf *at, const char *name, struct buf *rest, int *links)
{
	_cleanup_free_ char *path =
		str_fmt("%s%s%s", at->len ? at->data : "", at->len ? "/" : "", name);
	_cleanup_close_ int fd = -EBADF;
	char link[PATH_MAX];
	ssize_t n;

	if (!path)
		return -ENOMEM;
	fd = open_below(root, path, O_PATH | O_NOFOLLOW,
			RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS);
	if (fd < 0)
		return fd;
	n = link_read_at(fd, "", link, sizeof(link));
	if (n < 0) { /* no link */
		buf_done(at);
		*at = (struct buf){};
		buf_puts(at, path);
		return at->oom ? -ENOMEM : 0;
	}
	if (++*links > LINKS_MAX)
		return -ELOOP;
	if (*link == '/') {
		buf_done(at);
		*at = (struct buf){};
	}
	buf_puts(rest, link);
	return 0;
}

/* Cut the last name off. */
static void step_up(struct buf *at)
{
	at->len = at->len ? item_dir_len(at->data) : 0;
	if (at->data)
		at->data[at->len] = '\0';
}

int tree_resolve(int root, const char *path, char **out)
{
	_cleanup_buf_ struct buf at = {};
	_cleanup_free_ char *todo = strdup(path);
	int links = 0, r = 0;

	while (todo && r == 0) {
		_cleanup_buf_ struct buf rest = {};
		char *p = todo + strspn(todo, "/");
		size_t n = strcspn(p, "/");
		_cleanup_free_ char *name = strndup(p, n);

		if (!n || !name)
			break;
		if (str_eq(name, ".."))
			step_up(&at);
		else if (!str_eq(name, "."))
			r = step(root, &at, name, &rest, &links);
		buf_puts(&rest, p + n);
		if (rest.oom || rest.len > PATH_MAX)
			return rest.oom ? -ENOMEM : -ENAMETOOLONG;
		free(todo);
		todo = buf_take(&rest);
	}
	if (!todo)
		return -ENOMEM;
	if (r < 0)
		return r;
	*out = at.len ? buf_take(&at) : strdup("");
	return *out ? 0 : -ENOMEM;
}

int tree_time(int root, const char *path, struct timespec *mtime)
{
	_cleanup_close_ int fd = tree_open(root, path, O_PATH | O_DIRECTORY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fd < 0 ? fd : -errno;
	*mtime = st.st_mtim;
	return 0;
}

int tree_set_time(int root, const char *path, struct timespec mtime)
{
	struct timespec t[2] = {{.tv_nsec = UTIME_OMIT}, mtime};
	_cleanup_close_ int fd = tree_open(root, path, O_PATH | O_DIRECTORY);

	if (fd < 0)
		return fd;
	return utimensat(fd, "", t, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

int tree_hash(int fd, uint8_t out[ITEM_SHA])
{
	_cleanup_free_ uint8_t *buf = malloc(CHUNK);
	struct sha256_ctx ctx;
	off_t at = 0;

	if (!buf)
		return -ENOMEM;
	sha256_init(&ctx);
	for (;;) {
		ssize_t n = pread(fd, buf, CHUNK, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		sha256_update(&ctx, (size_t)n, buf);
		at += n;
	}
	sha256_digest(&ctx, ITEM_SHA, out);
	return 0;
}

/* What names a file system's or a security module's own affairs. */
static bool stays_behind(const char *name)
{
	return str_starts(name, "trusted.overlay.") || str_starts(name, "user.overlay.") ||
	       str_starts(name, "security.selinux") || str_starts(name, "security.ima") ||
	       str_starts(name, "security.evm") || str_starts(name, "security.SMACK");
}

static int copy_xattr(int from, int to, const char *name, char *value, const struct idmap *ids)
{
	ssize_t n = fgetxattr(from, name, value, XATTRS_MAX);

	if (n < 0)
		return errno == ENODATA ? 0 : -errno;
	if (str_eq(name, "security.capability") && ids && ids->n &&
	    n == sizeof(struct vfs_cap_data)) {
		struct vfs_ns_cap_data *v = (struct vfs_ns_cap_data *)value;

		v->magic_etc = (v->magic_etc & VFS_CAP_FLAGS_EFFECTIVE) | VFS_CAP_REVISION_3;
		v->rootid = idmap_to_outside(ids, 0);
		n = sizeof(*v);
	}
	/* ids in an ACL would be others there, and not every file system has every kind */
	if (fsetxattr(to, name, value, (size_t)n, 0) < 0 && errno != ENOTSUP)
		return -errno;
	return 0;
}

int tree_copy_xattrs(int from, int to, const struct idmap *ids)
{
	_cleanup_free_ char *names = malloc(XATTRS_MAX), *value = malloc(XATTRS_MAX);
	ssize_t n = names && value ? flistxattr(from, names, XATTRS_MAX) : 0;
	int r = names && value ? 0 : -ENOMEM;

	if (n < 0)
		return errno == ENOTSUP ? 0 : -errno;
	for (char *p = names; r == 0 && p < names + n; p += strlen(p) + 1)
		if (!stays_behind(p))
			r = copy_xattr(from, to, p, value, ids);
	return r;
}

static int copy_file_to(int from, const char *name, int to, const char *as)
{
	_cleanup_close_ int path = openat(from, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_close_ int in = path < 0 ? -errno : path_reopen(path), out = -EBADF;
	struct stat st;
	int r;

	if (in < 0)
		return in;
	if (fstat(in, &st) < 0)
		return -errno;
	out = openat(to, as, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0)
		return -errno;
	r = copy_bytes(in, out);
	if (r == 0 &&
	    (fchown(out, st.st_uid, st.st_gid) < 0 || fchmod(out, st.st_mode & 07777) < 0))
		r = -errno;
	if (r == 0)
		r = tree_copy_xattrs(in, out, NULL);
	if (r == 0 && futimens(out, (struct timespec[2]){st.st_atim, st.st_mtim}) < 0)
		r = -errno;
	return r == 0 && fsync(out) < 0 ? -errno : r;
}

int tree_copy(int from, const char *name, int to, const char *as)
{
	char link[PATH_MAX];
	struct stat st;
	int r;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISLNK(st.st_mode))
		return copy_file_to(from, name, to, as);
	r = (int)link_read_at(from, name, link, sizeof(link));
	if (r < 0)
		return r;
	if (symlinkat(link, to, as) < 0 ||
	    fchownat(to, as, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    utimensat(to, as, (struct timespec[2]){st.st_atim, st.st_mtim}, AT_SYMLINK_NOFOLLOW) <
		    0)
		return -errno;
	return 0;
}

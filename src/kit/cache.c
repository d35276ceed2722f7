/* The kit as a directory in the user's cache. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "kit/kit.h"
#include "kit/rungs.h"

#define PARTIAL "partial-" /* what is being unpacked, or was when somebody was killed */

enum { DEPTH_MAX = 64, SUPER_SIZE = 128, SUPER_AT = 1024 };

static void mix(uint64_t *h, const void *data, size_t len)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i++)
		*h = (*h ^ p[i]) * UINT64_C(0x100000001b3); /* FNV-1a */
}

/* Another file, or other content, is another name: mkfs.erofs gives each image a UUID. */
static int name_of(const struct kit *k, char *out, size_t size, struct err *e)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	unsigned char super[SUPER_SIZE];
	struct stat st;

	if (fstat(k->fd, &st) < 0 ||
	    pread(k->fd, super, sizeof(super), (off_t)(k->offset + SUPER_AT)) != sizeof(super))
		return err_set(e, errno, "cannot read the kit %s", k->path);
	mix(&h, super, sizeof(super));
	mix(&h, &k->size, sizeof(k->size));
	mix(&h, &st.st_size, sizeof(st.st_size));
	mix(&h, &st.st_mtim.tv_sec, sizeof(st.st_mtim.tv_sec));
	mix(&h, &st.st_mtim.tv_nsec, sizeof(st.st_mtim.tv_nsec));
	snprintf(out, size, "kit-%016llx", (unsigned long long)h);
	return 0;
}

/* Where caches are. 0 or -errno with `e`. */
static int cache_home(char *path, size_t size, struct err *e)
{
	const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	int n;

	if (xdg && *xdg == '/') {
		n = snprintf(path, size, "%s", xdg);
	} else if (home && *home == '/') {
		n = snprintf(path, size, "%s/.cache", home);
	} else {
		err_say(e, ENOENT, "there is no directory to unpack the kit into");
		err_hint(e, "set HOME or XDG_CACHE_HOME, or use --kit none");
		return -ENOENT;
	}
	if ((size_t)n + sizeof("/porthole") > size)
		return err_set(e, ENAMETOOLONG, "the cache directory");
	return 0;
}

/* Make and open the cache's directory. A descriptor, and its path. */
static int open_cache(char *path, size_t size, struct err *e)
{
	int fd, r = cache_home(path, size, e);

	if (r < 0)
		return r;
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_set(e, errno, "making the cache directory %s", path);
	strcat(path, "/porthole");
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_set(e, errno, "making the cache directory %s", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_set(e, errno, "opening the cache directory %s", path) : fd;
}

int kit_cache_name(struct kit *k, struct err *e)
{
	char home[PATH_MAX], name[32], *whole;
	int r;

	if (k->kind != KIT_IMAGE)
		return 0;
	r = cache_home(home, sizeof(home), e);
	if (r == 0)
		r = name_of(k, name, sizeof(name), e);
	if (r < 0)
		return r;
	whole = str_fmt("%s/porthole/%s", home, name);
	if (!whole)
		return err_set(e, ENOMEM, "the kit %s", k->path);
	free(k->path);
	k->path = whole;
	return 0;
}

/* Remove a tree of our own. */
static void remove_tree(int at, const char *name, int depth)
{
	_cleanup_dir_ DIR *d = NULL;
	_cleanup_close_ int fd = -EBADF;
	struct dirent *de;

	if (unlinkat(at, name, 0) == 0 || depth > DEPTH_MAX)
		return;
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fchmod(fd, 0700) < 0)
		return;
	d = dir_take(TAKE_FD(fd));
	if (!d)
		return;
	while ((de = dir_next(d)))
		remove_tree(dirfd(d), de->d_name, depth + 1);
	unlinkat(at, name, AT_REMOVEDIR);
}

/* With the lock held nobody is at work: what is partial was left by somebody who was killed. */
static void remove_partial(int cache)
{
	_cleanup_dir_ DIR *d = dir_open(cache, ".");
	struct dirent *de;

	if (!d)
		return;
	while ((de = readdir(d)))
		if (str_starts(de->d_name, PARTIAL))
			remove_tree(cache, de->d_name, 0);
}

/* Open what is there already: a directory of ours that nobody else may write to. */
static int open_unpacked(int cache, const char *name)
{
	_cleanup_close_ int fd =
		openat(cache, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st, b;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || fstatat(fd, "b", &b, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return st.st_uid == geteuid() && !(st.st_mode & 022) && S_ISDIR(b.st_mode) ? TAKE_FD(fd)
										   : -EPERM;
}

static int unpack(const struct kit *k, int cache, const char *path, const char *name,
		  const struct kit_steps *progress, struct err *e)
{
	_cleanup_close_ int dir = -EBADF;
	char partial[64];
	int r;

	snprintf(partial, sizeof(partial), PARTIAL "%s", name);
	remove_partial(cache);
	if (mkdirat(cache, partial, 0755) < 0)
		return err_set(e, errno, "making %s/%s", path, partial);
	dir = openat(cache, partial, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = dir < 0 ? err_set(e, errno, "opening %s/%s", path, partial)
		    : kit_unpack_shown(k, dir, progress, e);
	if (r == 0 &&
	    (syncfs(dir) < 0 || fchmod(dir, 0755) < 0 || renameat(cache, partial, cache, name) < 0))
		r = err_set(e, errno, "unpacking the kit to %s/%s", path, name);
	if (r < 0) {
		remove_tree(cache, partial, 0);
		err_hint(e, "free some room there, set XDG_CACHE_HOME, or use --kit none");
	}
	return r;
}

int kit_from_cache(struct kit *k, const struct kit_steps *progress, struct err *e)
{
	_cleanup_close_ int cache = -EBADF, fd = -EBADF;
	char path[PATH_MAX], name[32], *whole;
	int r;

	if (k->kind != KIT_IMAGE)
		return 0;
	r = name_of(k, name, sizeof(name), e);
	if (r == 0)
		r = cache = open_cache(path, sizeof(path), e);
	if (r < 0)
		return r;
	fd = open_unpacked(cache, name);
	if (fd < 0) {
		/* the lock is the directory's own, and ends with the descriptor */
		if (flock(cache, LOCK_EX) < 0)
			return err_set(e, errno, "locking %s", path);
		fd = open_unpacked(cache, name);
	}
	if (fd == -ENOENT) {
		r = unpack(k, cache, path, name, progress, e);
		if (r < 0)
			return r;
		fd = open_unpacked(cache, name);
	}
	if (fd < 0) {
		err_set(e, fd, "the unpacked kit %s/%s is not as it should be", path, name);
		err_hint(e, "remove that directory: it is made again");
		return fd;
	}
	whole = str_fmt("%s/%s", path, name);
	if (!whole)
		return err_set(e, ENOMEM, "the kit %s", k->path);
	kit_done(k);
	*k = (struct kit){.kind = KIT_DIR, .path = whole, .fd = TAKE_FD(fd)};
	return 0;
}

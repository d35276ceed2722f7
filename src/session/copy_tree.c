/* Copies of whole trees. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "session/copy.h"

enum { DEPTH_MAX = 64 };

static int open_dir(int dir, const char *name)
{
	int r = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return r < 0 ? -errno : r;
}

/* Call `fn` for each entry; `fn` returns 0, or ends the walk. */
static int each(int dir, int depth, int (*fn)(int dir, const char *name, int depth, void *data),
		void *data)
{
	_cleanup_dir_ DIR *d = NULL;
	struct dirent *de;
	int r = 0;

	if (depth > DEPTH_MAX)
		return -EFBIG;
	d = dir_take(open_dir(dir, "."));
	if (!d)
		return -errno;
	while (r == 0 && (de = dir_next(d)))
		r = fn(dir, de->d_name, depth, data);
	return r;
}

static int measure(int dir, const char *name, int depth, void *data)
{
	struct copy_budget *b = data;
	_cleanup_close_ int sub = -EBADF;
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (b->entries == 0 || (S_ISREG(st.st_mode) && (uint64_t)st.st_size > b->bytes))
		return -EFBIG;
	b->entries--;
	if (S_ISREG(st.st_mode))
		b->bytes -= (uint64_t)st.st_size;
	if (!S_ISDIR(st.st_mode))
		return 0;
	sub = open_dir(dir, name);
	return sub < 0 ? 0 : each(sub, depth + 1, measure, data);
}

int copy_measure(int dir, struct copy_budget *b)
{
	return each(dir, 0, measure, b);
}

static int copy_data(int from, const char *name, int to)
{
	_cleanup_close_ int in =
		openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	_cleanup_close_ int out = -EBADF;

	if (in < 0)
		return -errno;
	out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return out < 0 ? -errno : copy_bytes(in, out);
}

static int copy_link(int from, const char *name, int to)
{
	char link[PATH_MAX];
	ssize_t n = link_read_at(from, name, link, sizeof(link));

	return n < 0 ? (int)n : symlinkat(link, to, name) < 0 ? -errno : 0;
}

int copy_single(int from, const char *name, int to, uint64_t max)
{
	struct stat st;
	int r;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISREG(st.st_mode))
		r = (uint64_t)st.st_size > max ? -EFBIG : copy_data(from, name, to);
	else if (S_ISDIR(st.st_mode))
		r = mkdirat(to, name, 0700) < 0 ? -errno : 0;
	else if (S_ISLNK(st.st_mode))
		r = copy_link(from, name, to);
	else
		r = S_ISFIFO(st.st_mode) && mkfifoat(to, name, 0600) == 0 ? 0 : -ENOTSUP;
	if (r < 0)
		return r;
	if (fchownat(to, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    (!S_ISLNK(st.st_mode) && fchmodat(to, name, st.st_mode & 07777, 0) < 0) ||
	    utimensat(to, name, (struct timespec[2]){st.st_atim, st.st_mtim}, AT_SYMLINK_NOFOLLOW) <
		    0)
		return -errno;
	return 0;
}

static int copy_one(int dir, const char *name, int depth, void *data)
{
	_cleanup_close_ int sub = -EBADF, made = -EBADF;
	const int *to = data;
	struct stat st;
	int r = copy_single(dir, name, *to, UINT64_MAX);

	if (r < 0)
		return r == -ENOTSUP || r == -ENOENT ? 0 : r;
	if (fstatat(*to, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
		return 0;
	sub = open_dir(dir, name);
	made = open_dir(*to, name);
	return sub < 0 || made < 0 ? 0 : each(sub, depth + 1, copy_one, &made);
}

int copy_tree(int from, int to)
{
	return each(from, 0, copy_one, &to);
}

#include "files/put.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/str.h"
#include "files/data.h"

/* From this size on a file has no name before it is whole: nothing stays even of a process that is
 * killed. Below it, a name is cheaper. */
enum { NAMELESS_MIN = 1 << 20, TRIES = 16 };

#define NEW_FILE (O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC)

static void temp_name(char out[32])
{
	static uint64_t next; /* of all threads */
	uint64_t none = 0, begin;

	if (!__atomic_load_n(&next, __ATOMIC_RELAXED)) {
		if (getrandom(&begin, sizeof(begin), 0) != sizeof(begin) || !begin)
			begin = (uint64_t)getpid() << 32 | 1;
		__atomic_compare_exchange_n(&next, &none, begin, false, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED);
	}
	snprintf(out, 32, ".porthole-%016llx",
		 (unsigned long long)__atomic_fetch_add(&next, 1, __ATOMIC_RELAXED));
}

static int open_named(struct put *p)
{
	for (int i = 0; i < TRIES; i++) {
		temp_name(p->temp);
		p->fd = openat(p->dir, p->temp, NEW_FILE, 0600);
		if (p->fd >= 0 || errno != EEXIST)
			break;
	}
	if (p->fd >= 0)
		return 0;
	p->temp[0] = '\0';
	return -errno;
}

int put_begin(struct put *p, const struct place *to, int dir, const char *name, bool fresh,
	      uint64_t size)
{
	*p = (struct put){.to = to, .dir = dir, .name = name, .fd = -EBADF};
	if (size >= NAMELESS_MIN)
		p->fd = openat(dir, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
	else if (fresh)
		p->fd = openat(dir, name, NEW_FILE, 0600);
	p->direct = p->fd >= 0 && size < NAMELESS_MIN;
	return p->fd >= 0 ? 0 : open_named(p);
}

void put_drop(struct put *p)
{
	cleanup_close(&p->fd);
	p->fd = -EBADF;
	if (p->temp[0])
		unlinkat(p->dir, p->temp, 0);
	else if (p->direct)
		unlinkat(p->dir, p->name, 0);
	p->temp[0] = '\0';
	p->direct = false;
}

/* Something is mounted on it, as on a container's /etc/hosts. Taking the name away would take the
 * mount away, too, in every mount namespace but ours. */
static bool is_mounted(int dir, const char *name)
{
	struct statx x;

	return statx(dir, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, 0, &x) == 0 &&
	       x.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT &&
	       x.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

/* Into the file that is mounted there: only its bytes are ours to change. */
static int fill_mounted(int dir, const char *temp, const char *name)
{
	_cleanup_close_ int path = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_close_ int in = openat(dir, temp, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	_cleanup_close_ int out = -EBADF;
	struct meter m = {};
	bool reading;
	char self[40];
	struct stat st;
	int64_t n;

	if (path < 0 || in < 0 || fstat(path, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || fstat(in, &st) < 0 || !S_ISREG(st.st_mode))
		return -EBUSY;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", path);
	out = open(self, O_WRONLY | O_TRUNC | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (out < 0)
		return -errno;
	n = data_copy(in, out, &m, &reading);
	return n < 0 ? (int)n : 0;
}

/* Give the name to what has the temporary one. */
static int take_name(int dir, const char *temp, const char *name)
{
	int r = renameat2(dir, temp, dir, name, RENAME_NOREPLACE) < 0 ? -errno : 0;

	if (r == 0)
		return 0;
	if ((r == -EEXIST || r == -EINVAL) && is_mounted(dir, name)) {
		r = fill_mounted(dir, temp, name);
		unlinkat(dir, temp, 0);
		return r;
	}
	r = renameat(dir, temp, dir, name) < 0 ? -errno : 0;
	if (r < 0)
		unlinkat(dir, temp, 0);
	return r == -ENOTEMPTY || r == -EEXIST ? -EISDIR : r;
}

static int link_fd(int fd, int dir, const char *name)
{
	char self[40];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, self, dir, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

/* `name` becomes another name of `fd`, in place of what is there. */
static int link_over(int fd, int dir, const char *name)
{
	char temp[32];
	struct stat a, b;
	int r = link_fd(fd, dir, name);

	if (r != -EEXIST)
		return r;
	/* renaming one name of a file to another does nothing and leaves both */
	if (fstat(fd, &a) == 0 && fstatat(dir, name, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
	    a.st_dev == b.st_dev && a.st_ino == b.st_ino)
		return 0;
	temp_name(temp);
	r = link_fd(fd, dir, temp);
	return r < 0 ? r : take_name(dir, temp, name);
}

int put_end(struct put *p, const struct attrs *a, size_t *lost)
{
	int r = attrs_apply(p->to, p->fd, a, lost);

	if (r == 0 && p->direct) {
		p->direct = false;
	} else if (r == 0 && p->temp[0]) {
		r = take_name(p->dir, p->temp, p->name);
		if (r == 0)
			p->temp[0] = '\0';
	} else if (r == 0) {
		r = link_over(p->fd, p->dir, p->name);
	}
	put_drop(p);
	return r;
}

int put_dir(int dir, const char *name, bool *made)
{
	int fd;

	*made = mkdirat(dir, name, 0700) == 0;
	if (!*made && errno != EEXIST)
		return -errno;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ELOOP ? -ENOTDIR : -errno;
	return fd;
}

static int make_node(int dir, const char *name, const struct attrs *a, const char *link)
{
	int r = link ? symlinkat(link, dir, name)
		     : mknodat(dir, name, a->mode & (S_IFMT | 0777), a->rdev);

	return r < 0 ? -errno : 0;
}

/* Owner and times, of just what was made: another thing may have its name by now. */
static int dress(const struct place *to, int dir, const char *name, const struct attrs *a)
{
	_cleanup_close_ int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if ((st.st_mode & S_IFMT) != (a->mode & S_IFMT) || st.st_nlink != 1)
		return -ESTALE;
	return attrs_apply_path(to, fd, a);
}

int put_node(const struct place *to, int dir, const char *name, const struct attrs *a,
	     const char *link)
{
	char temp[32];
	int r = make_node(dir, name, a, link);

	if (r == 0)
		return dress(to, dir, name, a);
	if (r != -EEXIST)
		return r;
	temp_name(temp);
	r = make_node(dir, temp, a, link);
	if (r < 0)
		return r;
	r = dress(to, dir, temp, a);
	if (r < 0)
		unlinkat(dir, temp, 0);
	return r < 0 ? r : take_name(dir, temp, name);
}

int put_link(int dir, const char *name, int of)
{
	return link_over(of, dir, name);
}

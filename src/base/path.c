#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

enum { WALK_DEPTH = 128, WALK_LINKS = 40 };

/* The walk for kernels without openat2. `..` is resolved on our own stack of components, never by
 * the kernel, so a directory moved meanwhile cannot lead out. */
struct walk {
	int stack[WALK_DEPTH]; /* [0] is the root, then the directories on the way */
	int depth, links;
	char rest[PATH_MAX]; /* still to be walked, from `p` on */
	const char *p;
};

static void walk_back(struct walk *w, int depth)
{
	while (w->depth > depth)
		close(w->stack[w->depth--]);
}

/* Take the next name off the path. Its length, 0 at the end, or -ENAMETOOLONG. */
static int walk_name(struct walk *w, char name[NAME_MAX + 1])
{
	size_t n;

	w->p += strspn(w->p, "/");
	n = strcspn(w->p, "/");
	if (n > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, w->p, n);
	name[n] = '\0';
	w->p += n;
	return (int)n;
}

/* Put the text of a link before what is still to be walked. 1; 0 when it is no link, or -errno. */
static int walk_link(struct walk *w, const char *name)
{
	char link[PATH_MAX], tmp[PATH_MAX];
	int n;

	if (link_read_at(w->stack[w->depth], name, link, sizeof(link)) <= 0)
		return 0;
	if (++w->links > WALK_LINKS)
		return -ELOOP;
	n = snprintf(tmp, sizeof(tmp), "%s%s", link, w->p);
	if (n < 0 || (size_t)n >= sizeof(tmp))
		return -ENAMETOOLONG;
	memcpy(w->rest, tmp, (size_t)n + 1);
	w->p = w->rest;
	if (link[0] == '/')
		walk_back(w, 0);
	return 1;
}

/* The last name of the path: the descriptor asked for, or -errno. */
static int walk_last(const struct walk *w, const char *name, int flags)
{
	_cleanup_close_ int fd = openat(w->stack[w->depth], name, flags | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -errno;
	/* O_PATH opens links too: one that was put there since it was no link */
	if ((flags & (O_PATH | O_NOFOLLOW)) == O_PATH && fstat(fd, &st) == 0 && S_ISLNK(st.st_mode))
		return -ELOOP;
	return TAKE_FD(fd);
}

static int walk_down(struct walk *w, const char *name)
{
	int fd;

	if (w->depth + 1 >= WALK_DEPTH)
		return -ENAMETOOLONG;
	fd = openat(w->stack[w->depth], name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	w->stack[++w->depth] = fd;
	return 0;
}

/* Walk to the end: the descriptor asked for, or -errno. */
static int walk(struct walk *w, int flags)
{
	char name[NAME_MAX + 1];
	int r;

	while ((r = walk_name(w, name)) > 0) {
		bool last = w->p[strspn(w->p, "/")] == '\0';
		int must = *w->p == '/' ? O_DIRECTORY : 0;

		if (str_eq(name, "."))
			continue;
		if (str_eq(name, "..")) {
			walk_back(w, w->depth > 0 ? w->depth - 1 : 0);
			continue;
		}
		if (!last || must || !(flags & O_NOFOLLOW)) {
			r = walk_link(w, name);
			if (r < 0)
				return r;
			if (r > 0)
				continue;
		}
		if (last)
			return walk_last(w, name, flags | must);
		r = walk_down(w, name);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return r;
	/* "/", or a path that ended on ".." */
	r = openat(w->stack[w->depth], ".", flags | O_CLOEXEC);
	return r < 0 ? -errno : r;
}

static int walk_in_root(int rootfd, const char *path, int flags)
{
	struct walk w = {.p = w.rest};
	size_t n = strlen(path);
	int r;

	if (n == 0)
		return -ENOENT;
	if (n >= sizeof(w.rest))
		return -ENAMETOOLONG;
	memcpy(w.rest, path, n + 1);
	w.stack[0] = fcntl(rootfd, F_DUPFD_CLOEXEC, 3);
	if (w.stack[0] < 0)
		return -errno;
	r = walk(&w, flags);
	walk_back(&w, -1);
	return r;
}

int path_open_in_root(int rootfd, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};

	for (int tries = 0; tries < 32; tries++) {
		int fd = (int)syscall(SYS_openat2, rootfd, path, &how, sizeof(how));

		if (fd >= 0)
			return fd;
		if (errno == ENOSYS)
			return walk_in_root(rootfd, path, flags);
		if (errno != EAGAIN) /* EAGAIN: a rename raced with a ".." */
			return -errno;
	}
	return -EAGAIN;
}

int path_reopen(int pathfd)
{
	char self[sizeof("/proc/self/fd/-2147483648")];
	struct stat st;
	int fd;

	if (fstat(pathfd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode)) /* opening a device, even to look, may act on it */
		return -ENOTSUP;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", pathfd);
	/* reading leaves no trace where we may leave none: it takes the owner, or root */
	fd = open(self, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | O_NOATIME);
	if (fd < 0 && errno == EPERM)
		fd = open(self, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int path_open_file_in_root(int rootfd, const char *path)
{
	_cleanup_close_ int pathfd = path_open_in_root(rootfd, path, O_PATH);

	return pathfd < 0 ? pathfd : path_reopen(pathfd);
}

int path_read_in_root(int rootfd, const char *path, size_t max, char **out, size_t *len)
{
	_cleanup_close_ int fd = path_open_file_in_root(rootfd, path);

	return fd < 0 ? fd : fd_read_all(fd, max, out, len);
}

/* Make the directory, or file, `name` in `parent`: an O_PATH descriptor of it; -EEXIST: there is
 * something, or -errno. */
static int make_one(int parent, const char *name, bool dir)
{
	_cleanup_close_ int file = -EBADF;
	int fd;

	if (!path_is_component(name))
		return -EINVAL;
	if (dir ? mkdirat(parent, name, 0755) < 0
		: (file = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644)) < 0)
		return -errno;
	fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int path_make_in_root(int root, const char *dest, bool dir)
{
	_cleanup_free_ char *path = strdup(dest);
	_cleanup_close_ int at = path_open_in_root(root, dest, O_PATH | O_NOFOLLOW), up = -EBADF;

	if (!path || at != -ENOENT)
		return path ? TAKE_FD(at) : -ENOMEM;
	up = path_open_in_root(root, "/", O_PATH | O_DIRECTORY);
	for (char *name = path, *end; up >= 0 && at == -ENOENT; name = end) {
		name += strspn(name, "/");
		end = strchr(name, '/');
		if (end)
			*end = '\0';
		at = make_one(up, name, dir || end);
		if (at == -EEXIST) /* perhaps a link, which may lead to elsewhere in the root */
			at = path_open_in_root(root, path,
					       end ? O_PATH | O_DIRECTORY : O_PATH | O_NOFOLLOW);
		if (at < 0 || !end)
			return TAKE_FD(at);
		*end = '/';
		close(up);
		up = at;
		at = -ENOENT;
	}
	return up;
}

bool path_is_component(const char *s)
{
	return s && *s && strlen(s) < 256 && !strchr(s, '/') && !str_eq(s, ".") && !str_eq(s, "..");
}

const char *path_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	if (str_eq(dir, "/"))
		return path;
	return strncmp(path, dir, n) == 0 && (!path[n] || path[n] == '/') ? path + n : NULL;
}

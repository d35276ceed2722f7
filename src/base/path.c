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

/* Put the text of a link before what is still to be walked. */
static int splice_link(char *rest, size_t size, const char *link, const char *after)
{
	char tmp[PATH_MAX];
	int n = snprintf(tmp, sizeof(tmp), "%s/%s", link, after);

	if (n < 0 || (size_t)n >= sizeof(tmp) || (size_t)n >= size)
		return -ENAMETOOLONG;
	memcpy(rest, tmp, (size_t)n + 1);
	return 0;
}

/* The walk for kernels without openat2. `..` is resolved on our own stack of components, never by
 * the kernel, so a directory moved meanwhile cannot lead out. */
static int walk_in_root(int rootfd, const char *path, int flags)
{
	enum { DEPTH = 128, LINKS = 40 };
	int stack[DEPTH], depth = 0, links = 0, r = 0;
	char rest[PATH_MAX];
	char *p = rest;

	if (strlen(path) >= sizeof(rest))
		return -ENAMETOOLONG;
	strcpy(rest, path);
	stack[0] = fcntl(rootfd, F_DUPFD_CLOEXEC, 3);
	if (stack[0] < 0)
		return -errno;

	while (r == 0) {
		char name[NAME_MAX + 1], link[PATH_MAX];
		size_t n;
		bool last;
		int fd;

		p += strspn(p, "/");
		n = strcspn(p, "/");
		if (n == 0)
			break;
		if (n > NAME_MAX) {
			r = -ENAMETOOLONG;
			break;
		}
		memcpy(name, p, n);
		name[n] = '\0';
		p += n;
		if (str_eq(name, "."))
			continue;
		if (str_eq(name, "..")) {
			if (depth > 0)
				close(stack[depth--]);
			continue;
		}
		last = p[strspn(p, "/")] == '\0';
		if (!(last && (flags & O_NOFOLLOW))) {
			ssize_t len = link_read_at(stack[depth], name, link, sizeof(link));

			if (len > 0) {
				if (++links > LINKS) {
					r = -ELOOP;
					break;
				}
				if (link[0] == '/')
					while (depth > 0)
						close(stack[depth--]);
				r = splice_link(rest, sizeof(rest), link, p);
				p = rest;
				continue;
			}
		}
		fd = openat(stack[depth], name,
			    (last ? flags : O_PATH | O_DIRECTORY) | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			r = -errno;
		else if (depth + 1 >= DEPTH) {
			close(fd);
			r = -ENAMETOOLONG;
		} else
			stack[++depth] = fd;
		if (last && r == 0) {
			r = stack[depth--];
			break;
		}
	}
	if (r == 0) { /* "/", or a path that ended on ".." */
		r = openat(stack[depth], ".", flags | O_CLOEXEC);
		if (r < 0)
			r = -errno;
	}
	while (depth >= 0)
		close(stack[depth--]);
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

int path_read_in_root(int rootfd, const char *path, size_t max, char **out, size_t *len)
{
	_cleanup_close_ int pathfd = path_open_in_root(rootfd, path, O_PATH);
	_cleanup_close_ int fd = -EBADF;
	char self[sizeof("/proc/self/fd/-2147483648")];
	struct stat st;

	if (pathfd < 0)
		return pathfd;
	if (fstat(pathfd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode)) /* opening a device, even to look, may act on it */
		return -ENOTSUP;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", pathfd);
	fd = open(self, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return fd_read_all(fd, max, out, len);
}

bool path_is_component(const char *s)
{
	return s && *s && strlen(s) < 256 && !strchr(s, '/') && !str_eq(s, ".") && !str_eq(s, "..");
}

/* Files that whatever looks a name up reads, where a hostile or broken target has something else
 * there: an open(2) of a FIFO waits for ever, and a device may never end. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "session/view.h"

#define EMPTY ".p.empty" /* in the private /dev, while the files are covered */

static const char *const names[] = {
	"/etc/passwd",	 "/etc/group",	   "/etc/nsswitch.conf", "/etc/hosts",
	"/etc/services", "/etc/protocols", "/etc/resolv.conf",	 "/etc/host.conf",
	"/etc/gai.conf", "/etc/localtime", "/etc/bash.bashrc",	 "/etc/inputrc",
};

/* What would be waited for, in words; NULL: it can be read. */
static const char *trouble(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return NULL;
	switch (st.st_mode & S_IFMT) {
	case S_IFIFO:
		return "a FIFO";
	case S_IFSOCK:
		return "a socket";
	case S_IFBLK:
		return "a device";
	case S_IFCHR:
		return st.st_rdev == makedev(1, 3) ? NULL : "a device"; /* /dev/null is as good */
	default:
		return NULL;
	}
}

/* With mount(2), which every kernel has: both ends are named through descriptors. */
static int cover(int host_proc, int empty, int at)
{
	_cleanup_close_ int cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char from[32], to[32];
	int r;

	snprintf(from, sizeof(from), "self/fd/%d", empty);
	snprintf(to, sizeof(to), "self/fd/%d", at);
	if (cwd < 0 || fchdir(host_proc) < 0)
		return -errno;
	r = mount(from, to, NULL, MS_BIND, NULL) < 0 ? -errno : 0;
	return fchdir(cwd) < 0 ? -errno : r;
}

/* An empty file of our own, made when it is needed for the first time. */
static int empty_file(int dev)
{
	int fd = openat(dev, EMPTY, O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444);

	return fd < 0 ? -errno : fd;
}

static void say(const struct view_parts *parts, const char *which, size_t n)
{
	if (n)
		strv_push(parts->notes,
			  str_fmt("in this session only, %s %s: whatever looks "
				  "names up would hang on %s",
				  which, n > 1 ? "are empty files" : "is an empty file",
				  n > 1 ? "them" : "it"));
}

void view_cover_names(const struct view_parts *parts, int dev)
{
	_cleanup_close_ int root = open("/", ROOT_DIR_FLAGS), empty = -EBADF;
	_cleanup_buf_ struct buf which = {};
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(names) && root >= 0; i++) {
		_cleanup_close_ int at = path_open_in_root(root, names[i], O_PATH);
		const char *what = at < 0 ? NULL : trouble(at);

		if (!what)
			continue;
		if (empty < 0)
			empty = empty_file(dev);
		if (empty >= 0 && cover(parts->host_proc, empty, at) == 0)
			buf_printf(&which, "%s%s (%s)", n++ ? ", " : "", names[i], what);
	}
	if (empty >= 0)
		unlinkat(dev, EMPTY, 0);
	if (which.data)
		say(parts, which.data, n);
}

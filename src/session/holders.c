/* Who uses a file system that is to go. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "session/visible.h"
#include "sys/proc.h"

enum { MAPS_MAX = 16 << 20, FDS_MAX = 100000 };

static bool is_on(int dir, const char *path, dev_t fs)
{
	struct stat st;

	return fstatat(dir, path, &st, AT_NO_AUTOMOUNT) == 0 && st.st_dev == fs;
}

static bool has_open(int dir, dev_t fs)
{
	_cleanup_dir_ DIR *d = NULL;
	_cleanup_close_ int fd = openat(dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *de;
	int left = FDS_MAX;

	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		return false;
	TAKE_FD(fd);
	while (left-- > 0 && (de = readdir(d)))
		if (de->d_name[0] != '.' && is_on(dirfd(d), de->d_name, fs))
			return true;
	return false;
}

static bool has_mapped(int dir, dev_t fs)
{
	_cleanup_close_ int fd = openat(dir, "maps", O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	char *save = NULL;

	if (fd < 0 || fd_read_all(fd, MAPS_MAX, &text, NULL) < 0)
		return false;
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		unsigned maj, min;

		if (sscanf(l, "%*s %*s %*s %x:%x", &maj, &min) == 2 && makedev(maj, min) == fs)
			return true;
	}
	return false;
}

static bool holds(int dir, dev_t fs)
{
	return is_on(dir, "exe", fs) || is_on(dir, "cwd", fs) || is_on(dir, "root", fs) ||
	       has_open(dir, fs) || has_mapped(dir, fs);
}

static void describe(int dir, pid_t pid, struct holder *h)
{
	struct proc_stat st;

	h->pid = pid;
	if (proc_stat_read(dir, &st) < 0)
		st.comm[0] = '\0';
	str_printable(st.comm, strlen(st.comm), h->name, sizeof(h->name));
}

size_t holders_find(int proc_fd, dev_t fs, struct holder *out, size_t max)
{
	_cleanup_dir_ DIR *d = NULL;
	_cleanup_close_ int fd = openat(proc_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *de;
	size_t n = 0;

	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		return 0;
	TAKE_FD(fd);
	while ((de = readdir(d))) {
		_cleanup_close_ int dir = -EBADF;
		uint64_t pid;

		if (str_to_u64(de->d_name, 1, INT32_MAX, &pid) < 0 || (pid_t)pid == getpid())
			continue;
		dir = openat(dirfd(d), de->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir < 0 || !holds(dir, fs))
			continue;
		if (n < max)
			describe(dir, (pid_t)pid, &out[n]);
		n++;
	}
	return n;
}

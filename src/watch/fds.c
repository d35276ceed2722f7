#include "watch/fds.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "sys/proc.h"

void fds_done(struct fds *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->v[i].path);
		free(l->v[i].detail);
	}
	free(l->v);
	*l = (struct fds){};
}

const char *fd_kind_name(enum fd_kind k)
{
	static const char *const names[] = {"file", "directory", "device",
					    "pipe", "socket",	 "other"};

	return names[k];
}

static enum fd_kind kind_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return FD_FILE;
	case S_IFDIR:
		return FD_DIR;
	case S_IFCHR:
	case S_IFBLK:
		return FD_DEVICE;
	case S_IFIFO:
		return FD_PIPE;
	case S_IFSOCK:
		return FD_SOCKET;
	default:
		return FD_OTHER;
	}
}

static unsigned count(const char *text, const char *word)
{
	unsigned n = 0;

	for (const char *p = text; (p = strstr(p, word)); p += strlen(word))
		n++;
	return n;
}

/* What fdinfo says of descriptors that are no files. */
static char *detail_of(const char *info)
{
	const char *v = str_field(info, "eventfd-count:");
	unsigned n = count(info, "\ntfd:");

	if (v)
		return str_fmt("count %llu", strtoull(v, NULL, 16));
	if (n)
		return str_fmt("watches %u descriptor%s", n, n == 1 ? "" : "s");
	n = count(info, "\ninotify ");
	if (n)
		return str_fmt("watches %u path%s", n, n == 1 ? "" : "s");
	v = str_field(info, "sigmask:");
	if (v)
		return str_fmt("signals 0x%llx", strtoull(v, NULL, 16));
	v = str_field(info, "Pid:");
	if (v)
		return str_fmt("process %ld", strtol(v, NULL, 10));
	return NULL;
}

static void read_info(int dir, struct fd_info *x)
{
	char name[32], text[16384];
	const char *v;
	unsigned long flags;

	snprintf(name, sizeof(name), "fdinfo/%d", x->fd);
	if (file_read_small_at(dir, name, text, sizeof(text)) <= 0)
		return;
	v = str_field(text, "pos:");
	x->pos = v ? strtoull(v, NULL, 10) : 0;
	v = str_field(text, "flags:");
	flags = v ? strtoul(v, NULL, 8) : 0;
	x->reads = (flags & O_ACCMODE) != O_WRONLY;
	x->writes = (flags & O_ACCMODE) != O_RDONLY;
	if (x->kind == FD_OTHER)
		x->detail = detail_of(text);
}

static int read_one(int dir, int fd, struct fd_info *x)
{
	char name[32], path[PATH_MAX];
	struct stat st;

	*x = (struct fd_info){.fd = fd};
	snprintf(name, sizeof(name), "fd/%d", fd);
	if (link_read_at(dir, name, path, sizeof(path)) < 0 || fstatat(dir, name, &st, 0) < 0)
		return -ESRCH; /* closed meanwhile */
	x->kind = kind_of(st.st_mode);
	x->ino = st.st_ino;
	x->size = (uint64_t)st.st_size;
	x->held = (uint64_t)st.st_blocks * 512;
	x->deleted = x->kind == FD_FILE && st.st_nlink == 0;
	x->path = strdup(path);
	read_info(dir, x);
	return x->path ? 0 : -ENOMEM;
}

static int push(struct fds *l, const struct fd_info *x)
{
	if (l->n == l->size) {
		size_t size = l->size ? l->size * 2 : 32;
		struct fd_info *v = realloc(l->v, size * sizeof(*v));

		if (!v)
			return -ENOMEM;
		l->v = v;
		l->size = size;
	}
	l->v[l->n++] = *x;
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const struct fd_info *x = a, *y = b;

	return x->fd < y->fd ? -1 : x->fd > y->fd;
}

int fds_read(int dir, struct fds *l)
{
	_cleanup_dir_ DIR *d = dir_open(dir, "fd");
	struct dirent *entry;
	int r = 0;

	if (!d)
		return -errno;
	while (r == 0 && (entry = readdir(d))) {
		struct fd_info x;
		uint64_t number;

		if (str_to_u64(entry->d_name, 0, INT_MAX, &number) < 0)
			continue;
		l->more = l->n == FDS_MAX;
		if (l->more)
			break;
		r = read_one(dir, (int)number, &x);
		if (r == 0)
			r = push(l, &x);
		else
			free(x.detail);
		r = r == -ESRCH ? 0 : r;
	}
	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), by_number);
	return r;
}

/* --- the other sides of pipes --- */

static bool wants_peer(const struct fd_info *x)
{
	return x->kind == FD_PIPE && !x->peer.pid;
}

/* Does descriptor `fd` of another process face one of ours? */
static void match(int dir, pid_t pid, int fd, struct fds *l)
{
	char name[32], link[64], text[256];
	const char *flags;
	bool writes, reads;

	snprintf(name, sizeof(name), "fd/%d", fd);
	if (link_read_at(dir, name, link, sizeof(link)) < 0 || !str_starts(link, "pipe:["))
		return;
	for (size_t i = 0; i < l->n; i++) {
		struct fd_info *x = &l->v[i];
		struct proc_stat st;

		if (!wants_peer(x) || !str_eq(x->path, link))
			continue;
		snprintf(name, sizeof(name), "fdinfo/%d", fd);
		if (file_read_small_at(dir, name, text, sizeof(text)) <= 0)
			return;
		flags = str_field(text, "flags:");
		writes = flags && (strtoul(flags, NULL, 8) & O_ACCMODE) != O_RDONLY;
		reads = flags && (strtoul(flags, NULL, 8) & O_ACCMODE) != O_WRONLY;
		if (!(x->writes ? reads : writes))
			continue;
		x->peer = (struct fd_peer){.pid = pid, .fd = fd};
		if (proc_stat_read(dir, &st) == 0)
			memcpy(x->peer.comm, st.comm, sizeof(x->peer.comm));
	}
}

static bool look_in(int proc_fd, pid_t pid, struct fds *l)
{
	_cleanup_close_ int dir = proc_dir_open(proc_fd, pid);
	_cleanup_dir_ DIR *d = dir < 0 ? NULL : dir_open(dir, "fd");
	struct dirent *entry;
	uint64_t number;

	if (!d)
		return dir < 0 || errno == ENOENT || errno == ESRCH;
	for (unsigned n = 0; n < FDS_MAX && (entry = readdir(d)); n++)
		if (str_to_u64(entry->d_name, 0, INT_MAX, &number) == 0)
			match(dir, pid, (int)number, l);
	return true;
}

int fds_find_peers(int proc_fd, pid_t self, struct fds *l)
{
	_cleanup_dir_ DIR *d = dir_open(proc_fd, ".");
	struct dirent *entry;
	uint64_t pid;
	bool all = true;

	if (!d)
		return -errno;
	while ((entry = readdir(d)))
		if (str_to_u64(entry->d_name, 1, INT_MAX, &pid) == 0 && (pid_t)pid != self)
			all &= look_in(proc_fd, (pid_t)pid, l);
	look_in(proc_fd, self, l); /* a pipe to itself, where nobody else has it */
	for (size_t i = 0; i < l->n; i++)
		l->v[i].closed = all && wants_peer(&l->v[i]) && str_starts(l->v[i].path, "pipe:[");
	return 0;
}

/* Who uses a file system: descriptors, directories, programs and maps of every process. */
#include "watch/uses.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "base/str.h"
#include "watch/uses_priv.h"

enum { ENTRIES_MAX = 100000, LINK_MAX_LEN = 4096 };

void uses_done(struct uses *u)
{
	for (size_t i = 0; i < u->n; i++)
		free(u->v[i].path);
	free(u->v);
	*u = (struct uses){};
}

int uses_add(struct uses *u, const struct use *one, const char *path)
{
	if (u->n >= USES_MAX) {
		u->cut = true;
		return 0;
	}
	if (u->n == u->size) {
		size_t size = u->size ? 2 * u->size : 64;
		struct use *v = reallocarray(u->v, size, sizeof(*v));

		if (!v)
			return -ENOMEM;
		u->v = v;
		u->size = size;
	}
	u->v[u->n] = *one;
	u->v[u->n].path = path ? strdup(path) : NULL;
	return path && !u->v[u->n++].path ? -ENOMEM : 0;
}

static int look_at(int dir, const char *path, struct statx *st)
{
	return statx(dir, path, AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_INO | STATX_MNT_ID, st);
}

static dev_t dev_of(const struct statx *st)
{
	return makedev(st->stx_dev_major, st->stx_dev_minor);
}

int used_of(const char *path, struct used *what, bool *is_mount, struct err *e)
{
	struct statx st;

	if (look_at(AT_FDCWD, path, &st) < 0)
		return err_set(e, errno, "looking at '%s'", path);
	*what = (struct used){.dev = dev_of(&st), .ino = st.stx_ino};
	if (st.stx_mask & STATX_MNT_ID)
		what->mount = st.stx_mnt_id;
	*is_mount = st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
	return 0;
}

/* Through the links of /proc, which lead to what is meant whatever namespace it is in. */
static bool is_used(int dir, const char *link, const struct used *what, bool *same_mount)
{
	struct statx st;

	if (look_at(dir, link, &st) < 0 || dev_of(&st) != what->dev ||
	    (what->ino && st.stx_ino != what->ino))
		return false;
	*same_mount = !what->mount || !(st.stx_mask & STATX_MNT_ID) || st.stx_mnt_id == what->mount;
	return true;
}

/* The process whose files are looked through. */
struct visit {
	int dir;
	const struct used *what;
	struct uses *out;
	struct use row;
};

static int take_link(struct visit *v, int dir, const char *link, enum use_how how, int fd)
{
	struct use row = v->row;
	char path[LINK_MAX_LEN];

	if (!is_used(dir, link, v->what, &row.same_mount))
		return 0;
	row.how = how;
	row.fd = fd;
	return uses_add(v->out, &row,
			link_read_at(dir, link, path, sizeof(path)) < 0 ? NULL : path);
}

/* A file is mapped in several pieces, one after the other. */
static bool is_again(const struct visit *v, int dir, const char *link)
{
	const struct use *last = v->out->n ? &v->out->v[v->out->n - 1] : NULL;
	char path[LINK_MAX_LEN];

	return last && last->pid == v->row.pid &&
	       (last->how == USE_MAPPED || last->how == USE_PROGRAM) && last->path &&
	       link_read_at(dir, link, path, sizeof(path)) >= 0 && str_eq(path, last->path);
}

static int take_all(struct visit *v, const char *which, enum use_how how)
{
	_cleanup_dir_ DIR *d = dir_open(v->dir, which);
	int left = ENTRIES_MAX, r = 0;
	struct dirent *de;

	if (!d)
		return errno == EACCES ? -EACCES : 0;
	while (r == 0 && left-- > 0 && (de = readdir(d))) {
		if (de->d_name[0] == '.')
			continue;
		if (how == USE_OPEN)
			r = take_link(v, dirfd(d), de->d_name, how, atoi(de->d_name));
		else if (!is_again(v, dirfd(d), de->d_name))
			r = take_link(v, dirfd(d), de->d_name, how, -1);
	}
	return r;
}

static int visit_one(struct visit *v)
{
	char root[LINK_MAX_LEN];
	int r = link_read_at(v->dir, "root", root, sizeof(root));

	/* with CAP_DAC_READ_SEARCH alone the directory of descriptors opens, and shows nothing */
	r = r == -EACCES ? r : take_link(v, v->dir, "root", USE_ROOT, -1);
	if (r == 0)
		r = take_link(v, v->dir, "cwd", USE_CWD, -1);
	if (r == 0)
		r = take_all(v, "fd", USE_OPEN);
	if (r == -EACCES) {
		v->out->unread++;
		return 0;
	}
	if (r == 0)
		r = take_link(v, v->dir, "exe", USE_PROGRAM, -1);
	return r < 0 ? r : take_all(v, "map_files", USE_MAPPED);
}

int each_process(int proc_fd, int (*look)(void *data, int dir, pid_t pid), void *data)
{
	_cleanup_dir_ DIR *d = dir_open(proc_fd, ".");
	struct dirent *de;
	int r = 0;

	if (!d)
		return 0;
	while (r == 0 && (de = readdir(d))) {
		_cleanup_close_ int dir = -EBADF;
		uint64_t pid;

		if (str_to_u64(de->d_name, 1, INT32_MAX, &pid) < 0 || (pid_t)pid == getpid())
			continue;
		dir = openat(dirfd(d), de->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir >= 0)
			r = look(data, dir, (pid_t)pid);
	}
	return r;
}

bool describe_user(int dir, pid_t pid, struct use *out)
{
	struct proc_stat st;

	*out = (struct use){.pid = pid, .fd = -1, .mnt_ns = proc_ns_inode(dir, "mnt")};
	if (proc_stat_read(dir, &st) < 0 || st.kthread)
		return false;
	memcpy(out->comm, st.comm, sizeof(out->comm));
	return true;
}

struct walk {
	const struct used *what;
	struct uses *out;
};

static int visit_process(void *data, int dir, pid_t pid)
{
	struct walk *w = data;
	struct visit v = {.dir = dir, .what = w->what, .out = w->out};

	return describe_user(dir, pid, &v.row) ? visit_one(&v) : 0;
}

int uses_of_processes(int proc_fd, const struct used *what, struct uses *out)
{
	struct walk w = {.what = what, .out = out};

	return each_process(proc_fd, visit_process, &w);
}

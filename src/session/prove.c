#include "session/prove.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "sys/ns.h"

enum { TABLE_MAX = 16 << 20, ENTRIES_MAX = 10000 };

static const struct {
	const char *key, *words;
} parts[PROVE_PARTS] = {
	{"mounts", "the target's mounts"},    {"processes", "the target's processes"},
	{"cgroup", "the target's cgroups"},   {"root", "entries of its /"},
	{"dev", "entries of its /dev"},	      {"host_mounts", "the host's mounts"},
	{"loops", "the host's loop devices"},
};

const char *prove_part_words(enum prove_part part)
{
	return parts[part].words;
}

const char *prove_part_key(enum prove_part part)
{
	return parts[part].key;
}

void prove_done(struct prove *p)
{
	for (size_t i = 0; i < PROVE_PARTS; i++)
		strv_done(&p->part[i]);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int lines_of(int dirfd, const char *path, struct strv *out)
{
	_cleanup_free_ char *text = NULL;
	int r = file_read_at(dirfd, path, TABLE_MAX, &text, NULL);

	return r < 0 ? r : strv_split(out, text, "\n");
}

/* Names, kinds, modes, owners and sizes of a directory's entries; its own times too, which change
 * when an entry comes and goes. */
static int entries_of(int dirfd, struct strv *out)
{
	_cleanup_dir_ DIR *d = NULL;
	_cleanup_close_ int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *de;
	struct stat st;
	int r = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	r = strv_push(out, str_fmt(". changed at %lld.%09ld", (long long)st.st_mtim.tv_sec,
				   st.st_mtim.tv_nsec));
	d = dir_take(TAKE_FD(fd));
	if (!d)
		return -errno;
	while (r == 0 && out->n < ENTRIES_MAX && (de = dir_next(d)))
		if (fstatat(dirfd, de->d_name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) == 0)
			r = strv_push(out, str_fmt("%s mode %o owner %u:%u device %llx inode %llu",
						   de->d_name, st.st_mode, st.st_uid, st.st_gid,
						   (unsigned long long)st.st_rdev,
						   (unsigned long long)st.st_ino));
	return r;
}

/* "PID NAME" of every process that shares the target's pid namespace, or, where that is our own,
 * its mount namespace. */
static int processes_of(const struct target *t, struct strv *out)
{
	_cleanup_dir_ DIR *d = opendir("/proc");
	_cleanup_close_ int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const struct ns_type *by = &ns_types[2]; /* pid */
	uint64_t want = ns_inode(t->proc_fd, by);
	struct dirent *de;
	int r = 0;

	if (!d || self < 0)
		return -errno;
	if (want == ns_inode(self, by)) {
		by = &ns_types[1]; /* mnt */
		want = ns_inode(t->proc_fd, by);
	}
	while (r == 0 && (de = readdir(d))) {
		_cleanup_close_ int dir = -EBADF;
		char comm[64];

		if (de->d_name[0] < '1' || de->d_name[0] > '9')
			continue;
		dir = openat(dirfd(d), de->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (dir < 0 || ns_inode(dir, by) != want ||
		    file_read_small_at(dir, "comm", comm, sizeof(comm)) < 0)
			continue;
		comm[strcspn(comm, "\n")] = '\0';
		r = strv_push(out, str_fmt("%s %s", de->d_name, comm));
	}
	return r;
}

static int loops_in_use(struct strv *out)
{
	_cleanup_dir_ DIR *d = opendir("/sys/block");
	struct dirent *de;
	int r = 0;

	while (d && r == 0 && (de = readdir(d))) {
		char path[300], file[4096];

		if (!str_starts(de->d_name, "loop"))
			continue;
		snprintf(path, sizeof(path), "%s/loop/backing_file", de->d_name);
		if (file_read_small_at(dirfd(d), path, file, sizeof(file)) > 0)
			r = strv_push(out, str_fmt("%s %s", de->d_name, file));
	}
	return r;
}

static int take_target(const struct target *t, struct prove *p, struct err *e)
{
	_cleanup_close_ int root = openat(t->proc_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int dev = -EBADF;
	int r;

	if (root < 0)
		return err_set(e, errno == ENOENT ? ESRCH : errno, "looking at the target's root");
	r = lines_of(t->proc_fd, "mountinfo", &p->part[PROVE_MOUNTS]);
	if (r == 0)
		r = lines_of(t->proc_fd, "cgroup", &p->part[PROVE_CGROUP]);
	if (r == 0)
		r = processes_of(t, &p->part[PROVE_PROCESSES]);
	if (r == 0)
		r = entries_of(root, &p->part[PROVE_ROOT]);
	dev = path_open_in_root(root, "/dev", O_PATH | O_DIRECTORY);
	return r == 0 && dev >= 0 ? entries_of(dev, &p->part[PROVE_DEV]) : r;
}

static int take_store(const struct store *s, struct prove *p)
{
	struct strv *out = &p->part[PROVE_ROOT];
	struct stat st;
	int r = 0;

	for (size_t i = 0; i < s->n_layers && r == 0; i++)
		r = entries_of(s->layers[i].fd, out);
	for (size_t i = 0; i < s->n_mounts && r == 0; i++) {
		if (s->mounts[i].fd < 0 || fstat(s->mounts[i].fd, &st) < 0)
			continue;
		r = strv_push(out, str_fmt("%s mode %o owner %u:%u changed at %lld.%09ld",
					   s->mounts[i].dest, st.st_mode, st.st_uid, st.st_gid,
					   (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec));
	}
	return r;
}

int prove_take(const struct target *t, const struct store *store, struct prove *p, struct err *e)
{
	int r = store ? take_store(store, p) : take_target(t, p, e);

	if (r == 0)
		r = lines_of(AT_FDCWD, "/proc/self/mountinfo", &p->part[PROVE_HOST_MOUNTS]);
	if (r == 0)
		r = loops_in_use(&p->part[PROVE_LOOPS]);
	if (r < 0)
		return e && e->num ? r : err_set(e, r, "taking a fingerprint of the target");
	for (size_t i = 0; i < PROVE_PARTS; i++)
		if (p->part[i].n)
			qsort(p->part[i].v, p->part[i].n, sizeof(char *), by_text);
	return 0;
}

int prove_diff(const struct prove *before, const struct prove *after, enum prove_part part,
	       struct strv *out)
{
	const struct strv *a = &before->part[part], *b = &after->part[part];
	size_t i = 0, k = 0;
	int n = 0;

	while (i < a->n || k < b->n) {
		int c = i == a->n ? 1 : k == b->n ? -1 : strcmp(a->v[i], b->v[k]);
		char *s;

		if (c == 0) {
			i++;
			k++;
			continue;
		}
		s = c < 0 ? str_fmt("-%s", a->v[i++]) : str_fmt("+%s", b->v[k++]);
		if (strv_push(out, s) < 0)
			return -ENOMEM;
		n++;
	}
	return n;
}

static bool same(const struct prove *a, const struct prove *b)
{
	_cleanup_strv_ struct strv diff = {};

	for (int i = 0; i < PROVE_PARTS; i++)
		if (prove_diff(a, b, (enum prove_part)i, &diff) != 0)
			return false;
	return true;
}

int prove_take_after(const struct target *t, const struct store *store, const struct prove *before,
		     struct prove *after, struct err *e)
{
	for (int tries = 0;; tries++) {
		int r = prove_take(t, store, after, e);

		if (r < 0 || tries == 100 || same(before, after))
			return r;
		prove_done(after);
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	}
}

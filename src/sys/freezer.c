#include "sys/freezer.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

enum { DEPTH_MAX = 16, PROCS_MAX = 100000, PROCS_BYTES = 8 * PROCS_MAX };

void freezer_done(struct freezer *f)
{
	cleanup_close(&f->dir);
	cleanup_close(&f->ctl);
	free(f->path);
	*f = FREEZER_INIT;
}

static int open_in(const struct cgroup_hier *h, int proc_fd, int self_fd, struct freezer *f)
{
	_cleanup_free_ char *path = h ? cgroup_path_read(proc_fd, h) : NULL;
	_cleanup_free_ char *ours = h ? cgroup_path_read(self_fd, h) : NULL;

	if (!path || str_eq(path, "/") || str_eq(path, ours))
		return -ENOENT;
	cgroup_cut_init(path);
	f->v2 = h->v2;
	f->dir = cgroup_open(h, path);
	if (f->dir < 0)
		return f->dir;
	f->ctl = openat(f->dir, h->v2 ? "cgroup.freeze" : "freezer.state", O_WRONLY | O_CLOEXEC);
	f->path = str_fmt("%s%s", h->mount, path);
	return f->ctl < 0 ? -errno : f->path ? 0 : -ENOMEM;
}

int freezer_open(const struct cgroup_hiers *h, int proc_fd, int self_fd, struct freezer *f)
{
	const struct cgroup_hier *v1 = cgroup_find(h, "freezer"), *v2 = cgroup_find(h, "");
	int r = v1 && !v1->v2 ? open_in(v1, proc_fd, self_fd, f) : -ENOENT;

	if (r == -ENOENT) {
		freezer_done(f);
		r = open_in(v2, proc_fd, self_fd, f);
	}
	if (r < 0)
		freezer_done(f);
	return r;
}

static bool state_is(const struct freezer *f, const char *state)
{
	char text[32];

	return file_read_small_at(f->dir, "freezer.state", text, sizeof(text)) > 0 &&
	       str_starts(text, state);
}

static bool all_frozen(const struct freezer *f)
{
	uint64_t n = 0;

	if (!f->v2)
		return state_is(f, "FROZEN");
	return cgroup_key(f->dir, "cgroup.events", "frozen", &n) == 0 && n;
}

bool freezer_is_on(const struct freezer *f)
{
	uint64_t n = 0;

	if (all_frozen(f))
		return true;
	if (!f->v2)
		return state_is(f, "FREEZING");
	return cgroup_u64(f->dir, "cgroup.freeze", &n) == 0 && n;
}

static int write_state(const struct freezer *f, bool frozen)
{
	const char *text = f->v2 ? (frozen ? "1" : "0") : frozen ? "FROZEN" : "THAWED";

	return pwrite(f->ctl, text, strlen(text), 0) < 0 ? -errno : 0;
}

int freezer_thaw(const struct freezer *f)
{
	return write_state(f, false);
}

static void nap(long ms)
{
	nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

int freezer_freeze(const struct freezer *f, int timeout_ms)
{
	for (int ms = 0; ms < timeout_ms; ms++) {
		/* version 1 looks at all its processes again only when written to, and what forks
		 * at the wrong moment can keep it from an end: runc does it so, too */
		int r = ms == 0 || !f->v2 ? write_state(f, true) : 0;

		if (r < 0)
			return r;
		if (all_frozen(f))
			return 0;
		if (!f->v2 && ms % 50 == 49) {
			freezer_thaw(f);
			nap(5);
			ms += 5;
		}
		nap(1);
	}
	freezer_thaw(f);
	return -ETIMEDOUT;
}

struct walk {
	int (*each)(int pid, void *data);
	void *data;
	unsigned left;
};

static int procs_of(int dir, struct walk *w)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	char *save = NULL;
	int r = fd < 0 ? -errno : fd_read_all(fd, PROCS_BYTES, &text, NULL);

	if (r == -EOPNOTSUPP) /* version 2, threaded: its processes are listed above */
		return 0;
	for (char *s = text ? strtok_r(text, "\n", &save) : NULL; s && r == 0;
	     s = strtok_r(NULL, "\n", &save))
		r = w->left-- ? w->each(atoi(s), w->data) : -E2BIG;
	return r;
}

static int walk_dir(int dir, int depth, struct walk *w)
{
	int r = depth == DEPTH_MAX ? -E2BIG : procs_of(dir, w);
	_cleanup_dir_ DIR *d = dir_open(dir, ".");
	struct dirent *de;

	if (!d)
		return -errno;
	while (r == 0 && (de = readdir(d))) {
		_cleanup_close_ int sub = -EBADF;

		if (de->d_type != DT_DIR || de->d_name[0] == '.')
			continue;
		sub = openat(dirfd(d), de->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub >= 0)
			r = walk_dir(sub, depth + 1, w);
	}
	return r;
}

int freezer_each(const struct freezer *f, int (*each)(int pid, void *data), void *data)
{
	struct walk w = {.each = each, .data = data, .left = PROCS_MAX};

	return walk_dir(f->dir, 0, &w);
}

/* Who uses a file system: other mounts of it, in any mount namespace, and the kernel itself. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "sys/mountinfo.h"
#include "watch/uses_priv.h"

enum { NAMESPACES_MAX = 4096, LOOPS_MAX = 4096, SWAPS_MAX = 1 << 20, NAME_SIZE = 4200 };

/* The mount tables that were read, one for each namespace. */
struct tables {
	const struct used *what;
	struct uses *out;
	unsigned major, minor; /* the file system, as mount tables name it */
	uint64_t own;	       /* our mount namespace */
	size_t n;
	uint64_t seen[NAMESPACES_MAX];
};

static bool is_new(struct tables *t, uint64_t ns)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->seen[i] == ns)
			return false;
	if (!ns || t->n == NAMESPACES_MAX)
		return false;
	t->seen[t->n++] = ns;
	return true;
}

static int take_row(struct tables *t, const struct mount_row *row, struct use *who)
{
	bool same_fs = row->major == t->major && row->minor == t->minor;
	bool below = who->mnt_ns == t->own && (uint64_t)row->parent == t->what->mount;

	if ((uint64_t)row->id == t->what->mount || !(same_fs || below))
		return 0;
	if (who->mnt_ns == t->own)
		who->pid = 0; /* everybody's here */
	who->how = below ? USE_BELOW : USE_MOUNT;
	who->same_mount = below;
	return uses_add(t->out, who, row->target);
}

static int look_at_table(void *data, int dir, pid_t pid)
{
	_cleanup_(mountinfo_done) struct mountinfo m = {};
	struct tables *t = data;
	struct use who;
	int r = 0;

	if (!describe_user(dir, pid, &who) || !is_new(t, who.mnt_ns) || mountinfo_read(dir, &m) < 0)
		return 0;
	for (size_t i = 0; i < m.n && r == 0; i++)
		r = take_row(t, &m.v[i], &who);
	return r;
}

int uses_of_mounts(int proc_fd, const struct used *what, struct uses *out)
{
	_cleanup_(mountinfo_done) struct mountinfo own = {};
	_cleanup_close_ int self = proc_dir_open(proc_fd, getpid());
	struct tables t = {.what = what, .out = out};
	int r;

	if (self < 0 || mountinfo_read(self, &own) < 0)
		return 0;
	t.own = proc_ns_inode(self, "mnt");
	for (size_t i = 0; i < own.n; i++) {
		if ((uint64_t)own.v[i].id != what->mount)
			continue;
		t.major = own.v[i].major;
		t.minor = own.v[i].minor;
		r = look_at_table(&t, self, getpid());
		return r < 0 ? r : each_process(proc_fd, look_at_table, &t);
	}
	return 0;
}

static int take_file(const struct used *what, enum use_how how, const char *path, const char *name,
		     struct uses *out)
{
	struct use row = {.how = how, .fd = -1, .same_mount = true};
	struct stat st;

	if (stat(path, &st) < 0 || st.st_dev != what->dev || (what->ino && st.st_ino != what->ino))
		return 0;
	snprintf(row.comm, sizeof(row.comm), "%.15s", name);
	return uses_add(out, &row, path);
}

static int take_loops(const struct used *what, struct uses *out)
{
	_cleanup_dir_ DIR *d = opendir("/sys/block");
	struct dirent *de;
	int left = LOOPS_MAX, r = 0;

	while (d && r == 0 && left-- > 0 && (de = readdir(d))) {
		char at[300], file[NAME_SIZE];
		ssize_t n;

		if (!str_starts(de->d_name, "loop"))
			continue;
		snprintf(at, sizeof(at), "%s/loop/backing_file", de->d_name);
		n = file_read_small_at(dirfd(d), at, file, sizeof(file));
		if (n <= 0)
			continue;
		file[strcspn(file, "\n")] = '\0';
		r = take_file(what, USE_LOOP, file, de->d_name, out);
	}
	return r;
}

static int take_swaps(int proc_fd, const struct used *what, struct uses *out)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd = openat(proc_fd, "swaps", O_RDONLY | O_CLOEXEC);
	char *save = NULL;
	int r = 0;

	if (fd < 0 || fd_read_all(fd, SWAPS_MAX, &text, NULL) < 0)
		return 0;
	for (char *l = strtok_r(text, "\n", &save); l && r == 0; l = strtok_r(NULL, "\n", &save)) {
		l[strcspn(l, " \t")] = '\0';
		if (*l == '/')
			r = take_file(what, USE_SWAP, l, "swap", out);
	}
	return r;
}

int uses_of_kernel(int proc_fd, const struct used *what, struct uses *out)
{
	int r = take_loops(what, out);

	return r < 0 ? r : take_swaps(proc_fd, what, out);
}

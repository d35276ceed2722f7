/* --keep: what a session wrote, saved on the host. */
#include <fcntl.h>
#include <limits.h>
#include <linux/limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "session/changes.h"
#include "session/copy.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* Root can give things away; one who is root of a user namespace only would give them to ids that
 * are nobody's outside. */
static int read_owners(struct keep *k, const struct plan *p, struct err *e)
{
	int proc = p->target->proc_fd;

	k->owners = geteuid() == 0 && !p->user_xattr;
	if (!k->owners || !(p->ns_join & CLONE_NEWUSER))
		return 0;
	k->maps = calloc(2, sizeof(*k->maps));
	if (!k->maps || idmap_read(proc, "uid_map", &k->maps[0]) < 0 ||
	    idmap_read(proc, "gid_map", &k->maps[1]) < 0)
		return err_say(e, EIO, "reading the id maps of '%s' failed", p->label);
	return 0;
}

/* As the container sees it; what it has no name for stays. */
static uint32_t inside(const struct keep *k, int which, uint32_t id)
{
	uint32_t in = k->maps ? idmap_to_inside(&k->maps[which], id) : id;

	return in == UINT32_MAX ? id : in;
}

int keep_open(struct keep *k, const char *path, const struct plan *p, struct err *e)
{
	_cleanup_free_ char *dir = strdup(path);
	size_t n = dir ? strlen(dir) : 0;
	struct stat st;
	char *slash;

	if (!dir)
		return err_set(e, ENOMEM, "preparing --keep");
	while (n > 1 && dir[n - 1] == '/')
		dir[--n] = '\0';
	slash = strrchr(dir, '/');
	k->path = path;
	k->name = strndup(slash ? slash + 1 : dir, NAME_MAX);
	if (slash)
		slash[slash == dir] = '\0';
	if (!k->name || !path_is_component(k->name))
		return err_say(e, EINVAL, "--keep takes the name of a new directory, not '%s'",
			       path);
	k->parent = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (k->parent < 0)
		return err_set(e, errno, "cannot keep anything in %s", path);
	if (fstatat(k->parent, k->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return err_say(e, EEXIST,
			       "%s exists already: --keep takes the name of a new directory", path);
	if (read_owners(k, p, e) < 0)
		return -e->num;
	/* better known before the session than after it */
	if (mkdirat(k->parent, k->name, 0700) < 0 || unlinkat(k->parent, k->name, AT_REMOVEDIR) < 0)
		return err_say(
			e, errno,
			"--keep cannot make the directory %s: its file system does not allow "
			"it (%s)",
			path, strerror(errno));
	return 0;
}

void keep_done(struct keep *k)
{
	cleanup_close(&k->parent);
	free(k->name);
	free(k->maps);
	strv_done(&k->why);
	*k = KEEP_INIT;
}

struct saving {
	struct keep *k;
	int files;
	FILE *deleted;
};

/* What an overlay notes of its own. */
static bool is_overlays(const char *name)
{
	return str_starts(name, "trusted.overlay.") || str_starts(name, "user.overlay.");
}

/* All that the file system takes: capabilities, access lists, what users gave. */
static void copy_xattrs(int from, int to)
{
	_cleanup_free_ char *names = malloc(XATTR_LIST_MAX), *value = malloc(XATTR_SIZE_MAX);
	ssize_t len = names && value ? flistxattr(from, names, XATTR_LIST_MAX) : 0, n;

	for (char *s = names; len > 0 && s < names + len; s += strlen(s) + 1) {
		if (is_overlays(s))
			continue;
		n = fgetxattr(from, s, value, XATTR_SIZE_MAX);
		if (n >= 0)
			fsetxattr(to, s, value, (size_t)n, 0);
	}
}

/* The directory of `path` below `root`, made where it is missing; its last component in *name. */
static int make_parents(int root, char *path, char **name)
{
	_cleanup_close_ int at = fcntl(root, F_DUPFD_CLOEXEC, 3);
	char *s = path + strspn(path, "/"), *slash;

	for (; (slash = strchr(s, '/')) && at >= 0; s = slash + 1) {
		int next;

		*slash = '\0';
		if (mkdirat(at, s, 0700) < 0 && errno != EEXIST)
			return -errno;
		next = openat(at, s, DIR_FLAGS);
		if (next < 0)
			return -errno;
		close(at);
		at = next;
	}
	*name = s;
	return at < 0 ? -errno : TAKE_FD(at);
}

/* What of a mode is kept: set-id bits with their owner only. */
static mode_t modes(const struct keep *k)
{
	return k->owners ? 07777 : 0777;
}

static int save_file(const struct keep *k, int from_dir, const char *from, int to_dir,
		     const char *to)
{
	_cleanup_close_ int in =
		openat(from_dir, from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	_cleanup_close_ int out = -EBADF;
	struct stat st;
	int r;

	if (in < 0 || fstat(in, &st) < 0)
		return -errno;
	out = openat(to_dir, to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	r = out < 0 ? -errno : copy_bytes(in, out);
	if (r < 0)
		return r;
	/* whose it is first: that takes set-id bits and capabilities away */
	if (k->owners && fchown(out, inside(k, 0, st.st_uid), inside(k, 1, st.st_gid)) < 0)
		return -errno;
	if (k->owners)
		copy_xattrs(in, out);
	if (fchmod(out, st.st_mode & modes(k)) < 0)
		return -errno;
	return futimens(out, (struct timespec[2]){st.st_atim, st.st_mtim}) < 0 ? -errno : 0;
}

/* Owner, mode and times of what is no regular file. Of a directory this comes last, since what is
 * put into it changes its times. */
static int finish(const struct keep *k, const struct stat *st, int dir, const char *name)
{
	const struct timespec times[2] = {st->st_atim, st->st_mtim};

	if (k->owners && fchownat(dir, name, inside(k, 0, st->st_uid), inside(k, 1, st->st_gid),
				  AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (k->owners && !S_ISLNK(st->st_mode) && fchmodat(dir, name, st->st_mode & 07777, 0) < 0)
		return -errno;
	return utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int finish_dir(const struct change *c, int dir, const char *name, void *data)
{
	const struct saving *s = data;
	_cleanup_free_ char *path =
		c->kind != 'D' && S_ISDIR(c->st.st_mode) ? strdup(c->path) : NULL;
	_cleanup_close_ int parent = -EBADF, from = -EBADF, to = -EBADF;
	char *last;

	if (!path)
		return 0;
	parent = make_parents(s->files, path, &last);
	from = openat(dir, name, DIR_FLAGS);
	to = parent < 0 ? -EBADF : openat(parent, last, DIR_FLAGS);
	if (from < 0 || to < 0) /* which keep_save() has told of */
		return 0;
	if (s->k->owners)
		copy_xattrs(from, to);
	finish(s->k, &c->st, parent, last);
	return 0;
}

static int save_link(int from_dir, const char *from, int to_dir, const char *to)
{
	char link[PATH_MAX];

	if (link_read_at(from_dir, from, link, sizeof(link)) < 0)
		return -EIO;
	return symlinkat(link, to_dir, to) < 0 ? -errno : 0;
}

static int save_one(const struct keep *k, const struct change *c, int dir, const char *name,
		    int to_dir, const char *to)
{
	const mode_t mode = c->st.st_mode;
	int r = -ENOTSUP;

	if (S_ISDIR(mode)) {
		if (mkdirat(to_dir, to, 0700) < 0 && errno != EEXIST)
			return -errno;
		return fchmodat(to_dir, to, (mode & 0777) | 0700, 0) < 0 ? -errno : 0;
	}
	if (S_ISREG(mode))
		return save_file(k, dir, name, to_dir, to);
	if (S_ISFIFO(mode))
		r = mknodat(to_dir, to, S_IFIFO | (mode & 0777), 0) < 0 ? -errno : 0;
	else if (S_ISCHR(mode) || S_ISBLK(mode)) /* nobody's but the caller's */
		return mknodat(to_dir, to, (mode & S_IFMT) | 0600, c->st.st_rdev) < 0 ? -errno : 0;
	else if (S_ISLNK(mode))
		r = save_link(dir, name, to_dir, to);
	return r < 0 ? r : finish(k, &c->st, to_dir, to);
}

/* Which one it is, and why. */
static int leave_out(struct keep *k, const struct change *c, int r)
{
	_cleanup_free_ char *path = str_printable_dup(c->path);

	if (k->left_out++ >= KEEP_WHY)
		return 0;
	return strv_push(
		&k->why,
		str_fmt("%s (%s%s)", path ? path : "?",
			S_ISCHR(c->st.st_mode) || S_ISBLK(c->st.st_mode) ? "a device: " : "",
			S_ISSOCK(c->st.st_mode) ? "a socket" : strerror(-r)));
}

/* A change_fn. A full disk ends it; one file that cannot be does not. */
static int save_change(const struct change *c, int dir, const char *name, void *data)
{
	struct saving *s = data;
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int to = -EBADF;
	char *last = NULL;
	int r;

	if (c->kind == 'D') {
		path = str_printable_dup(c->path);
		s->k->deleted++;
		return path && fprintf(s->deleted, "%s\n", path) > 0 ? 0 : -EIO;
	}
	path = strdup(c->path);
	if (!path)
		return -ENOMEM;
	to = make_parents(s->files, path, &last);
	r = to < 0 ? to : save_one(s->k, c, dir, name, to, last);
	if (r == -ENOSPC || r == -EDQUOT || r == -EIO || r == -ENOMEM)
		return r;
	if (r < 0)
		return leave_out(s->k, c, r);
	s->k->saved++;
	s->k->others += !s->k->owners && (c->st.st_uid != geteuid() || c->st.st_gid != getegid());
	return 0;
}

int keep_save(struct keep *k, const struct plan *p, const struct overlay_scratch *scratch,
	      struct err *e)
{
	_cleanup_close_ int dir = -EBADF, files = -EBADF, list = -EBADF;
	_cleanup_file_ FILE *deleted = NULL;
	struct saving s = {.k = k};
	int r;

	if (mkdirat(k->parent, k->name, 0700) < 0)
		return err_set(e, errno, "making the directory %s", k->path);
	dir = openat(k->parent, k->name, DIR_FLAGS);
	if (dir < 0 || mkdirat(dir, "files", 0700) < 0)
		return err_set(e, errno, "making the directory %s/files", k->path);
	files = openat(dir, "files", DIR_FLAGS);
	list = openat(dir, "deleted", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	deleted = list < 0 ? NULL : fdopen(list, "w");
	if (files < 0 || !deleted)
		return err_set(e, errno, "making files in %s", k->path);
	TAKE_FD(list);
	s.files = files;
	s.deleted = deleted;
	r = changes_walk(p, scratch, save_change, &s, &k->cut, NULL);
	if (r == 0)
		r = changes_walk(p, scratch, finish_dir, &s, NULL, NULL);
	if (r == 0 && fflush(deleted) != 0)
		r = -errno;
	return r < 0 ? err_set(e, r, "keeping what the session changed in %s", k->path) : 0;
}

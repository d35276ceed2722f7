#include "session/visible.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "base/fd.h"
#include "base/path.h"
#include "sys/ns.h"

#define LINK_NAME "p" /* KIT_PREFIX in /dev */

enum { LOCK_MS = 10000, LOCK_PAUSE_MS = 10 };

void visible_done(struct visible *v)
{
	free(v->label);
	free(v->path);
	free(v->host_path);
	cleanup_close(&v->root);
	cleanup_close(&v->dev);
	cleanup_close(&v->lock);
	*v = VISIBLE_INIT;
}

void visible_lock(const struct target *t, struct visible *v)
{
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000L};

	v->lock = openat(t->proc_fd, "ns/mnt", O_RDONLY | O_CLOEXEC);
	for (int ms = 0; v->lock >= 0 && ms < LOCK_MS; ms += LOCK_PAUSE_MS) {
		if (flock(v->lock, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
			return;
		nanosleep(&pause, NULL);
	}
}

bool visible_is_kit(const struct mount_row *row)
{
	static const char *const types[] = {"erofs", "overlay", "tmpfs"};

	if (!str_eq(row->source, KIT_LABEL) || !str_eq(row->root, "/") ||
	    !mountinfo_has(row->opts, "ro"))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (str_eq(row->fstype, types[i]))
			return true;
	return false;
}

/* The last mount at `path`, which lies over the others. */
static const struct mount_row *row_at(const struct mountinfo *m, const char *path)
{
	const struct mount_row *found = NULL;

	for (size_t i = 0; i < m->n; i++)
		if (str_eq(m->v[i].target, path))
			found = &m->v[i];
	return found;
}

char *visible_host_path(const struct mountinfo *ours, const struct mountinfo *theirs,
			const char *path)
{
	const struct mount_row *in = row_at(theirs, path);

	for (size_t i = 0; in && in->master && i < ours->n; i++) {
		const struct mount_row *h = &ours->v[i];
		const char *rest = h->shared == in->master ? path_below(in->root, h->root) : NULL;

		if (rest)
			return str_fmt("%s%s", str_eq(h->target, "/") ? "" : h->target,
				       str_eq(rest, "/") ? "" : rest);
	}
	return NULL;
}

/* The row is a kit that can be reached by its path: a directory of that file system with programs.
 */
static bool is_reached(const struct visible *v, const struct mount_row *row)
{
	_cleanup_close_ int fd = path_open_in_root(v->root, row->target, O_PATH | O_DIRECTORY);
	struct stat st, b;

	return fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == makedev(row->major, row->minor) &&
	       fstatat(fd, "b", &b, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(b.st_mode);
}

static bool is_link_to(const struct visible *v, const char *path)
{
	char text[PATH_MAX];

	return v->dev >= 0 && link_read_at(v->dev, LINK_NAME, text, sizeof(text)) > 0 &&
	       str_eq(text, path);
}

/* The same kit where it is mounted on the host, or NULL. */
static const struct mount_row *host_row(const struct mountinfo *ours, const struct mount_row *row)
{
	for (size_t i = 0; i < ours->n; i++)
		if (ours->v[i].major == row->major && ours->v[i].minor == row->minor &&
		    visible_is_kit(&ours->v[i]))
			return &ours->v[i];
	return NULL;
}

static bool is_at_prefix(const struct visible *v, const struct mount_row *row)
{
	struct stat st;

	return v->dev >= 0 && fstatat(v->dev, LINK_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       st.st_dev == makedev(row->major, row->minor);
}

/* A kit that is there already. 1, 0 or -ENOMEM. */
static int find_kit(struct visible *v, const struct mountinfo *ours, const struct mountinfo *theirs)
{
	for (size_t i = theirs->n; i-- > 0;) {
		const struct mount_row *row = &theirs->v[i], *host = host_row(ours, row);

		if (!visible_is_kit(row) || !is_reached(v, row) || !(host || is_at_prefix(v, row)))
			continue;
		v->there = true;
		v->fs = makedev(row->major, row->minor);
		snprintf(v->fstype, sizeof(v->fstype), "%s", row->fstype);
		v->way = host ? VISIBLE_PROPAGATED : VISIBLE_DIRECT;
		v->path = strdup(host ? row->target : KIT_PREFIX);
		v->host_path = host ? strdup(host->target) : NULL;
		v->link = host && !str_eq(v->path, KIT_PREFIX);
		return v->path && (!host || v->host_path) ? 1 : -ENOMEM;
	}
	return 0;
}

/* Can a directory be made in its /dev, and nobody but the target sees it? */
static int check_dev(const struct visible *v, struct err *e)
{
	struct stat dev, ours;

	if (v->dev < 0) {
		err_say(e, -v->dev, "'%s' has no /dev in which to make the kit's directory",
			v->label);
	} else if (fstat(v->dev, &dev) == 0 && stat("/dev", &ours) == 0 &&
		   dev.st_dev == ours.st_dev) {
		err_say(e, ENOTSUP,
			"/dev of '%s' is the host's own: a kit there would be on the host, too",
			v->label);
	} else {
		return 0;
	}
	err_hint(e,
		 "'porthole exec' works there all the same: its kit is seen by the session only");
	return -e->num;
}

static int wrong_path(const struct visible *v, const char *path, struct err *e)
{
	err_say(e, EINVAL,
		"a kit works at " KIT_PREFIX " only, and nothing on the host reaches '%s' of '%s'",
		path, v->label);
	err_hint(e,
		 "leave the path out; another one has to be a mount that receives from the host "
		 "(docker run -v /DIR:%s:rslave)",
		 path);
	return -EINVAL;
}

static int taken(const struct visible *v, struct err *e)
{
	err_say(e, EEXIST, "'%s' has something else at " KIT_PREFIX " already", v->label);
	err_hint(e, "'porthole exec' works there all the same; an empty directory can be removed "
		    "with: porthole exec --kit none TARGET rmdir " KIT_PREFIX);
	return -EEXIST;
}

/* How to mount one that is not there yet. */
static int choose_way(struct visible *v, const char *path, const struct mountinfo *ours,
		      const struct mountinfo *theirs, struct err *e)
{
	bool prefix = !path || str_eq(path, KIT_PREFIX);
	struct stat st;

	v->path = strdup(prefix ? KIT_PREFIX : path);
	if (!v->path)
		return err_set(e, ENOMEM, "looking at '%s'", v->label);
	v->host_path = visible_host_path(ours, theirs, v->path);
	if (v->host_path) {
		v->way = VISIBLE_PROPAGATED;
		v->link = !prefix;
		return v->link && !is_link_to(v, v->path) && v->dev >= 0 &&
				       fstatat(v->dev, LINK_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0
			       ? taken(v, e)
			       : 0;
	}
	if (!prefix)
		return wrong_path(v, path, e);
	if (check_dev(v, e) < 0)
		return -e->num;
	return fstatat(v->dev, LINK_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0 ? taken(v, e) : 0;
}

/* Its mount namespace must not be ours: whatever is mounted there would be on the host. */
static int check_own_mounts(struct visible *v, struct err *e)
{
	_cleanup_close_ int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	unsigned differ = 0;
	int r = self < 0 ? err_set(e, errno, "opening /proc/self (is /proc mounted?)")
			 : ns_different(v->target->proc_fd, self, CLONE_NEWNS | CLONE_NEWUSER,
					&differ, e);

	if (r < 0)
		return r;
	v->own_userns = differ & CLONE_NEWUSER;
	return differ & CLONE_NEWNS
		       ? 0
		       : err_say(e, EPERM,
				 "'%s' has the host's own mounts: a kit there would be on the host",
				 v->label);
}

int visible_look(const struct target *t, const char *path, struct visible *v, struct err *e)
{
	_cleanup_mountinfo_ struct mountinfo ours = {}, theirs = {};
	_cleanup_close_ int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	v->target = t;
	v->label = str_printable_dup(t->name);
	if (!v->label)
		return err_set(e, ENOMEM, "looking at a target");
	r = check_own_mounts(v, e);
	if (r < 0)
		return r;
	v->root = openat(t->proc_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (v->root < 0) {
		err_set(e, errno, "opening the root directory of '%s'", v->label);
		if (errno == EACCES || errno == EPERM)
			err_hint(e, "this needs root with CAP_SYS_PTRACE: run with sudo");
		return -e->num;
	}
	v->dev = path_open_in_root(v->root, "/dev", O_RDONLY | O_DIRECTORY | O_NONBLOCK);
	r = mountinfo_read(t->proc_fd, &theirs) ?: mountinfo_read(self, &ours);
	if (r < 0)
		return err_set(e, r, "reading the mount table of '%s'", v->label);
	r = find_kit(v, &ours, &theirs);
	if (r < 0)
		return err_set(e, r, "looking at '%s'", v->label);
	return r ? 0 : choose_way(v, path, &ours, &theirs, e);
}

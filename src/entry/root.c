#include "entry/root.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "sys/fsmount.h"
#include "sys/idmap.h"
#include "sys/overlay.h"

#define ATTRS (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOATIME)

/* What is mounted there: a copy of its source, or an empty tmpfs. */
static int mount_source(const struct store_mount *m, int userns)
{
	static const struct fs_opt none[] = {{"size", "4k"}, {}};
	int fd = -EINVAL;

	if (m->tmpfs)
		return fs_mount_detached("tmpfs", none, ATTRS, NULL, NULL);
	if (userns >= 0)
		fd = store_mount_mapped(m, ATTRS, userns);
	/* else owners are as on disk: they are only shown */
	return fd < 0 ? fs_clone_detached(m->fd, ATTRS, NULL) : fd;
}

struct sources {
	int *v;
	size_t n;
};

static void sources_done(struct sources *s)
{
	for (size_t i = 0; i < s->n; i++)
		cleanup_close(&s->v[i]);
	free(s->v);
}

/* Its engine makes the places of mounts when it starts it for the first time: where one is not
 * there yet, something to be written to and forgotten lies over the root. */
static int with_places(const struct store *s, int root)
{
	_cleanup_scratch_ struct overlay_scratch scratch = OVERLAY_SCRATCH_INIT;
	const struct overlay o = {.lower = &root,
				  .n = 1,
				  .scratch = &scratch,
				  .name = "places",
				  .attrs = ATTRS & ~(uint64_t)MOUNT_ATTR_RDONLY,
				  .user_xattr = s->user_xattr};
	struct err why = {}; /* then those are unseen */

	for (size_t i = 0; i < s->n_mounts; i++) {
		_cleanup_close_ int at = path_open_in_root(root, s->mounts[i].dest, O_PATH);

		if (at == -ENOENT && !s->mounts[i].gone)
			return overlay_scratch_open(&scratch, 0, -EBADF, &why) < 0
				       ? -ENOTSUP
				       : overlay_mount(&o, &why);
	}
	return -ENOENT;
}

/* Before Linux 6.15 nothing can be mounted on what is attached nowhere. */
static int attach_root(int root, struct err *e)
{
	static const char *const places[] = {"/sys/kernel", "/mnt"};

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return err_set(e, errno, "making a private mount namespace");
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (move_mount(root, "", AT_FDCWD, places[i], MOVE_MOUNT_F_EMPTY_PATH) == 0)
			return 0;
	return err_set(e, errno, "attaching the files of a container");
}

/* Made where there is none. 0 or -errno. */
static int attach_made(int root, const char *dest, int fd)
{
	_cleanup_close_ int at = -EBADF;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fd < 0 ? fd : -errno;
	at = path_make_in_root(root, dest, S_ISDIR(st.st_mode));
	if (at < 0)
		return at;
	return move_mount(fd, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0
		       ? -errno
		       : 0;
}

/* `alone`: this process may go into a mount namespace of its own. 0 or -ENOMEM. */
static int attach_all(const struct store *s, int root, const struct sources *v, bool alone,
		      struct strv *unseen)
{
	struct err why = {};

	for (size_t i = 0; i < s->n_mounts; i++) {
		const struct store_mount *m = &s->mounts[i];
		int r = m->gone ? 0 : attach_made(root, m->dest, v->v[i]);

		if (r == -EINVAL && alone) {
			alone = false;
			r = attach_root(root, &why) ?: attach_made(root, m->dest, v->v[i]);
		}
		if (r < 0 && strv_add(unseen, m->dest) < 0)
			return -ENOMEM;
	}
	return 0;
}

int entry_root_of_store(const struct store *s, struct entry *en, bool alone, struct err *e)
{
	_cleanup_close_ int root = store_mount_ro(s, &en->ids_inside, e), userns = -EBADF,
			    made = -EBADF;
	_cleanup_(sources_done) struct sources v = {};

	if (root < 0)
		return root;
	if (en->ids_inside)
		userns = idmap_userns(s->uid_map, s->gid_map, NULL);
	v.v = calloc(s->n_mounts + 1, sizeof(*v.v));
	for (; v.v && v.n < s->n_mounts; v.n++)
		v.v[v.n] = s->mounts[v.n].missing ? -ENOENT : mount_source(&s->mounts[v.n], userns);
	made = v.v ? with_places(s, root) : -ENOMEM;
	if (!v.v || attach_all(s, made < 0 ? root : made, &v, alone, &en->unseen) < 0)
		return err_set(e, ENOMEM, "opening the volumes of '%s'", s->label);
	return made < 0 ? TAKE_FD(root) : TAKE_FD(made);
}

/* What is mounted there while it is written to. */
static int writable_source(const struct store_mount *m)
{
	static const struct fs_opt none[] = {{"size", "4k"}, {}};

	if (m->tmpfs || m->missing || m->fd < 0)
		return fs_mount_detached("tmpfs", none, ATTRS, NULL, NULL);
	return fs_clone_detached(m->fd, m->ro ? ATTRS : ATTRS & ~(uint64_t)MOUNT_ATTR_RDONLY, NULL);
}

static int open_sources(const struct store *s, struct sources *out, struct err *e)
{
	out->v = calloc(s->n_mounts, sizeof(*out->v));
	if (!out->v)
		return err_set(e, ENOMEM, "opening the volumes of '%s'", s->label);
	for (; out->n < s->n_mounts; out->n++) {
		out->v[out->n] = writable_source(&s->mounts[out->n]);
		if (out->v[out->n] < 0)
			return err_set(e, out->v[out->n], "opening the volume at %s of '%s'",
				       s->mounts[out->n].dest, s->label);
	}
	return 0;
}

/* Without a volume in its place, what is copied to it would be hidden at the next start. */
static int attach_source(const struct store *s, size_t i, int root, int fd, struct err *e)
{
	const struct store_mount *m = &s->mounts[i];
	_cleanup_close_ int at = path_open_in_root(root, m->dest, O_PATH);

	if (at >= 0 &&
	    move_mount(fd, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0)
		return 0;
	/* a file that is gone cannot be covered by a directory: as its engine would, it is left */
	if (at >= 0 && errno == ENOTDIR && (m->missing || m->tmpfs))
		return 0;
	if (at == -ENOENT) {
		err_say(e, ENOENT,
			"%s, where '%s' has a volume, is not there yet, and so its files cannot be "
			"written to",
			m->dest, s->label);
		err_hint(e, "it is made when the container is started for the first time");
		return -ENOENT;
	}
	return err_set(e, at < 0 ? at : errno, "mounting the volume at %s of '%s'", m->dest,
		       s->label);
}

int entry_root_writable(const struct store *s, int proc_fd, struct err *e)
{
	_cleanup_close_ int root = store_mount_rw(s, proc_fd, e);
	_cleanup_(sources_done) struct sources v = {};
	int r = root < 0 ? root : 0;

	if (r < 0 || !s->n_mounts)
		return r < 0 ? r : TAKE_FD(root);
	r = open_sources(s, &v, e);
	if (r == 0)
		r = attach_root(root, e);
	for (size_t i = 0; i < v.n && r == 0; i++)
		r = attach_source(s, i, root, v.v[i], e);
	return r < 0 ? r : TAKE_FD(root);
}

int entry_root_of_target(const struct target *t, struct err *e)
{
	int root = openat(t->proc_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root >= 0)
		return root;
	err_set(e, errno, "opening the root directory of '%s'", t->name);
	if (errno == EACCES || errno == EPERM)
		err_hint(e, "this needs root with CAP_SYS_PTRACE: run with sudo");
	return -e->num;
}

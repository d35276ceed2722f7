#include "session/graft.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "session/beside.h"
#include "session/view.h"
#include "session/within.h"
#include "sys/ns.h"

void graft_done(struct graft *g)
{
	free(g->label);
	cleanup_close(&g->root);
	mountinfo_done(&g->ours);
	mountinfo_done(&g->theirs);
	*g = GRAFT_INIT;
}

int graft_open(const struct target *t, struct graft *g, struct err *e)
{
	_cleanup_close_ int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	unsigned differ = 0;
	int r;

	g->t = t;
	g->label = str_printable_dup(t->name);
	if (!g->label)
		return err_set(e, ENOMEM, "looking at a container");
	r = self < 0 ? err_set(e, errno, "opening /proc/self (is /proc mounted?)")
		     : ns_different(t->proc_fd, self, CLONE_NEWNS, &differ, e);
	if (r < 0)
		return r;
	if (!differ)
		return err_say(e, EPERM, "'%s' has the host's own mounts: mount(8) is for those",
			       g->label);
	g->root = openat(t->proc_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (g->root < 0)
		return err_set(e, errno, "opening the root directory of '%s'", g->label);
	r = mountinfo_read(t->proc_fd, &g->theirs) ?: mountinfo_read(self, &g->ours);
	return r < 0 ? err_set(e, r, "reading the mount table of '%s'", g->label) : 0;
}

static const struct mount_row *row_of(const struct mountinfo *m, uint64_t id)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].id == (int)id)
			return &m->v[i];
	return NULL;
}

/* The session's own, whatever file system they show. */
static bool is_own(const struct mount_row *m)
{
	static const char *const paths[] = {"/",	"/dev",	       KIT_PREFIX,  "/dev/pts",
					    "/dev/shm", "/dev/mqueue", BESIDE_SELF, BESIDE_KIT};

	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		if (str_eq(m->target, paths[i]))
			return true;
	return path_below(m->target, "/proc");
}

/* It is where it is because of what is below it: as on the host. */
static bool is_continued(const struct graft *g, const struct mount_row *m, const char *host)
{
	const struct mount_row *below = row_of(&g->theirs, (uint64_t)m->parent);
	_cleanup_free_ char *there = below ? mountinfo_host_path(&g->ours, below) : NULL,
			    *path = NULL;
	const char *rest = there ? path_below(m->target, below->target) : NULL;

	if (!rest)
		return false;
	path = str_fmt("%s%s", str_eq(there, "/") ? "" : there, rest);
	return path && str_eq(path, host);
}

const struct mount_row *graft_next(const struct graft *g, size_t *at, char **host)
{
	while (*at < g->theirs.n) {
		const struct mount_row *m = &g->theirs.v[(*at)++];
		_cleanup_free_ char *path = is_own(m) ? NULL : mountinfo_host_path(&g->ours, m);

		/* devices are where they are, in any container */
		if (path && path_below(path, "/dev") && str_eq(path, m->target))
			continue;
		if (path && !is_continued(g, m, path)) {
			*host = TAKE_PTR(path);
			return m;
		}
	}
	return NULL;
}

/* The mount that `fd` is on; *is_root: it is the root of that. NULL: not seen in its table. */
static const struct mount_row *mount_under(const struct graft *g, int fd, bool *is_root)
{
	struct statx st;

	*is_root = false;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0)
		return NULL;
	*is_root = st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
	return row_of(&g->theirs, st.stx_mnt_id);
}

/* --- to add --- */

/* What is mounted below one that gives back to the host would be mounted there. */
static bool reaches_host(const struct graft *g, const struct mount_row *m)
{
	for (size_t i = 0; m && m->shared && i < g->ours.n; i++)
		if (g->ours.v[i].shared == m->shared)
			return true;
	return false;
}

/* The deepest directory that is there on the way to `path`, which is cut to that. */
static int open_deepest(int root, char *path)
{
	for (;;) {
		int fd = path_open_in_root(root, *path ? path : "/", O_PATH);
		char *slash = strrchr(path, '/');

		if (fd != -ENOENT || !slash)
			return fd;
		*slash = '\0';
	}
}

/* May it be, or be made, at `inside`? `at`: what is there of the way to it, `n` bytes of it. */
static int check_place(const struct graft *g, const struct volume *v, int at, size_t n,
		       struct err *e)
{
	bool whole = !v->inside[n], is_root;
	const struct mount_row *m = mount_under(g, at, &is_root);
	_cleanup_free_ char *host = m ? mountinfo_host_path(&g->ours, m) : NULL;
	const char *rest = host ? path_below(v->inside, m->target) : NULL;

	if (whole && is_root) {
		err_say(e, EEXIST, "something is mounted at %s of '%s' already%s%s", v->inside,
			g->label, host ? ": the host's " : "", host ? host : "");
		err_hint(e, host ? "'porthole host unmount' takes it away" : "take another path");
	} else if (reaches_host(g, m)) {
		err_say(e, EPERM,
			"what is mounted at %s of '%s' would be mounted on the host, too, since "
			"%s is shared with it both ways",
			v->inside, g->label, m->target);
		err_hint(e, "mount it on the host, or take another path");
	} else if (!whole && host) {
		err_say(e, ENOENT, "'%s' cannot be at %s: that is %s%s of the host, and not there",
			v->host, v->inside,
			rest && str_eq(host, "/") ? ""
			: rest			  ? host
						  : "in ",
			rest ? rest : host);
		err_hint(e, "nothing is made on the host for it: make it, or take a path of the "
			    "container's own");
	} else {
		return 0;
	}
	return -e->num;
}

/* Take away what was made of `path` after its first `n` bytes. */
static void unmake(int root, char *path, size_t n)
{
	char *slash;

	while (strlen(path) > n && (slash = strrchr(path, '/'))) {
		_cleanup_close_ int dir = -EBADF;

		*slash = '\0';
		dir = path_open_in_root(root, *path ? path : "/", O_PATH | O_DIRECTORY);
		if (dir < 0 || (unlinkat(dir, slash + 1, AT_REMOVEDIR) < 0 &&
				(errno != ENOTDIR || unlinkat(dir, slash + 1, 0) < 0)))
			return;
	}
}

struct place {
	int tree, at;
};

static int attach(const void *arg, struct err *e)
{
	const struct place *p = arg;
	int r = view_attach(p->tree, p->at, "");

	return r < 0 ? err_set(e, r, "attaching it there") : 0;
}

static int make_place(const struct graft *g, const struct volume *v, bool dir, struct err *e)
{
	mode_t mask = umask(022);
	int at = path_make_in_root(g->root, v->inside, dir);

	umask(mask);
	if (at == -EROFS || at == -EACCES || at == -EPERM) {
		err_say(e, -at, "%s of '%s' is not there, and cannot be made: %s", v->inside,
			g->label, at == -EROFS ? "its root is read-only" : strerror(-at));
		err_hint(e, "take a path that is there, such as /mnt");
	} else if (at < 0) {
		err_set(e, at, "making %s in '%s'", v->inside, g->label);
	}
	return at;
}

static bool is_dir(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

int graft_add(const struct graft *g, const struct volume *v, struct err *e)
{
	_cleanup_free_ char *way = strdup(v->inside), *made = strdup(v->inside);
	_cleanup_close_ int tree = volume_open(v, false, e), at = -EBADF;
	struct place place = {.tree = tree};
	size_t n;
	int r;

	if (tree < 0 || !way || !made)
		return tree < 0 ? tree : err_set(e, ENOMEM, "mounting '%s'", v->host);
	at = open_deepest(g->root, way);
	n = strlen(way);
	if (at < 0)
		return err_set(e, at, "looking at %s of '%s'", v->inside, g->label);
	r = check_place(g, v, at, n, e);
	if (r < 0)
		return r;
	if (v->inside[n]) {
		close(at);
		at = make_place(g, v, is_dir(tree), e);
	}
	place.at = at;
	if (at >= 0 && is_dir(at) != is_dir(tree))
		r = err_say(e, ENOTDIR, "'%s' is %s, and %s of '%s' is %s", v->host,
			    is_dir(tree) ? "a directory" : "a file", v->inside, g->label,
			    is_dir(at) ? "a directory" : "none");
	else
		r = at < 0 ? at : within_mounts(g->t, g->label, attach, &place, e);
	if (r < 0)
		unmake(g->root, made, n);
	return r;
}

/* --- to take away --- */

int graft_find(const struct graft *g, const char *path, const struct mount_row **out, struct err *e)
{
	_cleanup_close_ int at = path_open_in_root(g->root, path, O_PATH);
	_cleanup_free_ char *host = NULL;
	bool is_root = false;

	if (at < 0 && at != -ENOENT)
		return err_set(e, at, "looking at %s of '%s'", path, g->label);
	*out = at < 0 ? NULL : mount_under(g, at, &is_root);
	host = *out && !is_own(*out) ? mountinfo_host_path(&g->ours, *out) : NULL;
	if (!*out || !is_root)
		err_say(e, ENOENT, "nothing is mounted at %s of '%s'", path, g->label);
	else if (!host)
		err_say(e, EPERM, "what is at %s of '%s' is the container's own", path, g->label);
	else
		return 0;
	err_hint(e, "'porthole host mount %s' lists what it has of the host", g->label);
	return -e->num;
}

bool graft_is_below(const struct graft *g, const struct mount_row *m, const struct mount_row *top)
{
	for (size_t i = 0; m && i < g->theirs.n; i++) {
		if (m == top)
			return true;
		m = row_of(&g->theirs, (uint64_t)m->parent);
	}
	return false;
}

struct removal {
	const struct graft *g;
	const char *path;
	int flags;
};

static int detach(const void *arg, struct err *e)
{
	const struct removal *r = arg;

	if (fchdir(r->g->root) < 0 || chroot(".") < 0)
		return err_set(e, errno, "going to the root directory of '%s'", r->g->label);
	if (umount2(r->path, r->flags | UMOUNT_NOFOLLOW) < 0)
		return err_set(e, errno, "unmounting %s of '%s'", r->path, r->g->label);
	return 0;
}

int graft_remove(const struct graft *g, const struct mount_row *m, bool in_use, struct err *e)
{
	struct removal rm = {.g = g, .path = m->target, .flags = in_use ? MNT_DETACH : 0};

	for (size_t i = 0; i < g->theirs.n; i++)
		if (&g->theirs.v[i] != m && graft_is_below(g, &g->theirs.v[i], m))
			rm.flags = MNT_DETACH; /* with all of it at once; the caller has looked */
	return within_mounts(g->t, g->label, detach, &rm, e);
}

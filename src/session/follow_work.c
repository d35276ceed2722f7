#include "session/follow_work.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "session/view.h"
#include "session/volume.h"
#include "sys/title.h"

#ifndef MOVE_MOUNT_BENEATH
#define MOVE_MOUNT_BENEATH 0x200
#endif

#define BENEATH_SIZE "4k"

enum {
	AT_ONCE = 200, /* steps that one child takes: it holds a descriptor for each */
	ANSWER_MS = 3000,
	COVERS_MAX = 100,
};

void work_done(struct work *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->v[i].inside);
	free(w->v);
	*w = (struct work){};
}

int work_add(struct work *w, struct step step)
{
	_cleanup_free_ char *inside = step.inside;
	bool full = !(w->n & (w->n - 1)); /* at 0, and at each power of two */
	void *v = inside && full ? reallocarray(w->v, w->n ? 2 * w->n : 1, sizeof(*w->v)) : w->v;

	if (!inside || !v)
		return -ENOMEM;
	w->v = v;
	w->v[w->n++] = step;
	TAKE_PTR(inside);
	return 0;
}

bool work_lies_beneath(const struct mount_row *row)
{
	return str_eq(row->fstype, "tmpfs") && str_eq(row->source, "porthole") &&
	       mountinfo_has(row->super, "size=" BENEATH_SIZE);
}

/* --- [child] --- */

/* A mount that one of us has just attached is in no table that was read. */
struct taker {
	const struct work *w;
	int root;
	size_t n;
	struct {
		uint64_t id;
		struct mount_row row; /* as the host's, but for what it receives */
	} made[AT_ONCE];
};

/* The mount that `fd` is on, by its number; *is_root: it is the root of that. */
static uint64_t mount_id(int fd, bool *is_root)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_MNT_ID, &st) < 0)
		return 0;
	*is_root = st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
	return st.stx_mnt_id;
}

static const struct mount_row *shown_by(const struct taker *t, uint64_t id)
{
	for (size_t i = 0; i < t->w->theirs->n; i++)
		if ((uint64_t)t->w->theirs->v[i].id == id)
			return &t->w->theirs->v[i];
	for (size_t i = 0; i < t->n; i++)
		if (t->made[i].id == id)
			return &t->made[i].row;
	return NULL;
}

static bool is_same(const struct mount_row *a, const struct mount_row *b)
{
	return a->major == b->major && a->minor == b->minor && str_eq(a->root, b->root);
}

static bool stays_slave(const struct step *s)
{
	return !s->path->ro && str_eq(s->row->fstype, "autofs");
}

/* Exactly the host's row, alone; -EBUSY: another lies over it. */
static int clone_of(const struct work *w, const struct step *s)
{
	const struct volume v = {.host = s->path->host, .ro = s->path->ro};
	struct mount_attr attr = {.attr_set = volume_attrs(&v, w->devices),
				  .propagation = stays_slave(s) ? MS_SLAVE : MS_PRIVATE};
	_cleanup_close_ int at = open(s->row->target, O_PATH | O_NOFOLLOW | O_CLOEXEC),
			    tree = -EBADF;
	bool is_root;

	if (at < 0)
		return -errno;
	if (mount_id(at, &is_root) != (uint64_t)s->row->id)
		return -EBUSY;
	tree = open_tree(at, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (tree < 0 || mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return -errno;
	return TAKE_FD(tree);
}

/* What would be mounted on `m` would be mounted on the host as well, or is by the kernel. */
static bool is_kernels(const struct taker *t, const struct step *s, const struct mount_row *m)
{
	if (m->master && m->master == s->under->shared)
		return true;
	for (size_t i = 0; m->shared && i < t->w->ours->n; i++)
		if (t->w->ours->v[i].shared == m->shared)
			return true;
	return false;
}

/* True: not yet. What the container has mounted there itself stays as it is. */
static bool attach(struct taker *t, const struct step *s, int tree)
{
	_cleanup_close_ int at = path_open_in_root(t->root, s->inside, O_PATH | O_NOFOLLOW);
	bool is_root = false, over = str_eq(s->under->target, s->row->target),
	     top = str_eq(s->inside, s->path->inside);
	uint64_t id = at < 0 ? 0 : mount_id(at, &is_root);
	const struct mount_row *m = shown_by(t, id);

	if (!m)
		return true;
	if ((is_root && is_same(m, s->row)) || is_kernels(t, s, m))
		return false;
	if (m->major != s->under->major || m->minor != s->under->minor ||
	    (is_root && !top && !(over && is_same(m, s->under))))
		return true;
	if (view_attach(tree, at, "") < 0)
		return true;
	t->made[t->n].id = mount_id(tree, &is_root);
	t->made[t->n].row = *s->row;
	t->made[t->n].row.shared = 0;
	t->made[t->n++].row.master = stays_slave(s) ? s->row->shared : 0;
	return false;
}

/* By its descriptor: what lies at its path may be another by now. The working directory is /proc.
 */
static int detach(int at)
{
	char path[32];

	snprintf(path, sizeof(path), "self/fd/%d", at);
	return umount2(path, MNT_DETACH);
}

/* With what the container has mounted on it, or over it. */
static void drop(struct taker *t, const struct step *s)
{
	for (size_t i = 0; i < COVERS_MAX; i++) {
		_cleanup_close_ int at = path_open_in_root(t->root, s->inside, O_PATH | O_NOFOLLOW);
		bool is_root = false;
		uint64_t id = at < 0 ? 0 : mount_id(at, &is_root);
		const struct mount_row *m = shown_by(t, id);

		if (!is_root || !m || !str_eq(m->target, s->inside) || detach(at) < 0 ||
		    m == s->there)
			return;
	}
}

static void make_own(struct taker *t, const struct step *s)
{
	_cleanup_close_ int at = path_open_in_root(t->root, s->inside, O_PATH | O_NOFOLLOW);
	struct mount_attr attr = {.propagation = MS_PRIVATE};
	bool is_root;

	if (at >= 0 && mount_id(at, &is_root) == (uint64_t)s->there->id)
		mount_setattr(at, "", AT_EMPTY_PATH, &attr, sizeof(attr));
}

/* Nobody is in it, and nothing is mounted on it. Asked twice in a row, it would be unmounted: but
 * whoever opens it in between is somebody who uses it. */
static bool is_unused(struct taker *t, const struct step *s)
{
	bool is_root = false, is;
	int at = path_open_in_root(t->root, s->inside, O_PATH | O_NOFOLLOW);
	uint64_t id = at < 0 ? 0 : mount_id(at, &is_root);

	cleanup_close(&at);
	if (id != (uint64_t)s->there->id)
		return !s->under; /* as it is */
	is = umount2(s->inside, MNT_EXPIRE | UMOUNT_NOFOLLOW) < 0 && errno == EAGAIN;
	at = path_open_in_root(t->root, s->inside, O_PATH | O_NOFOLLOW);
	cleanup_close(&at);
	return is;
}

/* The host's umount(8) asks of what is mounted in the same place here whether it is in use, but not
 * of what covers that wholly: it takes away what lies beneath, and leaves the other. Linux 6.5. */
static void put_beneath(struct taker *t, const struct step *s)
{
	_cleanup_close_ int at = path_open_in_root(t->root, s->inside, O_PATH | O_NOFOLLOW),
			    mnt = view_new_tmpfs(BENEATH_SIZE,
						 MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID);

	if (at >= 0 && mnt >= 0)
		move_mount(mnt, "", at, "",
			   MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH | MOVE_MOUNT_BENEATH);
}

/* As it was, so that it is gone as soon as the host's is. */
static void take_from_beneath(struct taker *t, const struct step *s)
{
	_cleanup_close_ int tree = open_tree(t->root, s->inside + 1,
					     OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
						     AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT),
			    under = -EBADF, at = -EBADF;
	bool is_root = false;

	if (tree < 0 || umount2(s->inside, UMOUNT_NOFOLLOW) < 0)
		return;
	under = path_open_in_root(t->root, s->inside, O_PATH | O_NOFOLLOW);
	if (under < 0 || mount_id(under, &is_root) != (uint64_t)s->under->id || detach(under) < 0)
		return;
	at = path_open_in_root(t->root, s->inside, O_PATH | O_NOFOLLOW);
	if (at >= 0)
		view_attach(tree, at, "");
}

static void probe(struct taker *t, const struct step *s)
{
	bool unused = is_unused(t, s);

	if (unused && s->under)
		take_from_beneath(t, s);
	else if (!unused && !s->under)
		put_beneath(t, s);
}

static bool take_step(struct taker *t, const struct step *s, int tree)
{
	switch (s->kind) {
	case STEP_DROP:
		drop(t, s);
		return false;
	case STEP_OWN:
		make_own(t, s);
		return false;
	case STEP_PROBE:
		probe(t, s);
		return false;
	case STEP_ADD:
		return tree == -EBUSY || (tree >= 0 && attach(t, s, tree));
	}
	return false;
}

/* Says of each step whether it is for later. */
_Noreturn static void take_all(const struct work *w, const struct step *v, size_t n, int say)
{
	struct taker t = {.w = w};
	int proc = w->host_proc, mnt_ns = w->mnt_ns, trees[AT_ONCE];
	int *const keep[] = {&proc, &mnt_ns, &say};
	char said[AT_ONCE];

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	title_set("porthole: mounts");
	setsid();
	fd_keep_only(keep, ARRAY_LEN(keep));
	for (size_t i = 0; i < n; i++)
		trees[i] = v[i].kind == STEP_ADD ? clone_of(w, &v[i]) : -EBADF;
	if (setns(mnt_ns, CLONE_NEWNS) < 0)
		_exit(EXIT_PORTHOLE);
	t.root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (t.root < 0 || fchdir(proc) < 0)
		_exit(EXIT_PORTHOLE);
	for (size_t i = 0; i < n; i++) {
		said[i] = take_step(&t, &v[i], trees[i]) ? 'l' : 'd';
		if (trees[i] >= 0)
			close(trees[i]);
	}
	fd_write_all(say, said, n);
	_exit(0);
}

/* --- */

/* 0 or -errno; -ETIMEDOUT. */
static int hear(int fd, struct step *v, size_t n)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char said[AT_ONCE] = {};
	int r;

	while ((r = poll(&p, 1, ANSWER_MS)) < 0 && errno == EINTR)
		;
	if (r <= 0)
		return r == 0 ? -ETIMEDOUT : -errno;
	if (read(fd, said, n) != (ssize_t)n) /* one write, of less than a pipe holds */
		return -EIO;
	for (size_t i = 0; i < n; i++)
		v[i].later = said[i] == 'l';
	return 0;
}

static pid_t take_some(const struct work *w, struct step *v, size_t n)
{
	_cleanup_close_ int from = -EBADF, to = -EBADF;
	int pair[2], r;
	pid_t pid;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return -errno;
	from = pair[0];
	to = pair[1];
	pid = fork();
	if (pid == 0)
		take_all(w, v, n, to);
	if (pid < 0)
		return -errno;
	cleanup_close(&to);
	to = -EBADF;
	r = hear(from, v, n);
	if (r == -ETIMEDOUT)
		return pid;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}

pid_t work_take(struct work *w)
{
	pid_t r = 0;

	for (size_t i = 0; i < w->n && r == 0; i += AT_ONCE)
		r = take_some(w, w->v + i, w->n - i < AT_ONCE ? w->n - i : AT_ONCE);
	return r;
}

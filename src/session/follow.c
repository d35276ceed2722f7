#include "session/follow.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/path.h"
#include "base/str.h"
#include "session/follow_work.h"

enum {
	FIRST_MS = 5,	/* later than `bash -c true` takes */
	PROBE_MS = 250, /* after a change; then twice as long each time */
	PROBE_MAX_MS = 4000,
};

void follow_done(struct follow *f)
{
	cleanup_close(&f->table);
	cleanup_close(&f->inside);
	mountinfo_done(&f->known);
	*f = FOLLOW_INIT;
}

void follow_start(struct follow *f, const struct plan *p)
{
	f->plan = p;
	if (p->beside.n_paths)
		f->table = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
}

static bool shows_same(const struct mount_row *a, const struct mount_row *b)
{
	return a->major == b->major && a->minor == b->minor && str_eq(a->root, b->root);
}

static bool same(const struct mount_row *a, const struct mount_row *b)
{
	return a->id == b->id && shows_same(a, b) && str_eq(a->target, b->target);
}

/* *at: where the last one was found; tables are in much the same order. */
static bool is_in(const struct mountinfo *m, const struct mount_row *row, size_t *at)
{
	for (size_t i = 0; i < m->n; i++) {
		size_t k = (*at + i) % m->n;

		if (same(&m->v[k], row)) {
			*at = k + 1;
			return true;
		}
	}
	return false;
}

static const struct mount_row *row_of(const struct mountinfo *m, int id)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].id == id)
			return &m->v[i];
	return NULL;
}

/* The container has something else at `inside`, or over it: another path, or a mask. */
static bool is_others(const struct beside *b, const struct beside_path *p, const char *inside)
{
	for (size_t i = 0; i < b->n; i++)
		if (path_below(b->v[i].dest, p->inside) && !str_eq(b->v[i].dest, p->inside) &&
		    path_below(inside, b->v[i].dest))
			return true;
	return false;
}

/* Where the host's row is inside; NULL: nowhere. */
static char *inside_of(const struct beside *b, const struct beside_path *p,
		       const struct mount_row *row)
{
	const char *rest = path_below(row->target, p->host);
	_cleanup_free_ char *inside = NULL;

	if (!rest || (!*rest && str_eq(p->host, "/")))
		return NULL;
	inside = str_fmt("%s%s", p->inside, rest);
	return inside && !is_others(b, p, inside) ? TAKE_PTR(inside) : NULL;
}

/* What the container has there that shows the same. */
static const struct mount_row *there(const struct mountinfo *m, const char *inside,
				     const struct mount_row *row)
{
	for (size_t i = m->n; i-- > 0;)
		if (shows_same(&m->v[i], row) && str_eq(m->v[i].target, inside))
			return &m->v[i];
	return NULL;
}

/* --- what is to be done --- */

static void drop(const struct follow *f, struct work *w, const struct mount_row *row)
{
	const struct beside *b = &f->plan->beside;

	if (there(w->ours, row->target, row))
		return; /* there was more than one */
	for (size_t k = 0; k < b->n_paths; k++) {
		char *inside = inside_of(b, &b->paths[k], row);
		const struct mount_row *t = inside ? there(w->theirs, inside, row) : NULL;

		if (t)
			work_add(w, (struct step){.kind = STEP_DROP,
						  .row = row,
						  .there = t,
						  .path = &b->paths[k],
						  .inside = inside});
		else
			free(inside);
	}
}

static void add(const struct follow *f, struct work *w, const struct mount_row *row)
{
	const struct beside *b = &f->plan->beside;
	const struct mount_row *under = row_of(w->ours, row->parent);

	for (size_t k = 0; k < b->n_paths && under; k++) {
		char *inside = inside_of(b, &b->paths[k], row);

		/* the first time it is there, but for what came since it was cloned */
		if (inside && (f->seen || !there(w->theirs, inside, row)))
			work_add(w, (struct step){.kind = STEP_ADD,
						  .row = row,
						  .under = under,
						  .path = &b->paths[k],
						  .inside = inside});
		else
			free(inside);
	}
}

/* Autofs stays: who walks into it finds the mount only if the kernel passes it on. */
static void own(const struct follow *f, struct work *w, const struct mount_row *row)
{
	const struct beside *b = &f->plan->beside;

	if (!row->master || str_eq(row->fstype, "autofs"))
		return;
	for (size_t k = 0; k < b->n_paths; k++) {
		const struct beside_path *p = &b->paths[k];

		if (!p->follow || !path_below(row->target, p->inside) ||
		    is_others(b, p, row->target))
			continue;
		work_add(w, (struct step){.kind = STEP_OWN,
					  .there = row,
					  .path = p,
					  .inside = strdup(row->target)});
		return;
	}
}

/* What is mounted on another comes after that. */
static int by_depth(const void *a, const void *b)
{
	const struct step *x = a, *y = b;
	size_t nx = 0, ny = 0;

	if (x->kind != STEP_ADD || y->kind != STEP_ADD)
		return (int)x->kind - (int)y->kind;
	for (const char *s = x->inside; *s; s++)
		nx += *s == '/';
	for (const char *s = y->inside; *s; s++)
		ny += *s == '/';
	return nx != ny ? (nx > ny) - (nx < ny) : (x->row > y->row) - (x->row < y->row);
}

static void find_steps(const struct follow *f, struct work *w)
{
	size_t at = 0;

	for (size_t i = 0; i < f->known.n; i++)
		if (!is_in(w->ours, &f->known.v[i], &at))
			drop(f, w, &f->known.v[i]);
	for (size_t i = 0; i < w->theirs->n; i++)
		own(f, w, &w->theirs->v[i]);
	at = 0;
	for (size_t i = 0; i < w->ours->n; i++)
		if (!is_in(&f->known, &w->ours->v[i], &at))
			add(f, w, &w->ours->v[i]);
	if (w->n)
		qsort(w->v, w->n, sizeof(*w->v), by_depth);
}

/* What the kernel unmounts with the host's, if nobody is in it. */
static void probe(const struct follow *f, struct work *w, const struct mount_row *row)
{
	const struct beside *b = &f->plan->beside;
	const struct mount_row *parent = row_of(w->theirs, row->parent), *under = NULL;

	for (size_t i = 0; i < w->theirs->n; i++)
		if (w->theirs->v[i].parent == row->id)
			return; /* it is left alone by the kernel */
	if (parent && str_eq(parent->target, row->target) && work_lies_beneath(parent)) {
		under = parent;
		parent = row_of(w->theirs, parent->parent);
	}
	/* autofs unmounts what is unused: what is in use is to be so */
	if (!parent || !parent->master || str_eq(parent->fstype, "autofs"))
		return;
	for (size_t k = 0; k < b->n_paths; k++) {
		const struct beside_path *p = &b->paths[k];
		const char *rest = path_below(row->target, p->inside);

		if (!rest || !*rest || is_others(b, p, row->target))
			continue;
		/* what lay over it was unmounted inside */
		work_add(w, (struct step){.kind = work_lies_beneath(row) ? STEP_DROP : STEP_PROBE,
					  .under = under,
					  .there = row,
					  .path = p,
					  .inside = strdup(row->target)});
		return;
	}
}

/* What could not be put inside yet is new the next time, too. Whether there is such. */
static bool forget_later(struct mountinfo *ours, const struct work *w)
{
	bool any = false;

	for (size_t i = 0; i < w->n; i++) {
		if (w->v[i].later)
			ours->v[w->v[i].row - ours->v].id = -1;
		any = any || w->v[i].later;
	}
	return any;
}

/* --- */

/* The process by its directory, which no other process of its number gets. */
static bool look_inside(struct follow *f, int host_proc, int mnt_ns, pid_t pid)
{
	struct stat is, want;
	char path[16];

	if (f->inside >= 0)
		return true;
	snprintf(path, sizeof(path), "%d", (int)pid);
	f->inside = openat(host_proc, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (f->inside >= 0 && fstat(mnt_ns, &want) == 0 &&
	    fstatat(f->inside, "ns/mnt", &is, 0) == 0 && is.st_ino == want.st_ino)
		return true;
	cleanup_close(&f->inside);
	f->inside = -EBADF;
	return false;
}

/* The one before is still at it. */
static bool is_stuck(struct follow *f)
{
	if (f->stuck > 0 && waitpid(f->stuck, NULL, WNOHANG) == 0)
		return true;
	f->stuck = 0;
	return false;
}

static void settle(struct follow *f, int host_proc, int mnt_ns, pid_t pid)
{
	_cleanup_close_ int self = openat(host_proc, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_mountinfo_ struct mountinfo ours = {}, theirs = {};
	_cleanup_(work_done) struct work w = {.ours = &ours,
					      .theirs = &theirs,
					      .host_proc = host_proc,
					      .mnt_ns = mnt_ns,
					      .devices = f->plan->beside.devices};

	if (is_stuck(f) || self < 0 || !look_inside(f, host_proc, mnt_ns, pid) ||
	    mountinfo_read(self, &ours) < 0 || mountinfo_read(f->inside, &theirs) < 0)
		return;
	find_steps(f, &w);
	f->stuck = w.n ? work_take(&w) : 0;
	if (f->stuck) /* found anew the next time */
		return;
	f->later = forget_later(&ours, &w);
	mountinfo_done(&f->known);
	f->known = ours;
	ours = (struct mountinfo){};
	f->seen = true;
}

/* Who uses what the kernel is to unmount with the host's? */
static void look_for_users(struct follow *f, int host_proc, int mnt_ns)
{
	_cleanup_mountinfo_ struct mountinfo theirs = {};
	_cleanup_(work_done) struct work w = {
		.theirs = &theirs, .host_proc = host_proc, .mnt_ns = mnt_ns};

	if (is_stuck(f) || mountinfo_read(f->inside, &theirs) < 0)
		return;
	for (size_t i = 0; i < theirs.n; i++)
		probe(f, &w, &theirs.v[i]);
	if (!w.n)
		f->probe = 0; /* there may be some with the next change */
	else
		f->stuck = work_take(&w);
}

int follow_wait(struct follow *f, int ms)
{
	int64_t left;

	if (f->table >= 0 && !f->seen && !f->probe)
		f->probe = clock_ms() + FIRST_MS;
	left = f->probe ? f->probe - clock_ms() : 0;
	if (!f->probe || (ms >= 0 && left >= ms))
		return ms;
	return left > 0 ? (int)left : 0;
}

void follow_attend(struct follow *f, bool changed, int host_proc, int mnt_ns, pid_t pid)
{
	bool due = f->probe && clock_ms() >= f->probe;

	if (f->table < 0 || (!changed && !due))
		return;
	f->pause = changed || !f->seen ? PROBE_MS : 2 * f->pause;
	if (f->pause > PROBE_MAX_MS)
		f->pause = PROBE_MAX_MS;
	f->probe = clock_ms() + f->pause;
	if (changed || !f->seen || f->later)
		settle(f, host_proc, mnt_ns, pid);
	else
		look_for_users(f, host_proc, mnt_ns);
}

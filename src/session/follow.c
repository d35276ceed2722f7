#include "session/follow.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "session/graft.h"

void follow_done(struct follow *f)
{
	cleanup_close(&f->table);
	mountinfo_done(&f->known);
	*f = FOLLOW_INIT;
}

void follow_start(struct follow *f, const struct plan *p)
{
	f->plan = p;
	if (p->beside.n_paths)
		f->table = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
}

static bool same(const struct mount_row *a, const struct mount_row *b)
{
	return a->id == b->id && a->major == b->major && a->minor == b->minor &&
	       str_eq(a->target, b->target) && str_eq(a->root, b->root);
}

static bool is_in(const struct mountinfo *m, const struct mount_row *row)
{
	for (size_t i = 0; i < m->n; i++)
		if (same(&m->v[i], row))
			return true;
	return false;
}

/* The kernel sees to what is mounted on one that the container's receives from. */
static bool is_passed_on(const struct mountinfo *m, const struct mount_row *row)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].id == row->parent)
			return m->v[i].shared;
	return false;
}

/* Where the row is inside; NULL: nowhere. What else the container has there, or lies over it (a
 * mask), stays as it is. */
static char *inside_of(const struct beside *b, const struct beside_path *p,
		       const struct mount_row *row)
{
	const char *rest = path_below(row->target, p->host);
	_cleanup_free_ char *inside = NULL;

	if (!rest || (!*rest && str_eq(p->host, "/")))
		return NULL;
	inside = str_fmt("%s%s", p->inside, rest);
	for (size_t i = 0; inside && i < b->n; i++)
		if (path_below(b->v[i].dest, p->inside) && !str_eq(b->v[i].dest, p->inside) &&
		    path_below(inside, b->v[i].dest))
			return NULL;
	return TAKE_PTR(inside);
}

static const struct mount_row *row_at(const struct graft *g, const char *path)
{
	for (size_t i = g->theirs.n; i-- > 0;)
		if (str_eq(g->theirs.v[i].target, path))
			return &g->theirs.v[i];
	return NULL;
}

static void add(const struct graft *g, const struct beside_path *p, const struct mount_row *row,
		const char *inside)
{
	const struct mount_row *has = row_at(g, inside);
	const struct volume v = {
		.host = row->target, .inside = inside, .ro = p->ro, .propagation = MS_PRIVATE};
	struct err e = {}; /* hidden by another mount, or gone again */

	if (!has || has->major != row->major || has->minor != row->minor)
		graft_add(g, &v, &e);
}

static void take_away(const struct graft *g, const struct mount_row *row, const char *inside)
{
	const struct mount_row *has = row_at(g, inside);
	struct err e = {};

	if (has && has->major == row->major && has->minor == row->minor &&
	    str_eq(has->root, row->root))
		graft_remove(g, has, true, &e);
}

/* Those of `rows` that are not in `others`, which are ours before or now. */
static void settle(const struct follow *f, const struct graft *g, bool added,
		   const struct mountinfo *rows, const struct mountinfo *others)
{
	const struct beside *b = &f->plan->beside;

	for (size_t i = 0; i < rows->n; i++) {
		const struct mount_row *row = &rows->v[i];

		for (size_t k = 0; k < b->n_paths && !is_in(others, row); k++) {
			_cleanup_free_ char *inside = NULL;

			if (!b->paths[k].ro && is_passed_on(rows, row))
				continue;
			inside = inside_of(b, &b->paths[k], row);
			if (inside && added)
				add(g, &b->paths[k], row, inside);
			else if (inside)
				take_away(g, row, inside);
		}
	}
}

void follow_settle(struct follow *f, int host_proc, pid_t agent)
{
	_cleanup_(target_done) struct target t = TARGET_INIT;
	_cleanup_graft_ struct graft g = GRAFT_INIT;
	struct err e = {};
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)agent);
	t.name = strdup(f->plan->label);
	t.proc_fd = openat(host_proc, pid, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!t.name || t.proc_fd < 0 || graft_open(&t, &g, &e) < 0)
		return;
	settle(f, &g, false, &f->known, &g.ours);
	settle(f, &g, true, &g.ours, &f->known);
	mountinfo_done(&f->known);
	f->known = g.ours;
	g.ours = (struct mountinfo){};
	f->seen = true;
}

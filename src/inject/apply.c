#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "inject/inject.h"
#include "inject/tree.h"
#include "kit/build.h"

static volatile sig_atomic_t stopped;

static void on_signal(int sig)
{
	stopped = sig;
}

bool inject_is_stopped(void)
{
	return stopped;
}

int inject_drop_stage(int root, const struct journal *j)
{
	return j->stage ? build_remove(root, j->stage) : 0;
}

void inject_set_times(int root, const struct items *l)
{
	/* one that is gone, or no directory any more, has no time to set */
	for (size_t i = 0; i < l->n_parents; i++)
		tree_set_time(root, l->parents[i].path, l->parents[i].mtime);
}

/* renameat2(2) that replaces nothing, also where the file system does not know that flag. */
static int move(int from, const char *name, int to, const char *as)
{
	struct stat st;

	if (renameat2(from, name, to, as, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	if (fstatat(to, as, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	return renameat(from, name, to, as) < 0 ? -errno : 0;
}

static int open_stage(int root, const struct journal *j)
{
	return tree_open(root, j->stage, O_RDONLY | O_DIRECTORY);
}

static void stage_names(size_t i, char ours[24], char theirs[24])
{
	snprintf(ours, 24, "%zu", i);
	snprintf(theirs, 24, "o.%zu", i);
}

/* --- there --- */

/* Keep the target's own file: a copy outside, then out of the way. */
static int set_aside(struct journal *j, size_t i, int dir, int stage, const char *aside,
		     struct err *e)
{
	const struct item *it = &j->items.v[i];
	_cleanup_close_ int keep = journal_originals(j, e);
	char name[24];
	int r;

	if (keep < 0)
		return keep;
	snprintf(name, sizeof(name), "%zu", i);
	r = build_remove(keep, name) ?: tree_copy(dir, item_name(it->path), keep, name);
	if (r == 0 && fsync(keep) < 0)
		r = -errno;
	if (r == 0)
		r = move(dir, item_name(it->path), stage, aside);
	return r < 0 ? err_set(e, r, "keeping the container's own /%s aside", it->path) : 0;
}

static int graft(int root, struct journal *j, int stage, size_t i, struct err *e)
{
	const struct item *it = &j->items.v[i];
	_cleanup_close_ int dir = tree_parent(root, it->path);
	char ours[24], theirs[24];
	int r = dir < 0 ? dir : 0;

	stage_names(i, ours, theirs);
	if (r == 0 && it->replaces) {
		r = set_aside(j, i, dir, stage, theirs, e);
		if (r < 0)
			return r;
	}
	if (r == 0)
		r = move(stage, ours, dir, item_name(it->path));
	if (r == -EEXIST)
		return err_say(e, EEXIST,
			       "the container made its own /%s meanwhile: nothing was put in",
			       it->path);
	return r < 0 ? err_set(e, r, "putting in /%s (nothing was changed)", it->path) : 0;
}

static int make_stage(int root, struct journal *j, struct err *e)
{
	uint64_t id;
	int r;

	if (getrandom(&id, sizeof(id), 0) != sizeof(id))
		return err_set(e, errno, "reading random bytes");
	j->stage = str_fmt(".porthole-%016llx", (unsigned long long)id);
	j->time = time(NULL);
	if (!j->stage)
		return err_set(e, ENOMEM, "putting files in");
	journal_add_head(j);
	for (size_t i = 0; i < j->items.n_parents; i++)
		if (!*j->items.parents[i].path)
			journal_add_parent(j, &j->items.parents[i]);
	r = journal_sync(j, e);
	if (r < 0)
		return r;
	j->phase = JOURNAL_STAGED;
	if (mkdirat(root, j->stage, 0700) < 0)
		return err_set(e, errno, "making a directory in the container's root");
	r = open_stage(root, j);
	return r < 0 ? err_set(e, r, "opening the hidden directory in the container") : r;
}

/* The items move to the journal. */
static int write_items(struct journal *j, struct err *e)
{
	for (size_t i = 0; i < j->items.n; i++)
		journal_add_item(j, &j->items.v[i]);
	for (size_t i = 0; i < j->items.n_parents; i++)
		journal_add_parent(j, &j->items.parents[i]);
	journal_add_phase(j, JOURNAL_BUILT);
	return journal_sync(j, e);
}

static int apply(struct compare *c, struct journal *j, const struct inject_steps *steps,
		 struct err *e)
{
	_cleanup_close_ int stage = -EBADF;
	int r;

	j->items.parents = TAKE_PTR(c->items.parents);
	j->items.n_parents = c->items.n_parents;
	c->items.n_parents = 0;
	stage = make_stage(c->root, j, e);
	if (stage < 0)
		return stage;
	r = inject_build(c, stage, steps, e);
	if (r < 0)
		return r;
	j->items.v = TAKE_PTR(c->items.v);
	j->items.n = c->items.n;
	c->items.n = 0;
	r = write_items(j, e);
	for (size_t i = 0; i < j->items.n && r == 0; i++)
		if (j->items.v[i].graft)
			r = inject_is_stopped()
				    ? err_say(e, EINTR, "interrupted: nothing was put in")
				    : graft(c->root, j, stage, i, e);
	if (r < 0)
		return r;
	journal_add_phase(j, JOURNAL_DONE);
	return journal_sync(j, e);
}

int inject_apply(struct compare *c, struct journal *j, const struct inject_steps *steps,
		 struct err *e)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction on = {.sa_handler = on_signal}, old[ARRAY_LEN(signals)];
	enum inject_repaired what;
	struct err why = {};
	int r;

	stopped = 0;
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		sigaction(signals[i], &on, &old[i]);
	r = apply(c, j, steps, e);
	if (r < 0 && inject_undo(c->root, j, &why) < 0)
		err_hint(e,
			 "undoing it failed, too (%.200s): run 'porthole eject' once that is "
			 "mended",
			 why.msg);
	if (r == 0)
		r = inject_repair(c->root, j, &what, e);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		sigaction(signals[i], &old[i], NULL);
	return r;
}

/* --- and back --- */

static bool is_in_place(const struct item *it, int dir)
{
	struct stat st;

	if (fstatat(dir, item_name(it->path), &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	if (it->kind == 'd')
		return S_ISDIR(st.st_mode);
	return !S_ISDIR(st.st_mode) && st.st_mtim.tv_sec == it->mtime.tv_sec &&
	       st.st_mtim.tv_nsec == it->mtime.tv_nsec;
}

static int ungraft(int root, struct journal *j, int stage, size_t i)
{
	const struct item *it = &j->items.v[i];
	_cleanup_close_ int dir = tree_parent(root, it->path);
	char ours[24], theirs[24];
	struct stat st;
	int r = 0;

	stage_names(i, ours, theirs);
	if (dir < 0)
		return dir == -ENOENT ? 0 : dir;
	/* not there any more: it is in its place */
	if (fstatat(stage, ours, &st, AT_SYMLINK_NOFOLLOW) < 0 && is_in_place(it, dir))
		r = move(dir, item_name(it->path), stage, ours);
	if (r == 0 && it->replaces && fstatat(stage, theirs, &st, AT_SYMLINK_NOFOLLOW) == 0)
		r = move(stage, theirs, dir, item_name(it->path));
	return r;
}

int inject_undo(int root, struct journal *j, struct err *e)
{
	_cleanup_close_ int stage = j->stage ? open_stage(root, j) : -ENOENT;
	int r = stage < 0 && stage != -ENOENT ? stage : 0;

	if (j->phase == JOURNAL_BUILT) {
		for (size_t i = j->items.n; stage >= 0 && i-- > 0;)
			if (j->items.v[i].graft) {
				int k = ungraft(root, j, stage, i);

				r = r ?: k;
			}
		if (r == 0) { /* from here on, what is in these places is the target's */
			journal_add_phase(j, JOURNAL_UNDONE);
			r = journal_sync(j, e);
		}
	}
	if (r < 0)
		return err_set(e, r, "undoing what was put in");
	r = inject_drop_stage(root, j);
	if (r < 0)
		return err_set(e, r, "removing the hidden directory /%s of the container",
			       j->stage);
	inject_set_times(root, &j->items);
	return journal_remove(j, e);
}

int inject_repair(int root, struct journal *j, enum inject_repaired *what, struct err *e)
{
	int r;

	*what = j->phase == JOURNAL_EJECT ? INJECT_HALF : INJECT_WHOLE;
	if (j->phase == JOURNAL_STAGED || j->phase == JOURNAL_BUILT || j->phase == JOURNAL_UNDONE) {
		*what = INJECT_UNDONE;
		return inject_undo(root, j, e);
	}
	if (j->phase != JOURNAL_DONE)
		return 0;
	*what = INJECT_DONE;
	r = inject_drop_stage(root, j);
	if (r < 0)
		return err_set(e, r, "removing the hidden directory /%s of the container",
			       j->stage);
	inject_set_times(root, &j->items);
	journal_add_phase(j, JOURNAL_CLEAN);
	return journal_sync(j, e);
}

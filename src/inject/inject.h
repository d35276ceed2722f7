/*
 * An operating system's files put into a running container's own file system, and taken out again.
 *
 * Layer: inject (uses base, sys, session's copies). Linux 5.6 for openat2(2).
 *
 * All that is new is built in a hidden directory in the root of the container's own file system:
 * copying, and whatever can go wrong with it, happens there. Then each topmost new name is renamed
 * into its place, which either is done or is not. The journal is written before each of the two, so
 * inject_repair() can finish or undo what a killed one left. Nothing follows a link of the target's
 * or enters a mount of its.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "inject/compare.h"
#include "inject/journal.h"

/* How far it is; called often. */
struct inject_steps {
	void (*step)(void *arg, uint64_t done, uint64_t total);
	void *arg;
};

/* Put in what `c` found: `j` is open and JOURNAL_NEW, its source set. Complete, or as it was
 * before. SIGINT, SIGTERM and SIGHUP end it so, too (-EINTR). -ENOSPC, -EDQUOT: it did not fit;
 * -EEXIST: the target made such a file meanwhile. 0 or -errno with `e`. */
int inject_apply(struct compare *c, struct journal *j, const struct inject_steps *steps,
		 struct err *e);

enum inject_repaired {
	INJECT_WHOLE,  /* there was nothing to repair */
	INJECT_UNDONE, /* it was not complete: all is as it was before, and the journal is gone */
	INJECT_DONE,   /* it was complete but for clearing up */
	INJECT_HALF,   /* it is half taken out: inject_eject() goes on */
};

/* See to what a killed one left. `root`: the target's. 0 or -errno with `e`. */
int inject_repair(int root, struct journal *j, enum inject_repaired *what, struct err *e);

/* Undo all that inject_apply() did; the journal goes. 0 or -errno with `e`. */
int inject_undo(int root, struct journal *j, struct err *e);

struct eject {
	bool force; /* what was changed since goes, too */
	bool all;   /* and what came later in directories that were put in */
	bool look;  /* only fill what is below */
	/* found: */
	size_t removed, missing; /* files, links and directories taken away; gone already */
	size_t restored;	 /* the target's own, that were replaced */
	struct strv changed;	 /* files changed since; they stay, unless `force` */
	struct strv hidden;	 /* what a link or a mount on the way hides now; it stays */
	struct strv busy; /* directories that hold what came later; they stay, unless `all` */
	size_t later;	  /* files that came later, taken away by `all` */
};

void eject_done(struct eject *x);
#define _cleanup_eject_ _cleanup_(eject_done)

/* Take out what the journal tells (JOURNAL_CLEAN or JOURNAL_EJECT). The journal goes when nothing
 * that was put in is left, with `force` unless something is hidden, and with `all`. 0 or -errno
 * with `e`. */
int inject_eject(int root, struct journal *j, struct eject *x, struct err *e);

/* --- pieces --- */

/* Remove the hidden directory with all in it. 0, also when there is none, or -errno. */
int inject_drop_stage(int root, const struct journal *j);

/* Give the directories of the target's their times back, as far as they are there. */
void inject_set_times(int root, const struct items *l);

/* [build.c] Build everything in the hidden directory `stage`: N for the item with index N that is a
 * graft, what is in it below. Fills the items' sums. 0 or -errno with `e`. */
int inject_build(struct compare *c, int stage, const struct inject_steps *steps, struct err *e);

/* A signal asked us to end. */
bool inject_is_stopped(void);

/*
 * Holding the target still while one looks, and letting it go on whatever happens to us.
 *
 * Layer: session. By its cgroup's freezer where it has a cgroup that nobody else is in, else by
 * SIGSTOP to each of its processes. Frozen last, when supervisor, agent and guard are all there;
 * each of the three can thaw it alone. (What cannot be had: a freezer that goes with a descriptor.
 * Kill all three at the same moment and the target stays frozen.)
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "sys/freezer.h"

struct target;
struct freeze_table;

enum freeze_how {
	FREEZE_NO = 0,
	FREEZE_CGROUP,
	FREEZE_SIGNALS, /* SIGSTOP */
	FREEZE_ALREADY, /* it was frozen before we came, and stays so */
};

struct freeze {
	enum freeze_how how;
	struct freezer freezer;	    /* FREEZE_CGROUP, FREEZE_ALREADY */
	struct freeze_table *table; /* shared by the three: what was done; NULL in a plan */
};

#define FREEZE_INIT ((struct freeze){.freezer = FREEZER_INIT})

/* Find out how the pinned target can be frozen: fills `how` and `freezer`, changes nothing. `f` is
 * FREEZE_INIT. Our own namespaces are -EPERM. 0 or -errno. */
int freeze_plan(struct freeze *f, const struct target *t, const char *label, struct err *e);
void freeze_done(struct freeze *f);

/* Begin to carry out what was planned, before the others are forked: `f` borrows the plan's
 * descriptors and has a table. 0 or -errno. */
int freeze_begin(struct freeze *f, const struct freeze *planned, struct err *e);
/* Give back the table. */
void freeze_end(struct freeze *f);

/* Freeze the target and wait until it stands still; `spare` (0: none) is a process of ours in it. 0
 * or -errno; then it is thawed again. `host_proc`: /proc. */
int freeze_now(struct freeze *f, const struct target *t, const char *label, int host_proc,
	       pid_t spare, struct err *e);

/* Let go on what freeze_now() stopped, and only that. For any of the three, wherever it is; does
 * nothing the second time. */
void freeze_thaw(const struct freeze *f, int host_proc);

/* Whether it still stands still as we left it (somebody else may have thawed it meanwhile). */
bool freeze_holds(const struct freeze *f, int host_proc);

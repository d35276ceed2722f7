/*
 * A tree copied from one place to another, whatever happens to either of them meanwhile. Several
 * threads copy its files (crew.h).
 *
 * Layer: files. See walk.h for how it is read, put.h for how it is written.
 */
#pragma once

#include "files/attrs.h"
#include "files/crew.h"
#include "files/links.h"
#include "files/meter.h"

struct transfer {
	const struct place *from, *to;
	struct attrs_keep keep;
	struct meter meter;
	/* What could not be copied, and goes on: `doing` is "reading" or "writing", `path` from the
	 * top, raw. Called, as meter.tick is, by one thread at a time. May be NULL. */
	void (*failed)(struct transfer *t, const char *doing, const char *path, int r);
	void *data; /* the caller's own */

	/* results */
	uint64_t n_failed, n_left_out; /* left out: sockets */
	size_t n_lost;		       /* extended attributes that did not fit there */

	/* private */
	pthread_mutex_t lock; /* of meter, failed(), n_failed and e */
	struct crew crew;
	struct crew_dir **dirs; /* by depth, where the walk is */
	struct links links;
	int top; /* the directory that was made first, O_PATH */
	int dir; /* where the top goes, and as what */
	const char *name;
	dev_t top_dev;
	ino_t top_ino;
	struct err *e;
};

#define TRANSFER_INIT                                                                              \
	((struct transfer){.top = -EBADF, .dir = -EBADF, .lock = PTHREAD_MUTEX_INITIALIZER})
void transfer_done(struct transfer *t);
#define _cleanup_transfer_ _cleanup_(transfer_done)

/* Copy what `top` is (O_PATH or any descriptor, of t->from) to `name` in `dir` (of t->to). `name`
 * "." puts what is in the directory `top` into `dir`, which stays as it is. What is there is
 * replaced; directories are merged. Single entries that cannot be read or made are told, counted,
 * and passed over; a full or read-only disk ends it. umask(2) should be 0. 0, or -errno with `e`.
 */
int transfer_tree(struct transfer *t, int top, int dir, const char *name, struct err *e);

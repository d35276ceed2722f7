/*
 * What would be put in: the source's tree laid over the target's, before anything is done.
 *
 * Layer: inject (uses base, session's copies). Nothing is changed, in neither.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "inject/items.h"
#include "sys/cred.h"

/* What becomes of a file that both have, and that are not the same. */
enum compare_rule {
	COMPARE_REFUSE,	 /* it is a conflict */
	COMPARE_KEEP,	 /* the target's stays, ours is left out */
	COMPARE_REPLACE, /* the target's is kept aside, ours is put in; where that cannot be, a
			  * conflict all the same */
};

struct conflict {
	char *path;	 /* in the target; hostile */
	const char *why; /* static: what is there */
};

struct compare {
	/* asked: */
	int source, root;		 /* directories */
	const struct idmap *uids, *gids; /* of the target; empty: ids are as we see them */
	enum compare_rule rule;
	bool yields; /* names the target has already are left out */

	/* found: */
	struct items items; /* sorted, with the parents and their times */
	struct conflict *conflicts;
	size_t n_conflicts;
	struct strv elsewhere; /* paths left out, since the target has a mount there */
	size_t same;	       /* files that are there already, byte for byte */
	size_t kept;	       /* the target's, that stay where ours would be */
	size_t replaced;       /* the target's, that are kept aside */
	size_t linked;	       /* links made where the target has a directory and ours a link */
	size_t odd;	       /* devices and sockets of the source, left out */
	uint64_t bytes;	       /* to be put in */
	uint64_t need;	       /* bytes they take on a disk, with those that are to be kept aside */
};

#define _cleanup_compare_ _cleanup_(compare_done)
void compare_done(struct compare *c);

/* Fill the second half. 0, also with conflicts, or -errno with `e`. */
int compare_run(struct compare *c, struct err *e);

/* Whether it fits: room and file numbers, a file system that may be written to and executed from.
 * 0, or -EROFS, -EACCES, -ENOSPC with a sentence. `label`: the target's name. */
int compare_fits(const struct compare *c, const char *label, struct err *e);

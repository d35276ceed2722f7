/*
 * Proof that a visit left nothing: a fingerprint before, one after, and the difference.
 *
 * Layer: session.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "store/store.h"
#include "target/target.h"

enum prove_part {
	PROVE_MOUNTS,	   /* the target's mount table */
	PROVE_PROCESSES,   /* processes in the target's pid namespace, or its cgroup where that is
			      shared */
	PROVE_CGROUP,	   /* the cgroups it is in */
	PROVE_ROOT,	   /* entries of its / */
	PROVE_DEV,	   /* entries of its /dev */
	PROVE_HOST_MOUNTS, /* our own mount table */
	PROVE_LOOPS,	   /* loop devices in use */
	PROVE_PARTS,
};

/* Sorted lines of each part. */
struct prove {
	struct strv part[PROVE_PARTS];
};

void prove_done(struct prove *p);

/* Take a fingerprint of a pinned target, or of the `store` of one that does not run: the top of
 * each layer and mount source then is what PROVE_ROOT means. Bounded: at most 16 MiB of mount table
 * and 10,000 entries a directory. 0 or -errno. A target that has exited meanwhile is -ESRCH. */
int prove_take(const struct target *t, const struct store *store, struct prove *p, struct err *e);

/* The same after the session, tried again for up to a second while it differs from `before`, since
 * the kernel takes a moment to drop what a killed process held. */
int prove_take_after(const struct target *t, const struct store *store, const struct prove *before,
		     struct prove *after, struct err *e);

/* Lines that came ("+...") and went ("-...") in one part. Returns how many, or -ENOMEM. */
int prove_diff(const struct prove *before, const struct prove *after, enum prove_part part,
	       struct strv *out);

/* "mount table of the target", and the word for JSON. */
const char *prove_part_words(enum prove_part part);
const char *prove_part_key(enum prove_part part);

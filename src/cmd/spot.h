/*
 * TARGET:PATH, found: its place opened, whether it runs or not, or is the host's own.
 *
 * Layer: cmd.
 */
#pragma once

#include "cmd/subject.h"
#include "files/location.h"
#include "files/place.h"

struct spot {
	struct location at;
	struct subject s; /* empty on the host */
	struct place place;
	bool write; /* set before it is opened: to be written to, even when it does not run */
};

#define SPOT_INIT      ((struct spot){.s = SUBJECT_INIT, .place = PLACE_INIT})
#define _cleanup_spot_ _cleanup_(spot_done)
void spot_done(struct spot *s);

/* What of a container that does not run may be written to: place_of_store_rw(), unless its engine
 * is about to start it again. 0 or -errno with `e`. */
int spot_stopped(const struct target_roots *r, const struct subject *s, struct place *out,
		 struct err *e);

/* Whether the one called `name`, of which `p` was opened so, runs by now. */
bool spot_started(const struct target_roots *r, const char *name, const struct place *p,
		  struct err *e);

/* After a stopped container was written to: whether it was started meanwhile, which may have
 * damaged what was written. 0 or -EBUSY with `e`. */
int spot_check(const struct target_roots *r, const struct spot *s, struct err *e);

/* Open the place of s->at, which is there already. 0 or -errno with `e`. */
int spot_open(const struct target_roots *r, struct spot *s, struct err *e);

/* Take `arg` apart, which must be in a target (a TARGET alone is its root), and open it. */
int spot_of_target(const struct target_roots *r, const char *arg, struct spot *s, struct err *e);

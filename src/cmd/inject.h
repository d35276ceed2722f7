/*
 * What inject and eject share.
 *
 * Layer: cmd.
 */
#pragma once

#include "cli/cli.h"
#include "cmd/subject.h"
#include "files/place.h"
#include "inject/inject.h"

/* The root of the container s->t whose own files may be changed: it is no target with the host's
 * root; of one that does not run, what its engine would mount (spot_stopped()). Pins s->t or fills
 * s->store. 0 or -errno with `e`. */
int inject_place(const struct target_roots *roots, struct subject *s, struct place *out,
		 struct err *e);

/* This needs root: 0 or -EPERM with `e`. */
int inject_needs_root(struct err *e);

/* porthole inject --list */
int inject_list(struct ctx *ctx, struct err *e);

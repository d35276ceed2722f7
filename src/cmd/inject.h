/*
 * What inject and eject share.
 *
 * Layer: cmd.
 */
#pragma once

#include "cli/cli.h"
#include "files/place.h"
#include "inject/inject.h"
#include "target/target.h"

/* The root of a container whose own files may be changed: it runs, and its root is not the host's.
 * 0 or -errno with `e`. */
int inject_place(const struct target *t, struct place *out, struct err *e);

/* This needs root: 0 or -EPERM with `e`. */
int inject_needs_root(struct err *e);

/* porthole inject --list */
int inject_list(struct ctx *ctx, struct err *e);

/*
 * What the verbs that make a session of a plan share.
 *
 * Layer: cmd.
 */
#pragma once

#include "cli/cli.h"
#include "session/plan.h"

/* The value of --cpus (NULL: 0). 0, or -EINVAL with `e`. */
int exec_cpus(const char *s, double *out, struct err *e);

/* --explain: the plan on standard output, as JSON where that is asked for. 0 or -errno. */
int exec_explain(const struct plan *p, struct ctx *ctx, struct err *e);

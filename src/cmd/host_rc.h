/*
 * ~/.toolboxrc, for `porthole host run --profile toolbox`.
 *
 * Layer: cmd.
 */
#pragma once

#include "cmd/host_run.h"
#include "launch/toolboxrc.h"

/* Read the caller's into `rc`, name on standard error what is not understood, and use the rest
 * where `o` says nothing (borrowed from `rc`): image and user. 0 or -errno. */
int host_rc(struct host_run_opts *o, struct toolboxrc *rc, struct err *e);

/* An image that only `rc` asked for was not found: whose word it was, and what to do. */
void host_rc_blame(const struct host_run_opts *o, const struct toolboxrc *rc, struct err *e);

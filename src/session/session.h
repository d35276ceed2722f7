/*
 * The visit: carry out a plan, relay the terminal, leave nothing.
 *
 * Layer: session. Three processes: the supervisor (the caller, outside), the agent (in the target's
 * namespaces), the command (the agent's child).
 */
#pragma once

#include "base/err.h"
#include "session/plan.h"

/* Carry out the plan and wait for its end. `rung` says afterwards how the kit was mounted.
 * `greeting` (may be NULL) is written to standard error once the session stands. Returns the exit
 * code by docker's contract (the command's own; 128+N when signal N killed it), or -errno with `e`,
 * whose exit is 125, 126 or 127. */
int session_run(const struct plan *p, const char *greeting, struct err *e);

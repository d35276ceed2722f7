/*
 * What a session is told not to expect: programs of another machine, capabilities, tracing.
 *
 * Layer: cmd, part of exec.
 */
#pragma once

#include "session/plan.h"

/* Print each that holds as a line on standard error, unless the plan is quiet. */
void exec_warn(const struct plan *p);

/* The root that the session looks at was a container's, and has been removed since: not even "." is
 * listed in it. */
bool exec_root_is_gone(const struct plan *p);

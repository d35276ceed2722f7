/*
 * A container of ours that goes on in the background: a name for it, and its start.
 *
 * Layer: cmd.
 */
#pragma once

#include "base/err.h"
#include "launch/detach.h"

/* Start the plan as `l` says, as `l->name`, and print the name on stdout. When nobody asked for
 * that name (`given` is false) and another has it, it becomes NAME-2 and so on. 0 or -errno with
 * `e`; -EEXIST: the name is taken. */
int background_start(const struct plan *p, const struct launch *l, bool given, struct err *e);

/*
 * What a container of the host's is told not to expect.
 *
 * Layer: cmd, part of host run. A line on standard error each, or nothing.
 */
#pragma once

#include "session/plan.h"

/* That --ro is no boundary, where `p` has the rights, or the way back to the host, to get round it.
 */
void host_warn_ro(const struct plan *p, bool back);

/* That we are in a container with a / of its own: what is called the host's is that one's. */
void host_warn_place(void);

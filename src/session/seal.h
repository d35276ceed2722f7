/*
 * Our executable, out of a target's reach.
 *
 * Layer: session. Root of a container with CAP_SYS_PTRACE in our own user namespace can open
 * /proc/PID/exe of our processes in it, wait until nobody runs the file any more, and write to it:
 * to the host's porthole (CVE-2019-5736 of runc). For such targets we start over from a mount of
 * the executable that is read-only (Linux 5.12), else from a sealed copy in memory.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "session/plan.h"

/* Whether root of the plan's target can trace what runs in it: it has CAP_SYS_PTRACE in its
 * bounding set, in our own user namespace. Such a root can take over any process of a session. */
bool session_traceable(const struct plan *p);

/* Start over now, whatever the targets will be, as session_seal() would: for those who go on in
 * children, which cannot start over. 0 when it is done already, or -errno. */
int session_seal_now(struct err *e);

/* Start over where that is needed, with the same arguments (`argv`, main's), and PORTHOLE_KIT set
 * to the kit that would be found now. Returns 0 when it is not needed or done already, or -errno;
 * nothing has been done of the plan yet. Sets p->traceable. */
int session_seal(struct plan *p, struct err *e);

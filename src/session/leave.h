/*
 * Leaving: no process of the session outlives it, whatever it did to hide.
 *
 * Layer: session.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* Called by the agent, to which (as subreaper) every orphan of the session falls: kill and reap all
 * children until there is none. Costs one system call when there is none. `host_proc`: the host's
 * /proc. */
void leave_children(int host_proc);

/* Called by the supervisor when the agent itself was killed: kill every process that is in the
 * session's mount namespace (`mnt_ns`, a descriptor, which keeps another namespace from getting its
 * number meanwhile; -EBADF: not known) or has the cookie in its environment, in rounds until a
 * round finds none, for at most a second. Returns how many were killed. */
int leave_sweep(int host_proc, int mnt_ns, const char *cookie);

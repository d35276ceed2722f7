/*
 * Leaving: no process of the session outlives it, whatever it did to hide.
 *
 * Layer: session.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Called by the agent, to which (as subreaper) every orphan of the session falls: kill and reap all
 * children until there is none. Costs one system call when there is none. `host_proc`: the host's
 * /proc. */
void leave_children(int host_proc);

/* Called by the supervisor when the agent itself was killed: kill every process that is in the
 * session's mount namespace (inode, 0: not known) or has the cookie in its environment, in rounds
 * until a round finds none, for at most a second. Returns how many were killed. */
int leave_sweep(int host_proc, uint64_t mnt_ns, const char *cookie);

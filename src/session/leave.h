/*
 * Leaving: no process of the session outlives it, whatever it did to hide.
 *
 * Layer: session.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* The first letter of the cookie of a session that virtual machines outlive: whoever ends what it
 * has started passes over them, by their programs' names. All others' are hexadecimal digits. */
#define LEAVE_GUESTS 'g'

/* Called by the agent, to which (as subreaper) every orphan of the session falls: kill and reap all
 * children until there is none that `cookie` lets it end. Costs one system call when there is none.
 * `host_proc`: the host's /proc. */
void leave_children(int host_proc, const char *cookie);

/* Called by the supervisor when the agent itself was killed: kill every process that is in the
 * session's mount namespace (`mnt_ns`, a descriptor, which keeps another namespace from getting its
 * number meanwhile; -EBADF: not known) or has the cookie in its environment, in rounds until a
 * round finds none, for at most five seconds. Returns how many were killed. */
int leave_sweep(int host_proc, int mnt_ns, const char *cookie);

/* The same of every process (`pid_dir`: its /proc/PID) that `is` says yes to. */
int leave_sweep_of(int host_proc, bool (*is)(int pid_dir, const void *arg), const void *arg);

/* The rest of a process's environment from the bytes `start` on, at most 64 bytes of one variable;
 * NULL: it has none such, or may not be read. The caller frees it. */
char *leave_env(int pid_dir, const char *start);

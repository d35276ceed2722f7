/*
 * Holding a process: a descriptor that never means another one.
 *
 * Layer: sys (uses base). Linux 5.3 for pidfd_open(2); older kernels are -ENOSYS.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* A pidfd of the thread-group leader `pid` in our pid namespace, O_CLOEXEC, the caller's. Returns
 * it or -errno: -ESRCH no such process, -EINVAL a thread that leads no group (or pid <= 0), -ENOSYS
 * before Linux 5.3 or under an old seccomp filter (which may say -EPERM: returned as -ENOSYS). */
int pidfd_get(pid_t pid);

/* Whether the process has ended, zombies included. Never waits. */
bool pidfd_has_ended(int pidfd);

/* How the process ended, as wait(2) tells its parent, once that has reaped it; needs no relation to
 * it (Linux 6.15). 0, -EAGAIN before that, or -errno (-ENOTTY on older kernels). */
int pidfd_wait_status(int pidfd, int *status);

/*
 * The end of a container in the background, asked for from outside.
 *
 * Layer: launch.
 */
#pragma once

#include "base/err.h"

/* Send the container's command a signal other than SIGKILL. 0, -ENOENT: nothing is called so,
 * -ESRCH: it has ended, or -errno. */
int launch_signal(const char *name, int sig, struct err *e);

/* End it with every one of its processes, also where it has no pid namespace of its own and they
 * fork all the time; returns when none is left and nothing is written of it any more. 0, -ENOENT,
 * or -ETIMEDOUT after some seconds. */
int launch_end(const char *name, struct err *e);

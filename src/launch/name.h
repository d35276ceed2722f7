/*
 * Names of containers of ours: one that lives has each, in the background or not.
 *
 * Layer: launch. A name is a socket in the abstract namespace, which the kernel frees with the
 * process that has it: nothing is written down of who is in the foreground.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"

/* Take the name for as long as *held is open, the caller's; it stays closed where no such socket
 * can be had, or somebody without our rights has made it. 0, or -EEXIST with `e`. */
int launch_name_take(const char *name, int *held, struct err *e);

/* The same for a container in the foreground, which no directory in /run/porthole stands for. */
int launch_name_front(const char *name, int *held, struct err *e);

/* Whether a container in the foreground is named so, and `e` says whose it is. `typed`: NAME or
 * porthole://NAME. */
bool launch_name_is_front(const char *typed, struct err *e);

/* What uses.c and uses_mounts.c share. Layer: watch, private to it. */
#pragma once

#include "watch/uses.h"

/* Append a copy of *one, with a copy of `path` (may be NULL). 0 or -ENOMEM. */
int uses_add(struct uses *u, const struct use *one, const char *path);

/* Call look() with an open /proc/PID of every process but ourselves, until it returns anything but
 * 0, which is returned. */
int each_process(int proc_fd, int (*look)(void *data, int dir, pid_t pid), void *data);

/* Fill number, name and mount namespace of a process; nothing else of it. False when it is gone, or
 * a kernel thread, which uses nothing but the first / there was. */
bool describe_user(int dir, pid_t pid, struct use *out);

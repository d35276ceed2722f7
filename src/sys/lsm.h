/*
 * What a security module confines a process by: AppArmor's profile. (SELinux's label is none of
 * this: what it is to run would have to be labelled for it, too.)
 *
 * Layer: sys. Linux 5.8; before that, nobody is confined as far as is known here.
 */
#pragma once

#include <stdbool.h>

enum { LSM_NAME_MAX = 256 };

/* The profile that the process of the directory /proc/PID `proc` is confined by, "" when it is by
 * none: hostile, it may be a container's own word for one. */
void lsm_read(int proc, char name[LSM_NAME_MAX]);

/* Whether there is a profile of that name. */
bool lsm_has(const char *name);

/* What this process executes next is confined by it. `proc`: a /proc in which we are. 0 or -errno:
 * -ENOENT when there is none of that name. [child] */
int lsm_on_exec(int proc, const char *name);

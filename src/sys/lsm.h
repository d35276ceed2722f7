/*
 * What a security module confines a process by: AppArmor's profile, or SELinux's label.
 *
 * Layer: sys. AppArmor: Linux 5.8; before that, it confines nobody as far as is known here.
 */
#pragma once

#include <stdbool.h>

enum { LSM_NAME_MAX = 256 };

struct lsm {
	char name[LSM_NAME_MAX];  /* of the profile, or the label; "": none */
	char files[LSM_NAME_MAX]; /* the label that files of who is confined by it have; "": none */
};

/* What the process of the directory /proc/PID `proc` is confined by: hostile, it may be a
 * container's own word for a profile. Its files have the label of its root directory. */
void lsm_read(int proc, struct lsm *out);

/* Whether it is a label of SELinux's (USER:ROLE:TYPE[:LEVEL]), and no profile of AppArmor's. */
bool lsm_is_label(const char *name);

/* "AppArmor's profile" or "SELinux's label", static. */
const char *lsm_kind(const char *name);

/* Whether the kernel knows that profile or label. */
bool lsm_has(const char *name);

/* Whether what it is of confines anybody on this machine. */
bool lsm_on(const char *name);

/* Whether SELinux's policy lets this process start something with that label, also from a mount
 * that is nosuid as a session's are; true where it cannot be asked, and of a profile. */
bool lsm_may_start(const char *name);

/* Whether the policy lets what has that label read and write the pipes that this process makes.
 * Where it does not, the kernel puts /dev/null in their place at the execve(2), without a word.
 * True where it cannot be asked, and of a profile. */
bool lsm_may_talk(const char *name);

/* "SELinux, enforcing", "SELinux, permissive", "AppArmor", or "none": static. */
const char *lsm_active(void);

/* What this process executes next is confined by it. `proc`: a /proc in which we are. 0 or -errno:
 * -ENOENT when there is no profile, -EINVAL when there is no label of that name. Whether SELinux's
 * policy lets that happen is known by the execve(2) alone: EACCES. [child] */
int lsm_on_exec(int proc, const char *name);

/*
 * System calls that are answered without being made.
 *
 * Layer: sys. seccomp(2) filters, Linux 3.5; needs CAP_SYS_ADMIN in our user namespace.
 */
#pragma once

/* From here on setgroups(2) does nothing and succeeds, in this thread and all it starts. For user
 * namespaces that deny it (user_namespaces(7), /proc/PID/setgroups), where programs that drop
 * groups they do not have would fail. 0 or -errno; -ENOSYS on machines we have no filter for.
 * [child] */
int seccomp_ignore_setgroups(void);

/*
 * Namespaces of a session's own, for what does not run.
 *
 * Layer: session, private. The pid namespace is made by the supervisor, whose child the agent is.
 */
#pragma once

#include "base/err.h"
#include "session/plan.h"

/* New ipc, uts, net and cgroup namespaces: the store's host name, the loopback interface up. 0 or
 * -errno with `e`. */
int fresh_namespaces(const struct plan *p, struct err *e);

/* A read-only sysfs of the new net namespace, detached. 0 or -errno. */
int fresh_sys(int *mnt, struct err *e);

/* What programs expect in the private directory `dev`, which has the basic nodes already: links,
 * /dev/shm (`shm`, a detached mount; -EBADF: a new one), /dev/mqueue, a devpts. 0 or -errno. */
int fresh_dev(const struct plan *p, int dev, int shm, struct err *e);

/* Nothing of the host is to be reached through the procfs at `proc`, which is attached: what is
 * writable there is not, what tells of the host is empty; as container engines do it. `dev`: has
 * `null`. 0 or -errno. */
int fresh_proc(int proc, int dev, struct err *e);

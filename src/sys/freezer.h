/*
 * Freezing all processes of a control group, and letting them go on.
 *
 * Layer: sys. Version 1's freezer controller, else version 2's cgroup.freeze (Linux 5.2). A freezer
 * stays as it was left: nothing thaws it when whoever froze it has gone.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "sys/cgroup.h"

struct freezer {
	int dir; /* the cgroup's directory */
	int ctl; /* its freezer.state or cgroup.freeze, to write to from wherever one is */
	bool v2;
	char *path; /* of the cgroup's directory, for people */
};

#define FREEZER_INIT ((struct freezer){.dir = -EBADF, .ctl = -EBADF})

/* Open the freezer of the process behind `proc_fd`, if it is in a cgroup other than the root and
 * ours (`self_fd`: /proc/self). `f` is FREEZER_INIT. 0, -ENOENT when there is none, or -errno. */
int freezer_open(const struct cgroup_hiers *h, int proc_fd, int self_fd, struct freezer *f);
void freezer_done(struct freezer *f);

/* Whether its processes are frozen, or are to be, by itself or by a cgroup above. */
bool freezer_is_on(const struct freezer *f);

/* Freeze and wait until everything in it, cgroups below included, stands still. 0, or -ETIMEDOUT
 * after `timeout_ms` (it is thawed again), or -errno. */
int freezer_freeze(const struct freezer *f, int timeout_ms);

/* Let it go on. 0 or -errno. Only writes to `ctl`. */
int freezer_thaw(const struct freezer *f);

/* Call `each` for every process in the cgroup and those below it (bounded: 16 deep, 100,000
 * processes) until it returns other than 0. Returns that, 0 at the end, or -errno. */
int freezer_each(const struct freezer *f, int (*each)(int pid, void *data), void *data);

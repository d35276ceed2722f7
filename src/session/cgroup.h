/*
 * Which cgroup the command is charged to.
 *
 * Layer: session.
 */
#pragma once

#include "base/err.h"
#include "session/plan.h"

enum { SESSION_CONTROLLERS = 3 };

struct session_cgroup {
	int *procs; /* cgroup.procs files: the command writes itself into each */
	size_t n;
	int parent[SESSION_CONTROLLERS]; /* CGROUP_OWN: the directories `name` is made in */
	char name[32];
	int guard; /* our end of the guard's pipe, or -EBADF */
	pid_t guard_pid;
};

#define SESSION_CGROUP_INIT                                                                        \
	((struct session_cgroup){.parent = {-EBADF, -EBADF, -EBADF}, .guard = -EBADF})

/* Open, or make, what the plan asks for; `c` is SESSION_CGROUP_INIT. CGROUP_HOST: nothing.
 * CGROUP_TARGET: the target's cgroup in every hierarchy. CGROUP_OWN: a new one with the limits in
 * each hierarchy that has them; a guard process removes it when we are gone, however we went. 0 or
 * -errno with `e`. */
int session_cgroup_open(struct session_cgroup *c, const struct plan *p, struct err *e);

/* Remove what was made and close the rest. */
void session_cgroup_done(struct session_cgroup *c);

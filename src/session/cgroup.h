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
	int parent[SESSION_CONTROLLERS];     /* CGROUP_OWN: the directories `name` is made in */
	bool hand_down[SESSION_CONTROLLERS]; /* version 2: the parent does not yet, for as long as
						we are there it will */
	char name[32];
};

#define SESSION_CGROUP_INIT ((struct session_cgroup){.parent = {-EBADF, -EBADF, -EBADF}})

/* Open what the plan asks for; `c` is SESSION_CGROUP_INIT. CGROUP_HOST: nothing. CGROUP_TARGET: the
 * target's cgroup in every hierarchy. CGROUP_OWN: where it will be; nothing is made yet. 0 or
 * -errno. */
int session_cgroup_open(struct session_cgroup *c, const struct plan *p, struct err *e);

/* CGROUP_OWN: make it, with the limits, in each hierarchy that has them, and hand it to the agent
 * at the other end of `sock`. Guard and agent must run by then, so that it goes whoever is killed.
 * 0 or -errno; what was made stays for _done to remove. */
int session_cgroup_give(struct session_cgroup *c, const struct plan *p, int sock, struct err *e);

/* How many processes the kernel has killed in it for lack of memory; 0 too when nobody counts. */
uint64_t session_cgroup_oom(const struct session_cgroup *c);

/* Kill what is in it and remove it, for at most a second. Nothing to do but for CGROUP_OWN. */
void session_cgroup_remove(const struct session_cgroup *c);

/* Kill all that is in the cgroup of the session with this cookie, until nothing is left that could
 * fork; from outside, for some seconds at most. `proc_dir`: /proc/PID of its supervisor. False
 * where there is none, or something is left. */
bool session_cgroup_end(int proc_dir, const char *cookie);

/* Remove what was made and close the rest. */
void session_cgroup_done(struct session_cgroup *c);

/*
 * The agent: what runs inside, between fork(2) and the end of the session.
 *
 * Layer: session, private.
 */
#pragma once

#include "session/cgroup.h"
#include "session/devices.h"
#include "session/plan.h"
#include "session/view.h"

struct agent {
	const struct plan *plan;
	struct view_parts parts;
	int sock;      /* to the supervisor */
	int host_proc; /* the host's /proc, O_PATH|O_DIRECTORY */
	int guard;     /* to the guard; not ours to close */
	bool says_started;
	bool placed;	  /* what it is to enter is there already: it is an engine's (lodge.h) */
	const int *stdio; /* [3], for the command; -EBADF: the pty */
	const struct session_cgroup *cgroup;
	const struct freeze *freeze;
	struct devices devices;		    /* of the host, where it has them all */
	int own_procs[SESSION_CONTROLLERS]; /* CGROUP_OWN: received */
};

/* Runs the session inside and exits the process with the session's exit code. Called in a process
 * just forked; never returns. */
_Noreturn void agent_main(struct agent *a);

/* Tell the supervisor what went wrong, and end with its exit code. */
_Noreturn void agent_fail(struct agent *a, struct err *e);

/* Join or make the plan's namespaces and build its view. 0 or -errno with `e`. */
int agent_enter(struct agent *a, struct err *e);

/* fork(2), as the first process of a new pid namespace; other children of ours stay where we are.
 * Returns as fork(2), or -errno with `e`. */
pid_t fork_apart(const struct plan *p, struct err *e);

/* fork(2) for plans that are rootless: a child of ours that is born in the target's user namespace,
 * and in its pid namespace where that is joined. Returns as fork(2), or -errno with `e`. */
pid_t fork_inside(const struct plan *p, struct err *e);

/* A pty of the devpts at /dev/pts (the target's own, the session's, or the host's), its slave owned
 * by who the plan says. 0 or -errno with `e`. */
int session_pty(const struct plan *p, int *master, int *slave, struct err *e);

/* Become who the plan says, in the directory it says, and exec. Returns only on failure: -errno
 * with `e` (126 or 127). [child] of a vfork: no allocation, and memory is the agent's. */
int command_exec(const struct plan *p, struct err *e);

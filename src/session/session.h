/*
 * The visit: carry out a plan, relay the terminal, leave nothing.
 *
 * Layer: session. Three processes: the supervisor (the caller, outside), the agent (in the target's
 * namespaces), the command (the agent's child).
 */
#pragma once

#include <sys/types.h>

#include "base/err.h"
#include "session/plan.h"
#include "sys/overlay.h"

/* What the caller has to say during a session, and what he wants to hear. */
struct session_talk {
	const char *greeting; /* to standard error, once the session stands; NULL: nothing */
	/* for a view that forgets: what was written, once the session is over; the caller's to
	 * release. NULL: not asked for */
	struct overlay_scratch *changes;
	/* the command runs, or has run already (`command` is 0 then); pids as we count. NULL: not
	 * asked for */
	void (*started)(void *data, pid_t agent, pid_t command);
	/* plan.outlive: the target has ended; a sentence to tell, which is freed, or NULL */
	char *(*ended)(void *data);
	/* then, and every so often until it says something: whether its files are gone */
	char *(*removed)(void *data);
	/* something to prepare while the session is made: called once, before the command may
	 * start. 0 or -errno. NULL: nothing */
	int (*prepare)(void *data, struct err *e);
	/* something else to look after meanwhile: what to wait for (-EBADF: nothing just now), and
	 * that there is something to read; `agent` is a process of the session. NULL: nothing */
	int (*watch)(void *data);
	void (*attend)(void *data, pid_t agent);
	void *data;
	uint64_t oom_kills; /* out: of plan.limits.memory */
	bool thawed; /* out: the plan froze the target, and somebody else thawed it meanwhile */
};

/* Carry out the plan and wait for its end. Returns the exit
 * code by docker's contract (the command's own; 128+N when signal N killed it), or -errno with `e`,
 * whose exit is 125, 126 or 127. */
int session_run(const struct plan *p, struct session_talk *talk, struct err *e);

/* After session_run() gave `code`: where the command could not be run, or found no library, is the
 * kit damaged? Then e says so, and the result is -errno, else `code`. Costs nothing otherwise. */
int session_blame_kit(const struct plan *p, int code, struct err *e);

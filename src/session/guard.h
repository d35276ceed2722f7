/*
 * The guard: a third process that does nothing until supervisor and agent are both gone without
 * having cleared up, and then does it for them.
 *
 * Layer: session. One of the two notices when the other is killed; the guard is for both at once
 * (`pkill -9 porthole`). It is not on the way to the prompt: it starts when a session has lasted a
 * moment, or first thing when there is a cgroup to remove.
 */
#pragma once

#include <sys/types.h>

#include "base/err.h"
#include "session/cgroup.h"

struct guard {
	int pipe[2]; /* the supervisor and the agent hold [1]; the guard waits for its end on [0] */
	pid_t pid;   /* 0: not started, -1: could not be */
};

#define GUARD_INIT ((struct guard){.pipe = {-EBADF, -EBADF}})

/* Make the pipe; the agent must be forked after this. 0 or -errno. */
int guard_open(struct guard *g, struct err *e);

/* Start the process, in our own pid namespace, whatever setns(2) said of our children's. `mnt_ns`:
 * a descriptor of the session's mount namespace, -EBADF when it does not stand yet. `c`: what is to
 * be removed. 0 or -errno; does nothing when it runs already. */
int guard_start(struct guard *g, int host_proc, int mnt_ns, const char *cookie,
		const struct session_cgroup *c, struct err *e);

/* All is cleared up: end it and wait for it. */
void guard_stop(struct guard *g);

/*
 * The guard: a third process that does nothing until supervisor and agent are both gone without
 * having cleared up, and then does it for them.
 *
 * Layer: session. One of the two notices when the other is killed; the guard is for both at once
 * (`pkill -9 porthole`). It is not on the way to the prompt: it starts when a session has lasted a
 * moment, and leaves while the agent does. Where there is a cgroup to remove, it comes before the
 * command and goes last.
 */
#pragma once

#include <sys/types.h>

#include "base/err.h"
#include "session/cgroup.h"
#include "session/freeze.h"

struct guard {
	int sock[2]; /* the supervisor and the agent hold [1]; the guard waits for its end on [0] */
	pid_t pid;   /* 0: not started, -1: could not be */
	int late; /* a descriptor that the kernel closes when nobody waits for it; -EBADF: none */
};

#define GUARD_INIT ((struct guard){.sock = {-EBADF, -EBADF}})

/* Make the socket pair; the agent must be forked after this, and says WIRE_NS and WIRE_DONE on
 * sock[1]. 0 or -errno. */
int guard_open(struct guard *g, struct err *e);

/* Start the process, in our own pid namespace, whatever setns(2) said of our children's. `c`: what
 * is to be removed, `f`: what is to be thawed. 0 or -errno; does nothing when it runs already. */
int guard_start(struct guard *g, int host_proc, const char *cookie, const struct session_cgroup *c,
		const struct freeze *f, struct err *e);

/* All is cleared up: end it and wait for it. The kernel drops `late`, descriptors of mounts and
 * what else it takes long to let go of, a moment after we have ended (on Linux before 6.10, right
 * here); -EBADF: none. Takes them over. */
void guard_stop(struct guard *g, int *late, size_t n);

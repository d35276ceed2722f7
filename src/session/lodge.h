/*
 * A session whose agent is the first process of a container that an engine makes (docker, podman,
 * runc, crun, systemd-nspawn).
 *
 * Layer: session. What the supervisor has forked as its agent becomes the steward: it has the
 * engine's client started and waits until the container's first process, which is this program
 * (lodge_begin()), calls. In that one's mount namespace the plan's view is built, from outside and
 * with our rights, so that it is the same whatever engine it is and whatever rights it gives; it
 * takes the place of the engine's root. Then the caller is given what an agent has, and is the
 * agent. When the supervisor is gone it hears that, ends all it has started, and itself; with that
 * the engine's container ends. The steward stays until the client has ended.
 */
#pragma once

#include "session/agent.h"

#define LODGE_SOCKET "call" /* its name in the directory that the container is given */

struct lodging {
	const char *engine; /* for messages */
	unsigned own;	    /* CLONE_NEW* that the container is to have of its own */
	int listener;	    /* SOCK_SEQPACKET: where its first process calls */
	/* [steward] Start the client, with these as its descriptors 0 to 2. Its pid, or -errno */
	pid_t (*start)(void *data, const int stdio[3], struct err *e);
	/* [steward] It has ended, or never began: nothing of it is to stay */
	void (*over)(void *data);
	void *data;
};

/* Runs in place of agent_main(). */
_Noreturn void lodge_steward(struct agent *a);

/* In the container: call at the socket `path`, and be the agent. Returns only when that fails:
 * -errno with `e`. */
int lodge_begin(const char *path, struct err *e);

/*
 * What the host mounts and unmounts later, below the paths of it that a container has.
 *
 * Layer: session. The kernel does that by itself where the path may be written to and the host's
 * mount is shared (MS_SLAVE). What it passes on comes as it is on the host, to be written to, so
 * what is read-only receives nothing from it; and where the host's mounts are private there is
 * nothing to receive. There the supervisor, who is told of every change of the host's mount table
 * (poll(2) of /proc/self/mountinfo), clones what is new, makes it read-only while nobody can see
 * it, and attaches it inside; and takes away what the host has unmounted, whoever uses it. Nothing
 * of the host's waits for it: its umount(8) never meets a mount that receives from it.
 */
#pragma once

#include "session/plan.h"
#include "sys/mountinfo.h"

struct follow {
	const struct plan *plan;
	int table; /* to wait for (POLLPRI); -EBADF: nothing is followed */
	bool seen; /* `known` is filled */
	struct mountinfo known;
};

#define FOLLOW_INIT ((struct follow){.table = -EBADF})
void follow_done(struct follow *f);

/* Begin, in the host's mount namespace. Costs an open(2), if that. */
void follow_start(struct follow *f, const struct plan *p);

/* Something has changed, or (for the first time) may have since the paths were cloned; `agent` is a
 * process of the container. */
void follow_settle(struct follow *f, int host_proc, pid_t agent);

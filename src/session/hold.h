/*
 * A plan that outlasts its target: made while that runs, carried out on what is left of it.
 *
 * Layer: session. A mount namespace lives, with all that is mounted in it (tmpfs and /dev/shm too),
 * as long as somebody has a descriptor of it; nothing is unmounted in it, and no process has to
 * stay.
 */
#pragma once

#include <sys/types.h>

#include "base/err.h"
#include "sys/ns.h"

struct plan;

struct hold {
	bool on;
	int root; /* a detached mount of its files in place of its root, the caller's to make;
		     -EBADF: its root is there */
	int over; /* a layer that is laid over its root; -EBADF: none */
	int ns[NS_COUNT]; /* as ns_types; -EBADF: not held */
};

#define HOLD_INIT                                                                                  \
	((struct hold){.root = -EBADF, .over = -EBADF, .ns = {[0 ... NS_COUNT - 1] = -EBADF}})

/* Turn the plan of a running target into one of what it leaves: its mount, user, ipc and uts
 * namespaces are held (the network is not: its addresses must be free for the next start), new pid,
 * network and cgroup namespaces are made for the session. The view must be one that forgets
 * (p->cow.on). 0, -EPERM when the target has no mounts of its own, or -errno. */
int plan_hold(struct plan *p, struct err *e);
void hold_done(struct hold *h);

/* A new descriptor of the target's user namespace, held or of the process. It, or -errno. */
int plan_userns(const struct plan *p);

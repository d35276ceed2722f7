/*
 * The steps by which a container's mounts are made what the host's have become, and who takes them.
 *
 * Layer: session. For follow.c alone.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "session/beside.h"
#include "sys/mountinfo.h"

enum step_kind {
	STEP_DROP,  /* the host has unmounted `row`, which is `there` inside */
	STEP_OWN,   /* `there` receives from the host, and is to be followed */
	STEP_ADD,   /* the host has mounted `row` on `under` */
	STEP_PROBE, /* `there` would keep the host from unmounting, if it is in use. `under`: what
		       lies beneath it so that it does not, NULL: nothing */
};

struct step {
	enum step_kind kind;
	bool later; /* out: not yet; to be tried again with the next change */
	const struct mount_row *row, *under, *there;
	const struct beside_path *path;
	char *inside; /* where; owned */
};

struct work {
	const struct mountinfo *ours, *theirs; /* mount tables: the host's, the container's */
	int host_proc, mnt_ns;
	bool devices; /* as volume_attrs() takes it */
	struct step *v;
	size_t n;
};

void work_done(struct work *w);

/* Add a step; `inside` is taken over, also on error. 0 or -ENOMEM. */
int work_add(struct work *w, struct step step);

/* Whether the row is what is put beneath a mount that is in use (STEP_PROBE). */
bool work_lies_beneath(const struct mount_row *row);

/* Take them, in their order, in children. Returns 0; or the pid of a child that did not come back
 * within some seconds: it waits for a file system, and is to be waited for. -errno. */
pid_t work_take(struct work *w);

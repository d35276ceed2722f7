/*
 * Paths of the host's in a container that runs: put there, listed and taken away.
 *
 * Layer: session. Linux 5.12. Nothing is written down: what is of the host's is told by comparing
 * the two mount tables. A path is a detached clone until one system call attaches it in the
 * container's mount namespace, so that killed at any moment it is there or it is not.
 */
#pragma once

#include <stdbool.h>

#include "session/volume.h"
#include "sys/mountinfo.h"
#include "target/target.h"

/* A container, looked at. */
struct graft {
	const struct target *t; /* pinned; outlives this */
	char *label;		/* printable */
	int root;		/* its root, O_PATH */
	struct mountinfo ours, theirs;
};

#define GRAFT_INIT	((struct graft){.root = -EBADF})
#define _cleanup_graft_ _cleanup_(graft_done)
void graft_done(struct graft *g);

/* Look at a pinned target. 0 or -errno: -EPERM it has the host's own mounts. */
int graft_open(const struct target *t, struct graft *g, struct err *e);

/* The next row of g->theirs, from *at on, which a path of the host's begins with (one that only
 * continues the mount it lies on is left out), and that path, the caller's. NULL: there is no more.
 */
const struct mount_row *graft_next(const struct graft *g, size_t *at, char **host);

/* Attach v at v->inside, which is made where it is not there and the file system is the container's
 * own. 0 or -errno with a sentence, and then nothing is changed: -ENOENT, -EEXIST something is
 * mounted there, -ENOTDIR, -EROFS, -EPERM it would be mounted on the host, too. */
int graft_add(const struct graft *g, const struct volume *v, struct err *e);

/* The row of what is mounted at `path` and is of the host's. -ENOENT, -EPERM: the container's own.
 */
int graft_find(const struct graft *g, const char *path, const struct mount_row **out,
	       struct err *e);

/* Whether the row is mounted somewhere below `top`, or is it. */
bool graft_is_below(const struct graft *g, const struct mount_row *m, const struct mount_row *top);

/* Take it away with all that is mounted below it; `in_use`: who uses it keeps it, unseen. -EBUSY
 * when somebody does, and not `in_use`. */
int graft_remove(const struct graft *g, const struct mount_row *m, bool in_use, struct err *e);

/*
 * The visible kit: mounted in the target itself, at /dev/p, for every process of it.
 *
 * Layer: session. Linux 5.2 for the mount calls by descriptor. Nothing is written down anywhere:
 * what was done is read from the target's mount table, where a kit has the source KIT_LABEL.
 *
 * Killed at any moment, either nothing is there or a kit that visible_unmount() takes away: a
 * second process, the watcher, waits for the end of who mounts and takes away a directory that was
 * made and not mounted on. Unmounting is one system call: rmdir(2) of a mountpoint from another
 * mount namespace (Linux 3.18) detaches what is mounted there in every other.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"
#include "kit/kit.h"
#include "sys/mountinfo.h"
#include "target/target.h"

enum visible_way {
	VISIBLE_DIRECT,	    /* mounted in the target's mount namespace, on a directory made there */
	VISIBLE_PROPAGATED, /* mounted on the host, in a directory whose mounts reach the target */
};

/* Where a kit is in a target, or would be. */
struct visible {
	const struct target *target; /* pinned; outlives this */
	char *label;		     /* the target's name made printable */
	enum visible_way way;
	bool there;	 /* a kit is mounted there now */
	bool own_userns; /* the target has a user namespace of its own */
	char *path;	 /* of the mount, in the target */
	char *host_path; /* VISIBLE_PROPAGATED: of the mount, on the host */
	bool link;	 /* KIT_PREFIX is, or has to become, a link to `path` */
	int root;	 /* the target's root, O_PATH */
	int dev;	 /* the directory its /dev is, or -errno */
	int lock;	 /* of visible_lock(); -EBADF: none */
	dev_t fs;	 /* `there`: the kit's file system */
	char fstype[16]; /* `there` */
};

#define VISIBLE_INIT	  ((struct visible){.root = -EBADF, .dev = -EBADF, .lock = -EBADF})
#define _cleanup_visible_ _cleanup_(visible_done)
void visible_done(struct visible *v);

/* Wait until no other porthole mounts or unmounts a kit in a pinned target, and keep others from it
 * until visible_done(), or until the last process of ours has ended. It is a lock of the target's
 * mount namespace itself and leaves nothing; since the target could hold it for ever, it is waited
 * for 10 s and then done without. `v` is VISIBLE_INIT; comes before visible_look(). */
void visible_lock(const struct target *t, struct visible *v);

/* Look at a pinned target: is there a kit, and if not, where and how would it be mounted? `path`:
 * NULL or KIT_PREFIX; or, for VISIBLE_PROPAGATED, the mount of the target's that receives from the
 * host. Changes nothing. `v` is VISIBLE_INIT, or locked. 0, or -errno with a sentence: -EPERM the
 * target has the host's own mounts; -EEXIST something else is at /dev/p; -EINVAL another path;
 * -EROFS, -ENOENT or -ENOTSUP its /dev will not do. With `there`, none of the last four. */
int visible_look(const struct target *t, const char *path, struct visible *v, struct err *e);

/* Mount `k` (with its label set) where visible_look() said, complete or not at all. -EALREADY when
 * it is there already. */
int visible_mount(const struct visible *v, const struct kit *k, enum kit_rung *rung, struct err *e);

/* Take it away, mountpoint included, also while it is in use: it then lives on, unseen, until its
 * last user ends. 0 nobody uses it, 1 somebody may, or -errno. */
int visible_unmount(const struct visible *v, struct err *e);

/* Whether a row of a mount table is a kit with our label. A target can forge one if it may mount at
 * all. */
bool visible_is_kit(const struct mount_row *row);

/* A kit on the host itself, at `path`, left of a target that is gone: take it away. -ENOENT when
 * there is none. */
int visible_unmount_host(const char *path, struct err *e);

/* --- pieces, in files of their own --- */

/* Where on the host to mount so that it appears at `path` of the target, which must be a mount that
 * receives from a peer group of ours. A new string; NULL when there is none. `ours`, `theirs`:
 * mount tables. */
char *visible_host_path(const struct mountinfo *ours, const struct mountinfo *theirs,
			const char *path);

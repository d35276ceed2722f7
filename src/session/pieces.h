/*
 * What a view that forgets is put together from, before the mount namespace is made: afterwards the
 * mounts of a target with a user namespace of its own are locked. All of it is detached.
 *
 * Layer: session, private.
 */
#pragma once

#include "session/view.h"

struct piece {
	char *dest;		   /* where it goes; hostile */
	int mnt;		   /* -EBADF: `m` is copied there instead */
	const struct cow_mount *m; /* NULL: a part of something that had to be taken apart */
};

struct pieces {
	int root, proc, sys; /* -EBADF: none */
	int target, shm;     /* a sidekick: the target's / and /dev/shm; -EBADF: none */
	int devices;	     /* session/devices.h; -EBADF: none */
	struct view_entries dev;
	struct piece *v; /* sorted, once they are made */
	size_t n;
	size_t names; /* given in the scratch */
};

#define PIECES_INIT                                                                                \
	((struct pieces){.root = -EBADF,                                                           \
			 .proc = -EBADF,                                                           \
			 .sys = -EBADF,                                                            \
			 .target = -EBADF,                                                         \
			 .shm = -EBADF,                                                            \
			 .devices = -EBADF})
void pieces_done(struct pieces *c);

/* Make them; what cannot be as planned is noted in parts->notes. 0 or -errno with `e`. */
int pieces_make(const struct plan *p, const struct view_parts *parts, struct pieces *c,
		struct err *e);

/* The source of a mount, opened (O_PATH); the caller's. -errno. */
int pieces_source(const struct plan *p, const struct cow_mount *m);

/* Say in parts->notes what became of `dest`. */
void pieces_note(const struct view_parts *parts, const char *dest, const char *what);

/* --- shared by pieces.c and apart.c --- */

/* Append; `mnt` is taken over, also on error. 0 or -ENOMEM. */
int pieces_add(struct pieces *c, const char *dest, int mnt, const struct cow_mount *m);

/* An overlay over `fd`; the scratch remembers (NAME/d) what it is of. A mount or -errno. */
int pieces_overlay(const struct plan *p, const struct view_parts *parts, struct pieces *c, int fd,
		   const char *dest, struct err *e);

/* As it is in the target, with what is mounted on it, with these MOUNT_ATTR_* added, and with this
 * propagation (MS_PRIVATE, MS_SLAVE). */
int pieces_clone(int fd, uint64_t attrs, uint64_t propagation);

/* A new empty directory of the scratch (NAME/t, with NAME/d) with this mode, as a mount with
 * MOUNT_ATTR_* `attrs`: a descriptor, or -errno. */
int pieces_scratch(const struct view_parts *parts, struct pieces *c, const char *dest, mode_t mode,
		   uint64_t attrs);

/* A directory that cannot lie below an overlay as a whole: it is one itself of an overlay, or
 * mounts on it may not be taken off (user namespaces). In its place a directory of the scratch
 * (NAME/t) with what it holds: small files are copied, directories become pieces of their own,
 * overlays where that can be, else copies of small ones, else as they are, read-only. Returns a
 * mount, or -errno. */
int pieces_apart(const struct plan *p, const struct view_parts *parts, struct pieces *c, int fd,
		 const char *dest, int depth);

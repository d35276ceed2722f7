/*
 * Overlay mounts put together from descriptors, detached: nobody else sees them or what is written.
 *
 * Layer: sys. Linux 5.12. From 6.15 on nothing is attached anywhere on the way; before that it is,
 * in a mount namespace that nobody is in. Needs CAP_SYS_ADMIN.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { OVERLAY_LAYERS_MAX = 500 }; /* the kernel's own limit */

/* Where changes are kept: a tmpfs of our own, for any number of overlays. */
struct overlay_scratch {
	int dir;  /* its root; NAME/u is the upper directory of the overlay NAME */
	int ns;	  /* the mount namespace it had to be attached in, -EBADF: none */
	int proc; /* borrowed: a /proc in which we are, since the one we see may be another's */
};

#define OVERLAY_SCRATCH_INIT ((struct overlay_scratch){.dir = -EBADF, .ns = -EBADF, .proc = -EBADF})
#define _cleanup_scratch_    _cleanup_(overlay_scratch_done)

/* Make it, of at most `size` bytes, 0: half of memory. `proc`: a /proc (O_PATH will do) that is
 * kept open as long as the scratch, -EBADF: the one at its place. 0 or -errno. */
int overlay_scratch_open(struct overlay_scratch *s, uint64_t size, int proc, struct err *e);
void overlay_scratch_done(struct overlay_scratch *s);

struct overlay {
	/* Directories (O_PATH will do) in our own mount namespace or roots of detached mounts,
	 * topmost first. Before Linux 6.15 the latter are used up: they can still be read, but not
	 * be mounted again. */
	const int *lower;
	size_t n;
	struct overlay_scratch *scratch; /* NULL: read-only */
	/* Or where changes are kept for good: the names of an upper and a work directory in
	 * `base`, which is ours to mount alone. NULL: none. */
	const char *upper, *work;
	int base;
	const char *name;	 /* in the scratch: one component, not used before */
	const char *const *dirs; /* to be in its root, whatever the layers have there (0755, ours);
				    only with a scratch. NULL-terminated, or NULL: none */
	uint64_t attrs;		 /* MOUNT_ATTR_* */
	bool user_xattr; /* marked with user.overlay.*: written by an engine without root (5.11) */
};

/* Mount it. What engines may have made in lower layers (redirected directories, files without data)
 * is followed when it is read-only or has an upper directory of theirs (but files without data),
 * else not; none is made. The root of a writable one has the mode and owner of its first layer. One
 * layer, read-only, is a clone. Returns a mount descriptor the caller owns, or -errno with the
 * kernel's reason: -EINVAL when the layers are stacked too deep already (an overlay of an overlay),
 * or what is mounted on them may not be taken off; -ENODEV: no overlayfs; -E2BIG. */
int overlay_mount(const struct overlay *o, struct err *e);

/* The way of kernels before 6.15, on its own for tests: attached, and mounted by mount(2), in the
 * scratch's mount namespace or in one that ends with the call. */
int overlay_mount_staged(const struct overlay *o, struct err *e);

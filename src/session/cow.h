/*
 * A view whose files may all be written to, and that forgets what was written (--view cow, and
 * whatever does not run): each file system of the target below an overlay.
 *
 * Layer: session. Linux 5.12; see sys/overlay.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/err.h"

struct plan;

enum { COW_MOUNTS_MAX = 1000, COW_FILE_MAX = 16 << 20 };

/* What becomes of one of the target's mounts. */
enum cow_how {
	COW_OVERLAY, /* a directory: changes go to the scratch */
	COW_COPY,    /* a small file: copied into the view */
	COW_READ,    /* a large file: can be read only */
	COW_AS_IS,   /* the kernel's own, devices, sockets: the target's, as in --view live */
	COW_TMPFS,   /* an empty directory in memory */
	COW_BIND,    /* `fd`, a detached mount, is attached */
	COW_MISSING, /* its source is gone */
};

struct cow_mount {
	char *dest; /* absolute, inside; hostile. Also its name in messages */
	enum cow_how how;
	int fd;	    /* the source, borrowed from the store; -EBADF: what is at `dest` in the root */
	int mapped; /* the same with owners as in the container, in place of fd; -EBADF: none */
	bool ro;    /* in the container */
	const char *options; /* COW_TMPFS: as its engine was told, borrowed; NULL: nothing */
	size_t order;	     /* of mounting */
	struct stat was;     /* COW_COPY: the source when it was planned, with mapped owners */
};

struct cow {
	bool on;
	/* a store's: owners of this one, and of n_unmapped in all, are those on disk, since its
	 * file system cannot be id-mapped; borrowed, NULL: of none */
	const char *unmapped;
	size_t n_unmapped;
	struct cow_mount *v; /* sorted: what lies below comes later */
	size_t n;
};

void cow_done(struct cow *c);

/* What is to be read in place of `m`, borrowed; -EBADF: what is at its `dest` in the root. */
int cow_source(const struct cow_mount *m);

/* Fill p->cow with the mounts of the plan's running target (its root is open already), or of its
 * store. 0 or -errno; -E2BIG beyond COW_MOUNTS_MAX. */
int cow_plan(struct plan *p, struct err *e);

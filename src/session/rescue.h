/*
 * What a container has written to its own layer, saved from its engine: a copy in memory, made in
 * the moment of its end, before the layer is removed (docker run --rm) or written to by its next
 * start.
 *
 * Layer: session. The copy is a layer itself (deleted files and replaced directories are marked as
 * overlayfs does), in a detached tmpfs that goes with its descriptor. Bounded.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum {
	RESCUE_ENTRIES_MAX = 20000,
	RESCUE_DEPTH_MAX = 100,
	RESCUE_NAMED = 5,
};
#define RESCUE_FILE_MAX	 ((uint64_t)16 << 20)  /* bytes of one file; larger ones are left out */
#define RESCUE_BYTES_MAX ((uint64_t)128 << 20) /* of all; more are left out */

struct rescue {
	int mnt;	   /* root of the copy, -EBADF: none */
	uint64_t files;	   /* copied, directories not counted */
	uint64_t bytes;	   /* of them */
	uint64_t missed;   /* too large, too many, too deep, or unreadable */
	struct strv names; /* the first RESCUE_NAMED of those, printable */
};

#define RESCUE_INIT ((struct rescue){.mnt = -EBADF})

/* Copy the layer `upper` (O_PATH will do), which is not written to. Its owners are taken as they
 * are. `max`: bytes of files, be it a single one, and half of memory at most; 0: as above. `out` is
 * RESCUE_INIT. 0, also when some was missed, or -errno: nothing was copied. */
int rescue_copy(int upper, uint64_t max, struct rescue *out);
void rescue_done(struct rescue *r);

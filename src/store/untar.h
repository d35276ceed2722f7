/*
 * Unpacking a tar stream into a directory.
 *
 * Layer: store, private to it (libarchive reads the format). Owners, modes, times, extended
 * attributes, hard links, devices and FIFOs are kept; nothing is made outside of the directory.
 */
#pragma once

#include "store/stream.h"

struct untar {
	int root;	  /* an empty directory, borrowed */
	const int *lower; /* what it will lie on, nearest first (borrowed) */
	size_t n_lower;
	bool layer; /* .wh. names are whiteouts and become overlayfs's own */
};

/* Unpack the stream to its end mark. 0 or -errno: -EXDEV when a name leads outside, -EBADMSG when
 * it is no tar or damaged, -ENOSPC when it does not fit, -EFBIG by the budget. */
int untar(const struct untar *u, struct stream *s, struct err *e);

/*
 * Tar archives, written: ustar headers, and pax records for what does not fit into those.
 *
 * Layer: files. POSIX.1-2001 pax; extended attributes as SCHILY.xattr.*, sparse files as GNU.sparse
 * 1.0: what GNU tar, bsdtar, Go and Python read. Names are raw bytes. (libarchive's own writer
 * wants to convert names, loses parts of seconds, and needs every byte of a hole.)
 */
#pragma once

#include "files/attrs.h"

struct pax_range {
	int64_t at, len;
};

struct pax_head {
	const char *path, *link; /* link NULL: none */
	char type; /* '0' file, '1' hard link, '2' link, '3' '4' devices, '5' directory, '6' FIFO */
	const struct attrs *a;
	int64_t size;			/* of a file */
	const struct pax_range *ranges; /* where its data is; NULL: it has no holes */
	size_t n_ranges;
};

struct pax {
	int fd; /* borrowed */
	char *buf;
	size_t len;
	uint64_t written;
};

/* 0 or -ENOMEM. */
int pax_open(struct pax *p, int fd);
void pax_done(struct pax *p);
#define _cleanup_pax_ _cleanup_(pax_done)

/* A header. What follows are the bytes of the file (or of its ranges), by pax_data(), and then
 * pax_pad(). 0 or -errno of the stream. */
int pax_head(struct pax *p, const struct pax_head *h);
int pax_data(struct pax *p, const void *data, size_t len);
int pax_pad(struct pax *p);

/* The end of the archive. */
int pax_close(struct pax *p);

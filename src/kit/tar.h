/*
 * Read the tar stream that `dpkg-deb --fsys-tarfile` prints.
 *
 * Layer: kit (uses base). ustar with GNU long names; sizes and names are bounded.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"

/* Longest name taken, in bytes. */
#define TAR_NAME_MAX 4096

struct tar_entry {
	char *name; /* with a leading '/', without "." and trailing '/' ; "" for the root */
	char *link; /* target of a link as it is stored; NULL: none */
	char type;  /* '0' file, '1' hard link, '2' symbolic link, '5' directory, else: others */
	mode_t mode;
	uint64_t size; /* bytes of content that follow */
};

struct tar {
	int fd;		    /* borrowed */
	uint64_t left, pad; /* of the current entry's content */
	char *buf;
	size_t pos, len;
	struct tar_entry entry;
};

#define _cleanup_tar_ _cleanup_(tar_done)
void tar_done(struct tar *t);

/* Go to the next entry (what was not read of this one is skipped) and set *entry, which stays valid
 * until the next call. Returns 1, 0 at the end, or -errno (-EBADMSG: not a tar stream). */
int tar_next(struct tar *t, const struct tar_entry **entry);

/* The next piece of content: *data points into the reader. Returns its length, 0 at the end of the
 * entry, -EBADMSG when the stream ends early, or -errno. */
ssize_t tar_data(struct tar *t, const char **data);

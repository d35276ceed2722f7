/*
 * Making files in a directory that others change meanwhile: by descriptor, never through a link,
 * and never half a file under its final name, but for small ones in a directory that is as new.
 *
 * Layer: files.
 */
#pragma once

#include "files/attrs.h"

/* A file that is being written, and has no name yet, or a temporary one. */
struct put {
	const struct place *to; /* borrowed */
	int dir;		/* borrowed */
	const char *name;	/* its final one; borrowed */
	int fd;			/* to be written to */
	char temp[32];		/* "": it has none */
	bool direct;		/* it has its final name already */
};

/* Begin the regular file `name` in `dir`. `fresh`: this run made that directory, which is nothing
 * before it is whole, and so neither are its files: a small one has its name from the start, which
 * saves two thirds of what making it costs. `size`: how many bytes it will probably have. 0 or
 * -errno. */
int put_begin(struct put *p, const struct place *to, int dir, const char *name, bool fresh,
	      uint64_t size);

/* Give it its attributes and its name, in place of any file, link or such that has it; a directory
 * that has it is -EISDIR. *lost: see attrs_apply(). 0 or -errno; it is ended then too. */
int put_end(struct put *p, const struct attrs *a, size_t *lost);

/* Nothing of it stays. */
void put_drop(struct put *p);
#define PUT_INIT      ((struct put){.fd = -EBADF})
#define _cleanup_put_ _cleanup_(put_drop)

/* The directory `name`: made (only we may look into it, until attrs_apply()), or the one that is
 * there. *made tells. Returns it open for reading, or -errno; -ENOTDIR: something else is there. */
int put_dir(int dir, const char *name, bool *made);

/* A symbolic link, a FIFO, a device or a socket: `link` is a link's text. In place of what has the
 * name, as put_end(). 0 or -errno. */
int put_node(const struct place *to, int dir, const char *name, const struct attrs *a,
	     const char *link);

/* Another name of the file `of` (O_PATH). The same. */
int put_link(int dir, const char *name, int of);

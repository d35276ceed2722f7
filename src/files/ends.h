/*
 * The two ends of a copy, by docker cp's rules: what exactly is copied, and what it is called
 * where.
 *
 * Layer: files.
 */
#pragma once

#include <sys/stat.h>

#include "files/place.h"

/* Where a copy comes from. */
struct source {
	int fd;	       /* O_PATH */
	char *name;    /* what it is called */
	bool contents; /* what is in the directory, not itself: PATH/., and / */
	struct stat st;
};

#define SOURCE_INIT	 ((struct source){.fd = -EBADF})
#define _cleanup_source_ _cleanup_(source_done)
void source_done(struct source *s);

/* `follow`: a link as the last name is followed; it is, too, before "/" and "/.". 0 or -errno with
 * `e`. */
int source_open(const struct place *p, const char *path, bool follow, struct source *out,
		struct err *e);

/* Where it goes: `name` in the directory `dir`; name ".": into that directory. */
struct dest {
	int dir; /* O_PATH */
	char *name;
};

#define DEST_INIT      ((struct dest){.dir = -EBADF})
#define _cleanup_dest_ _cleanup_(dest_done)
void dest_done(struct dest *d);

/* Of a source: into a directory that is there, under the source's name; else under the last name of
 * `path`, whose directory must be there; links at its end are followed within the place. 0 or
 * -errno with `e`. */
int dest_open(const struct place *p, const char *path, const struct source *s, struct dest *out,
	      struct err *e);

/* The file (or nothing) that `path` leads to, as a name in its directory. 0 or -errno with `e`. */
int dest_beside(const struct place *p, const char *path, struct dest *out, struct err *e);

/*
 * Which files `find` finds: the tests of find(1), as plain data.
 *
 * Layer: files.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/str.h"
#include "files/listing.h"

/* "+N", "-N", "N". */
struct match_number {
	bool on;
	int sign; /* 1: more, -1: less, 0: exactly */
	uint64_t v, unit;
};

struct match {
	struct strv names, inames, paths; /* globs; of several, one must fit */
	const char *types;		  /* letters of kind_letter(), commas between; NULL: any */
	struct match_number size, mtime, mmin, links;
	bool newer;
	struct timespec newer_than;
	bool user, group;
	uint32_t uid, gid; /* as the target sees them */
	int perm;	   /* -1: any; else mode bits, */
	int perm_how;	   /* '\0': exactly these, '-': all of them, '/': any of them */
	bool empty;	   /* files without bytes, directories without entries (by `is_empty`) */
	int64_t now;	   /* Unix seconds */
};

/* "+10M", "-3", "5k": `what` names it in `e`; `units`: letters as find's c, k, M, G (and b, 512
 * bytes, when there is none). 0 or -EINVAL. */
int match_number_parse(const char *text, bool units, const char *what, struct match_number *out,
		       struct err *e);

/* "644", "-222", "/6000". 0 or -EINVAL. */
int match_perm_parse(const char *text, struct match *m, struct err *e);

/* "f", "d,l". 0 or -EINVAL. */
int match_types_check(const char *types, struct err *e);

/* Whether all that is asked for is so. `name` and `path` are raw; `uid`, `gid` as inside. */
bool match_is(const struct match *m, const char *name, const char *path, const struct stat *st,
	      uint32_t uid, uint32_t gid);

/*
 * What a session that forgets has written: the upper directories of its overlays against what lies
 * below.
 *
 * Layer: session. Everything in them was made by a hostile session; nothing here follows a link.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/err.h"
#include "session/plan.h"
#include "sys/cred.h"
#include "sys/overlay.h"

enum { CHANGES_MAX = 100000, CHANGES_DEPTH = 200 };

struct change {
	char kind;	/* docker diff's letters: A added, C changed, D deleted */
	char *path;	/* inside, absolute; raw bytes: print through str_printable() */
	struct stat st; /* of what is there now; zero for D */
};

/* Called for each change, in no order: `dir` and `name` are where it lies in the upper directory
 * (D: nothing to be read). Less than 0 stops the walk and is returned. */
typedef int change_fn(const struct change *c, int dir, const char *name, void *data);

/* Walk all changes of a plan's session. A directory that only holds changes is none. *cut (may be
 * NULL): something lay deeper than CHANGES_DEPTH and was left out. 0 or -errno. */
int changes_walk(const struct plan *p, const struct overlay_scratch *s, change_fn *fn, void *data,
		 bool *cut, struct err *e);

struct changes {
	struct change *v; /* by path */
	size_t n;
	bool cut; /* there are more than CHANGES_MAX, or too deep ones */
};

#define _cleanup_changes_ _cleanup_(changes_done)
void changes_done(struct changes *c);
/* All of them, sorted; the caller owns *out. 0 or -errno with `e`. */
int changes_read(const struct plan *p, const struct overlay_scratch *s, struct changes *out,
		 struct err *e);

enum { KEEP_WHY = 5 };

/* Where --keep puts things: the parent directory, opened before the session, and a name in it. */
struct keep {
	const char *path; /* for messages; borrowed */
	int parent;
	char *name;
	size_t saved, deleted; /* out */
	size_t others;	 /* out: of `saved`, those that were not of the caller's user and group */
	size_t left_out; /* out: could not be kept; */
	bool owners;	 /* are kept, with set-id bits and extended attributes: we are root */
	struct idmap *maps; /* [2], of users and groups: owners are those that the target sees;
			       NULL: the same */
	struct strv why;    /* the first KEEP_WHY of them, printable: "PATH (why)" */
	bool cut;	    /* out: something lay deeper than CHANGES_DEPTH */
};

#define KEEP_INIT      ((struct keep){.parent = -EBADF})
#define _cleanup_keep_ _cleanup_(keep_done)
void keep_done(struct keep *k);

/* Before the session: `path` must not exist, its parent must. 0 or -errno with `e`. */
int keep_open(struct keep *k, const char *path, const struct plan *p, struct err *e);

/* Make the new directory, only the caller can look into: `files/` holds what was added or changed,
 * at its place, with its mode and times, and, for root, with the owner that the target sees and
 * extended attributes; else owned by the caller, without set-id bits. `deleted` lists the rest, a
 * printable path a line. Sockets are left out, and devices where they may not be made; those that
 * are have the caller's rights alone (0600). 0 or -errno. */
int keep_save(struct keep *k, const struct plan *p, const struct overlay_scratch *s, struct err *e);

/*
 * The journal: what was put into a container, kept outside of it, written before it is done.
 *
 * Layer: inject (uses base). One file a container in DIR (PORTHOLE_STATE/inject, else
 * /var/lib/porthole/inject), locked while somebody works on it, only ever appended to. Every line
 * ends with a checksum of its own: a last line that was cut short is as if it were not there; any
 * other damage is -EBADMSG. Names are escaped, so none can forge a line.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "inject/items.h"
#include "target/target.h"

#define JOURNAL_FILE_MAX ((size_t)256 << 20)

/* How far it got: each is written once what comes before is safely there. */
enum journal_phase {
	JOURNAL_NEW,	/* nothing was done */
	JOURNAL_STAGED, /* a hidden directory may be in the target */
	JOURNAL_BUILT,	/* it is complete, and some of it may be in its place */
	JOURNAL_DONE,	/* all of it is in its place */
	JOURNAL_CLEAN,	/* and the hidden directory is gone */
	JOURNAL_EJECT,	/* some of it may be gone again */
	JOURNAL_UNDONE, /* it failed, and nothing is in its place any more */
};

struct journal {
	int dir, fd;		  /* owned: the directory of journals; the file, locked */
	char *file;		  /* its name in `dir` */
	char *engine, *id, *name; /* of the target; raw */
	char *source;		  /* where it came from, for people */
	int64_t time;		  /* Unix seconds */
	char *stage;		  /* the hidden directory in the target's root */
	enum journal_phase phase;
	struct items items; /* sorted; parents of JOURNAL_BUILT, or of JOURNAL_EJECT */
	struct buf pending; /* lines not yet written */
};

#define JOURNAL_INIT	  ((struct journal){.dir = -EBADF, .fd = -EBADF})
#define _cleanup_journal_ _cleanup_(journal_done)
void journal_done(struct journal *j);

/* Open, lock and read the journal of `t`; `make`: start an empty one where there is none (with
 * engine, id and name set). 0; -ENOENT: there is none (and !make); -EBUSY: somebody is at work on
 * it; -EBADMSG: damaged; -errno. */
int journal_open(const struct target *t, bool make, struct journal *j, struct err *e);

#define JOURNAL_STATE "/var/lib/porthole" /* where PORTHOLE_STATE names no other directory */

/* The directory of journals; `make`: also where there is none yet. Its path in a new string. 0 or
 * -errno with `e`. */
int journal_place(bool make, char **path, struct err *e);

/* Whether an open journal is in the root of a session of ours, which forgets. */
bool journal_is_fleeting(const struct journal *j);

/* Of the same engine and name, but another container: its journal's file name in a new string,
 * NULL: none. */
char *journal_namesake(const struct target *t);

/* Every journal's file name. 0 or -errno. */
int journal_list(struct strv *out, struct err *e);
/* Open, lock and read one of them. */
int journal_open_file(const char *file, struct journal *j, struct err *e);

/* Add lines; nothing is on disk before journal_sync(), which is 0 or -errno with `e`. */
void journal_add_head(struct journal *j);
void journal_add_item(struct journal *j, const struct item *i);
void journal_add_parent(struct journal *j, const struct parent *p);
void journal_add_phase(struct journal *j, enum journal_phase phase);
int journal_sync(struct journal *j, struct err *e);

/* Where the target's own files are kept that were replaced; made when it is not there. A descriptor
 * the caller owns, or -errno with `e`. */
int journal_originals(struct journal *j, struct err *e);

/* It is over: the file goes, with the originals. 0 or -errno with `e`. */
int journal_remove(struct journal *j, struct err *e);

/* Parse the text of a journal into `j`; `len` bytes. *good: bytes up to the end of the last whole
 * line. Bytes in, no I/O. 0, -EBADMSG with the line in `e`, or -ENOMEM. */
int journal_parse(const char *text, size_t len, struct journal *j, size_t *good, struct err *e);

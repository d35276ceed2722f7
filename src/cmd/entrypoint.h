/*
 * What the faces of `porthole entrypoint` share.
 *
 * Layer: cmd, private to the verb.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/json.h"
#include "cli/cli.h"
#include "entry/lint.h"
#include "out/text.h"

/* All that is known of one entry point. */
struct entrypoint {
	const struct target *t; /* NULL: an image, an archive or a directory */
	const char *label;	/* of those; raw */
	const char *kind;	/* "docker overlay2", "directory"; NULL: it runs */
	int64_t age;		/* seconds it runs, -1: it does not */
	struct entry entry;
	struct entry_report report;
	bool secrets; /* shown as they are */
};

/* One page for a person. 0 or -ENOMEM. */
int entrypoint_text(FILE *out, const struct entrypoint *ep, const struct out_style *style);

/* The same as one JSON object the caller owns; NULL when memory is out. */
json_t *entrypoint_json(const struct entrypoint *ep);

/* "exec form", "shell form": how the command is written. Static. */
const char *entrypoint_form(const struct entry *en);
/* "the image", "when it was made"; "" when it is not known. Static. */
const char *entrypoint_origin(enum entry_origin o);

/* Did it end with a code that means something? */
bool entrypoint_ended(const struct target *t);

/* What the exit code of its last run means, where entrypoint_ended(); of an engine whose code looks
 * like the program's own, too. A new string, NULL when memory is out. */
char *entrypoint_ended_words(const struct entrypoint *ep);

/* How it is to be rehearsed. */
struct rehearsal {
	const char *strace; /* what strace -e takes, "": everything; NULL: no strace */
	uint64_t timeout;   /* seconds, 0: none */
	bool devices;	    /* its devices, too, on which what is done stays done */
	int argc;	    /* arguments in place of the container's own */
	char **argv;
};

/* Start it as the engine would, on the files of `store`, which forget what is written, in new
 * namespaces; say at the end how it ended. `t`: who it is. Returns the exit code (124: it was still
 * running when its time was over), or -errno with `e`. */
int entrypoint_run(const struct entrypoint *ep, const struct target *t, const struct store *store,
		   const struct rehearsal *r, struct err *e);

/* How a rehearsal ended. */
struct rehearsed {
	int code;
	int64_t ms;
	uint64_t timeout;   /* seconds, 0: none */
	uint64_t oom_kills; /* of its memory limit */
	bool timed_out;
	const struct strv *left; /* what of its limits was not rehearsed; printable */
};

/* Say so on standard error, with what was found that may be why. */
void entrypoint_tell(const struct entrypoint *ep, const struct rehearsed *w);

/* The first fix of a finding about its files, borrowed; NULL: none. */
const char *entrypoint_fix(const struct entry_report *r);

/* A finding's sentence made printable as a part of one of ours: "It should run as 'web'." becomes
 * "it should run as 'web'". A new string, NULL when memory is out. */
char *entrypoint_clause(const char *sentence);

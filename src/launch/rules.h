/*
 * Which commands a container may run on its host: --allow, --ask and --deny of `porthole host run`.
 *
 * Layer: launch. A pattern is words: a program, then its arguments, each with the wildcards of
 * glob(7). Without arguments it means all of them; a last word `*` means any number of further
 * ones. Programs are compared as files of the host: for what is allowed, the name that is found in
 * PATH (or the path given) and no other; for what is denied or asked about, every link to it too.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

struct rules {
	struct strv allow, ask, deny;
	bool closed; /* what no pattern fits is refused, as with any `allow` */
};

enum rules_verdict { RULES_RUN, RULES_ASK, RULES_REFUSE };

/* A program as it was named, found on the host. */
struct rules_program {
	char *path; /* absolute; its directory without links, its last name as it was given */
	char *real; /* without any link */
	dev_t dev;
	ino_t ino;
};

#define _cleanup_rules_program_ _cleanup_(rules_program_done)
void rules_program_done(struct rules_program *p);

/* Whether anything is narrowed at all: then no variable may be set that could make a program do
 * something else. */
bool rules_narrow(const struct rules *r);

/* Whether only what is allowed, or asked about, is run. */
bool rules_closed(const struct rules *r);

/* Whether every pattern names a program. 0, or -EINVAL with `e`. */
int rules_check(const struct rules *r, struct err *e);

/* Find what `word` names: in the directories of `path` (as PATH), or, when it has a slash, from the
 * working directory on. The caller owns *out. 0, or -ENOENT, or -ENOMEM. */
int rules_find(const char *word, const char *path, struct rules_program *out);

/* May `p` be run with these arguments (argv[0] is its name)? *why: the pattern that decided,
 * borrowed; NULL: none did. */
enum rules_verdict rules_decide(const struct rules *r, const struct rules_program *p,
				const char *path, const struct strv *argv, const char **why);

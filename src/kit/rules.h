/*
 * What goes into a kit, as data: packages, what is left out of them, and what is added.
 *
 * Layer: kit (uses base). Rules are text, one directive a line; docs/KIT.md describes them. Every
 * build reads kits/rules.list; the default kit adds kits/default.list. Both are compiled in.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

/* Largest list file taken, in bytes. */
#define RULES_FILE_MAX ((size_t)1 << 20)

/* A file made by the rules themselves. */
struct rules_file {
	char *path; /* in the kit */
	struct buf text;
};

/* Two or three words of a directive, owned. */
struct rules_pair {
	char *where; /* glob of kit paths; NULL: everywhere */
	char *from, *to;
};

struct rules_pairs {
	struct rules_pair *v;
	size_t n;
};

struct rules {
	struct strv packages;	  /* asked for */
	struct strv optional;	  /* those of them that not every machine or release has */
	struct strv without;	  /* packages left out though something depends on them */
	struct strv drop;	  /* globs of package paths left out ... */
	struct strv keep;	  /* ... unless one of these matches */
	struct strv plain;	  /* globs of kit paths stored uncompressed */
	struct strv blank;	  /* globs of kit paths (ELF) whose read-only data is zeroed */
	struct strv asis;	  /* globs of kit paths whose text is not rewritten */
	struct strv bytes;	  /* globs of kit paths (data) rewritten like ELF strings */
	struct rules_pairs links; /* from: kit path of the link; to: kit path it leads to */
	struct rules_pairs
		strings; /* from: a path of the system; to: a kit path that replaces it */
	struct rules_pairs
		exact; /* in ELF files `where`: string `from` becomes `to` ("-": emptied) */
	struct rules_pairs subst; /* in text files `where`: `from` becomes `to` */
	struct rules_file *files;
	size_t n_files;
};

#define _cleanup_rules_ _cleanup_(rules_done)
void rules_done(struct rules *r);

/* Parse `text` (NUL-terminated) and add what it says to `r`. `name` is for messages. -EINVAL names
 * the line; -ENOMEM. */
int rules_parse(struct rules *r, const char *name, const char *text, struct err *e);

/* True when `path` matches one of the globs; `*` also matches '/'. */
bool rules_match(const struct strv *globs, const char *path);

/* A name apt could know: lower case letters, digits and "+-." only, two bytes or more. */
bool rules_is_package(const char *s);

/* The texts compiled in. */
extern const char rules_text_base[];
extern const char rules_text_default[];
extern const char rules_text_check[];
extern const char rules_text_hot[]; /* kits/hot.pages */

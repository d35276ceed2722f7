/*
 * A shell's line taken apart into words, and never evaluated: what a person pasted, or a label of
 * an image that says how to run it.
 *
 * Layer: profile. Bytes in, words out; no I/O.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

#define WORDS_LINE_MAX ((size_t)128 << 10)
#define WORDS_MAX      4096

struct words {
	struct strv w;
	struct strv expansions; /* what a shell would have replaced: "$(hostname)", "${NAME}" */
	char *rest; /* from the first operator on that ends a command ("| tee log"); NULL: none */
};

#define _cleanup_words_ _cleanup_(words_done)
void words_done(struct words *w);

/* Take `line` apart as sh(1) would: blanks, quotes, backslashes, continued lines, comments. $NAME,
 * ${...}, $(...) and `...` stay as they are written. 0; -EINVAL with `e` for a quote or bracket
 * that is not closed; -E2BIG. */
int words_split(const char *line, struct words *out, struct err *e);

/* What follows a shell's prompt that was pasted with the line ("# ", "root@host:~$ "), or `line`.
 */
const char *words_after_prompt(const char *line);

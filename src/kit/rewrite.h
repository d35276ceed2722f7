/*
 * Rewrite the paths of packages into paths of the kit, in bytes and in text.
 *
 * Layer: kit (uses base). No I/O.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "kit/names.h"
#include "kit/rules.h"

struct rewriter {
	const struct names *names; /* what the kit has */
	const struct rules *rules;
};

/* A string that is the kit's and whose new name is longer than the old one. */
struct rewrite_far {
	size_t off, len; /* in the buffer given, without the NUL */
	char *path;	 /* the whole new path; owned */
};

struct rewrite_fars {
	struct rewrite_far *v;
	size_t n;
};

void rewrite_fars_done(struct rewrite_fars *f);

/* Write "/dev/p", as many slashes as needed, and `kit` into exactly `len` bytes (no NUL). False
 * when it does not fit. */
bool rewrite_pad(const char *kit, size_t len, char *out);

/* Rewrite every path in a block of C strings; nothing changes its length. Paths in lists ("a:b")
 * count one by one. Ends of strings that would have to grow go to `far` (may be NULL). Returns how
 * many changed. */
size_t rewrite_fixed(const struct rewriter *w, char *data, size_t len, struct rewrite_fars *far);

/* Replace the NUL-delimited string `from` by kit path `to` ("-": by NULs) wherever it occurs whole.
 */
size_t rewrite_exact(char *data, size_t len, const char *from, const char *to);

/* Rewrite every path in a text, which may grow. Returns how many; `out` is filled in any case. */
size_t rewrite_text(const struct rewriter *w, const char *data, size_t len, struct buf *out);

/*
 * What is unusual about a target, in plain sentences: a table of rules over its facts.
 *
 * Layer: facts. No I/O.
 */
#pragma once

#include "facts/facts.h"

enum unusual_weight {
	UNUSUAL_NOTE = 0, /* good to know */
	UNUSUAL_WARN,	  /* it may be what hurts, or what a debugger trips over */
	UNUSUAL_DANGER,	  /* who gets into it gets further */
};

struct unusual {
	const char *id; /* "read-only-root": stable, for --json */
	enum unusual_weight weight;
	char *text; /* raw: holds names from the target */
};

struct unusuals {
	struct unusual *v;
	size_t n;
};

#define _cleanup_unusuals_ _cleanup_(unusuals_done)
void unusuals_done(struct unusuals *u);

/* Every rule that applies, in the order of the table. 0 or -ENOMEM. */
int unusual_find(const struct target *t, const struct facts *f, struct unusuals *out);

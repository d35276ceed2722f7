/* The rules of meaning.c: a question and its sentence each. Layer: profile, private to it. */
#pragma once

#include "profile/meaning.h"

struct meaning_rule {
	const char *id;
	enum meaning_kind kind;
	/* Does it apply? What it writes to `b` stands where the sentence has '@'. */
	bool (*is)(const struct grants *g, struct buf *b);
	const char *sentence; /* NULL ends the table */
};

extern const struct meaning_rule meaning_rules[];

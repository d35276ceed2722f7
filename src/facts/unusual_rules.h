/*
 * The rules of unusual.c: a question and its sentence each, in three tables.
 *
 * Layer: facts, private to unusual*.c.
 */
#pragma once

#include "facts/unusual.h"

struct unusual_rule {
	const char *id;
	enum unusual_weight weight;
	/* Does it apply? What it writes to `b` stands where the sentence has '@'. */
	bool (*is)(const struct target *t, const struct facts *f, struct buf *b);
	const char *sentence; /* NULL ends a table */
};

extern const struct unusual_rule unusual_trouble[]; /* what stands still, or hurts */
extern const struct unusual_rule unusual_nature[];  /* what makes debugging different */
extern const struct unusual_rule unusual_rights[];  /* what it may, and may not */

#define RULE(name) static bool name(const struct target *t, const struct facts *f, struct buf *b)

/* Is nothing of it its own? Then it is just a process, and saying what it shares would be noise. */
bool unusual_no_container(const struct facts *f);

/* The namespace of this CLONE_NEW* `flag` is known, and of that kind. */
bool unusual_ns_is(const struct facts *f, unsigned flag, enum ns_kind kind);

/* Whole percent, 0 where there is no whole. */
unsigned unusual_percent(uint64_t part, uint64_t whole);

/* ", " or " and " before the i-th of n. */
void unusual_comma(struct buf *b, size_t i, size_t n);

/*
 * Which files of a copy have several names: where the first one went.
 *
 * Layer: files. Plain data.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* How many are remembered; later ones are copied as files of their own. */
enum { LINKS_MAX = 1 << 20 };

struct links_row {
	dev_t dev;
	ino_t ino;
	char *path; /* NULL: a free row */
};

struct links {
	struct links_row *v; /* hashed, open addressing */
	size_t n, size;
};

void links_done(struct links *l);
#define _cleanup_links_ _cleanup_(links_done)

/* The path noted for a file, borrowed; NULL: none. */
const char *links_find(const struct links *l, dev_t dev, ino_t ino);

/* Note it (a copy); what is noted already is replaced. What does not fit is left out. */
void links_add(struct links *l, dev_t dev, ino_t ino, const char *path);

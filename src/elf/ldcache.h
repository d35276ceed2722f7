/*
 * The loader's cache: the file that tells ld.so where every library is. Written here, so that no
 * root and no ldconfig is needed, and read where a container has one.
 *
 * Layer: elf (uses base). Format "glibc-ld.so.cache1.1" (glibc 2.2 and later).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* Flags of an entry: a library of glibc for this machine. */
#define LDCACHE_X86_64	0x0303
#define LDCACHE_AARCH64 0x0a03

struct ldcache_lib {
	char *soname, *path; /* path: absolute, as the loader opens it */
};

struct ldcache {
	struct ldcache_lib *v;
	size_t n;
};

void ldcache_done(struct ldcache *c);
#define _cleanup_ldcache_ _cleanup_(ldcache_done)

/* Copies both. 0 or -ENOMEM. */
int ldcache_add(struct ldcache *c, const char *soname, const char *path);

/* Sort (as the loader's search expects) and write. 0 or -ENOMEM. */
int ldcache_write(struct ldcache *c, int32_t flags, struct buf *out);

/* A cache as it lies in a file: nothing is copied. */
struct ldcache_view {
	const char *data; /* names count from here */
	size_t size;
	const char *entries;
	uint32_t n;
};

/* Look into the bytes of a cache, which must end with a NUL behind `size` (as fd_read_all() leaves
 * it) and outlive the view. A newer cache that follows an older one ("ld.so-1.7.0", glibc before
 * 2.32) is found. 0, or -EBADMSG: not such a file, or damaged. */
int ldcache_open(const char *data, size_t size, struct ldcache_view *v);

/* The name and path of entry i < v->n, borrowed. False when they lie outside. */
bool ldcache_entry(const struct ldcache_view *v, uint32_t i, const char **soname,
		   const char **path);

/* Paths of the libraries called `soname` in turn: start with *at = 0; NULL after the last. */
const char *ldcache_find(const struct ldcache_view *v, const char *soname, uint32_t *at);

/* The order of the loader: numbers compare as numbers, digits come after letters. */
int ldcache_compare(const char *a, const char *b);

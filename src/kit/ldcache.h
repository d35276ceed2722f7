/*
 * The loader's cache: the file that tells ld.so where every library is. Written here, so that no
 * root and no ldconfig is needed.
 *
 * Layer: kit (uses base). Format "glibc-ld.so.cache1.1" (glibc 2.2 and later).
 */
#pragma once

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

/* Read one back. 0, -EBADMSG (not such a file, or it points outside) or -ENOMEM. */
int ldcache_parse(const char *data, size_t size, struct ldcache *c);

/* The order of the loader: numbers compare as numbers, digits come after letters. */
int ldcache_compare(const char *a, const char *b);

/*
 * Names: where a package's path lives in the kit, and whether the kit has it.
 *
 * Layer: kit (uses base).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define NAMES_PATH_MAX 1024

/* The set of paths of a kit, relative to its root; directories too. */
struct names {
	char **slot;
	size_t n, size;
	char triplet[64]; /* "x86_64-linux-gnu", or "" */
};

#define _cleanup_names_ _cleanup_(names_done)
void names_done(struct names *n);

/* 0 or -ENOMEM. */
int names_add(struct names *n, const char *kit_path);
bool names_has(const struct names *n, const char *kit_path, size_t len);

/* Collect everything below directory `dirfd` (not taken over). 0 or -errno. */
int names_collect(struct names *n, int dirfd, struct err *e);

/* The place of the package path `path` ("/usr/lib/x", `len` bytes) in a kit ("l/x"). Returns its
 * length, or 0 when a kit has no place for it. `out` holds NAMES_PATH_MAX bytes. */
size_t names_place(const char *path, size_t len, char *out);

/* Is this path of the packages one the kit provides: it is there, or lies in a directory that is
 * wholly the kit's (not one that the target has too, such as /usr/bin)? As names_place(), 0 when
 * not. */
size_t names_owned(const struct names *n, const char *path, size_t len, char *out);

/* A relative link text that leads from kit path `from` to kit path `to`. `out` holds NAMES_PATH_MAX
 * bytes. 0 or -ENAMETOOLONG. */
int names_relative(const char *from, const char *to, char *out);

/* Make `base`/`rel` plain: "." and ".." and doubled slashes are resolved in the text; result starts
 * with '/'. `base` NULL: `rel` is absolute. 0 or -ENAMETOOLONG. */
int names_join(const char *base, const char *rel, char *out);

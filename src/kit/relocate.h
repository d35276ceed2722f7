/*
 * Make an unpacked tree of packages work at /dev/p and nowhere else.
 *
 * Layer: kit (uses base). In place, without root.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "kit/elf.h"
#include "elf/ldcache.h"
#include "kit/names.h"
#include "kit/rules.h"

struct relocate_stats {
	struct elf_stats elf;
	size_t elfs, patched; /* ELF files seen, and changed */
	size_t scripts;	      /* texts changed */
	size_t text_paths;    /* paths in them */
};

/* Patch every file below `rootfd`. Libraries found go to `libs` (soname and kit path), names of
 * libraries that programs need to `needed`. 0 or -errno with `e`. */
int relocate_tree(int rootfd, const struct names *names, const struct rules *r,
		  struct relocate_stats *st, struct ldcache *libs, struct strv *needed,
		  struct err *e);

/* Write `ld.cache` from what relocate_tree() found: libraries of the loader's own directories, and
 * any other that a program needs by name. Names nobody has go to `missing`. */
int relocate_ldcache(int rootfd, const struct names *names, const struct ldcache *libs,
		     const struct strv *needed, struct strv *missing, struct err *e);

/*
 * What packages leave to their maintainer scripts, and the kit's own files.
 *
 * Layer: kit (uses base). `rootfd` is the kit's root directory.
 */
#pragma once

#include "base/err.h"
#include "kit/apt.h"
#include "kit/names.h"
#include "kit/rules.h"

/* Before names are collected: the loader as /ld.so, the rules' files and links, the certificate
 * bundle, bin/lib/share links; then links that lead nowhere are removed. */
int finish_tree(int rootfd, const struct rules *r, struct err *e);

/* After relocation: files with the same content become one (hard links). */
int finish_same(int rootfd, const struct names *names, struct err *e);

/* Counts of the whole kit. */
struct finish_count {
	uint64_t files, bytes, programs;
};

/* Write manifest.json; fills *count. */
int finish_manifest(int rootfd, const struct names *names, const struct kit_packages *p,
		    struct finish_count *count, struct err *e);

/* Write KIT_HOT: of kits/hot.pages the lines about files that are in this kit. Nothing when there
 * are none. */
int finish_hot(int rootfd, struct err *e);

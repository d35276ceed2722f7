/*
 * Build a kit: packages in, one image (or directory) out.
 *
 * Layer: kit (uses base). Needs apt, dpkg-deb and, for an image, mkfs.erofs; no root.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "kit/apt.h"
#include "kit/finish.h"
#include "kit/relocate.h"
#include "kit/rules.h"

struct kit_build {
	const char *out; /* path of the image, or of the directory */
	bool dir;	 /* leave it unpacked */
	const struct rules *rules;
	struct kit_progress progress;
};

struct kit_built {
	size_t packages, asked;
	struct finish_count count;
	struct relocate_stats stats;
	uint64_t size;	     /* bytes of the image; of a directory: of its files */
	struct strv missing; /* libraries that programs need and no package brought */
};

void kit_built_done(struct kit_built *b);
#define _cleanup_built_ _cleanup_(kit_built_done)

/* Build it. Work is done in a hidden directory beside the output, which appears whole or not at
 * all; what a killed build left there is removed first. SIGINT, SIGTERM and SIGHUP end it cleanly
 * (-EINTR). */
int kit_build(const struct kit_build *b, struct kit_built *out, struct err *e);

/* Pack directory `root` into `image`; files that match the rules' `plain` stay uncompressed. The
 * bytes depend on the files alone. `tmp` is a directory for notes. -ENOENT: no mkfs.erofs here. */
int pack_image(const char *root, const char *image, const char *tmp, const struct rules *r,
	       struct err *e);

/* Remove `name` below `dirfd` and all in it. 0 or -errno. */
int build_remove(int dirfd, const char *name);

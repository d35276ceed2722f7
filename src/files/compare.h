/*
 * What differs between two trees of files.
 *
 * Layer: files. Both are hostile and may change meanwhile: they are walked by descriptor, no link
 * is followed, nothing but regular files is opened, and nothing of them beyond their size is read.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "files/place.h"

enum { COMPARE_MAX = 200000, COMPARE_DEPTH = 200, COMPARE_NAMES = 1 << 20 };

/* How something that is on both sides differs. */
enum compare_what {
	COMPARE_KIND = 1 << 0,
	COMPARE_MODE = 1 << 1,
	COMPARE_OWNER = 1 << 2,
	COMPARE_DEVICE = 1 << 3,
	COMPARE_SIZE = 1 << 4,
	COMPARE_CONTENT = 1 << 5, /* of a link: where it leads */
	COMPARE_TIME = 1 << 6,	  /* compare.times alone */
	COMPARE_BELOW = 1 << 7,	  /* something in the directory differs, it itself does not */
};

struct difference {
	char kind;	  /* A: only in b; D: only in a; C: on both sides, and not the same */
	unsigned what;	  /* C: COMPARE_* */
	char *path;	  /* from the two roots on: "/x/y", of the roots themselves "" */
	struct stat a, b; /* owners as inside; all zero where it is not */
};

struct differences {
	struct difference *v; /* a directory before what is in it */
	size_t n;
	bool cut; /* there are more than COMPARE_MAX, or deeper ones than COMPARE_DEPTH */
};

void differences_done(struct differences *d);
#define _cleanup_differences_ _cleanup_(differences_done)

struct compare {
	int a, b;			 /* the roots, O_PATH or open: directories, or files */
	const struct place *in_a, *in_b; /* for owners; NULL: as they are */
	/* upper directory of an overlay whose lower is `a` and which is seen in `b`: what is not in
	 * it need not be looked at. -EBADF: none */
	int upper;
	/* as engines tell changes: by times and sizes, without reading; all below what was added;
	 * a directory in which something was added or deleted has changed */
	bool times;
	bool whole; /* roots of containers: the kernel's own directories are left out */
};

/* 0 or -errno with `e`. */
int compare_trees(const struct compare *c, struct differences *out, struct err *e);

/*
 * Who eats the disk: the largest files and directories of a walk.
 *
 * Layer: cmd.
 */
#pragma once

#include "cli/cli.h"
#include "files/links.h"
#include "files/walk.h"

struct top_row {
	uint64_t bytes; /* on disk */
	char *path;	/* from the top, raw */
	char kind;
};

struct top {
	uint64_t limit; /* how many are kept */
	struct top_row *v;
	size_t n;
	uint64_t sum[WALK_DEPTH_MAX + 2]; /* of each directory that the walk is in */
	struct links links;		  /* files with several names, which count once */
};

void top_done(struct top *t);

/* For each entry; `is`: it may be listed. 0 or -ENOMEM. */
int top_entry(struct top *t, const struct walk_entry *e, bool is);
int top_leave(struct top *t, const struct walk_entry *e, bool is);

/* The rows, largest first, below `base`. 0 or -errno. */
int top_print(struct top *t, struct ctx *ctx, const char *base, struct err *e);

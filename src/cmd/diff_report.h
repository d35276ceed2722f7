/*
 * Prints what differs.
 *
 * Layer: cmd.
 */
#pragma once

#include "cli/cli.h"
#include "files/compare.h"

struct diff_report {
	const char *a, *b;	       /* what was typed; b NULL: a against its image */
	const char *below_a, *below_b; /* what paths start with, "" for `/` */
	const struct differences *d;
	bool stat;
};

/* To standard output. 0 or -errno. */
int diff_report(const struct diff_report *r, const struct ctx *ctx, struct err *e);

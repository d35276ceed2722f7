/*
 * For the programs that tests use: what failed, and out. 125, or 124 where this kernel cannot.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"

static inline void check(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(125);
}

static inline void check_err(int r, const struct err *e)
{
	if (r >= 0)
		return;
	fprintf(stderr, "%s: %s\n", program_invocation_short_name, e->msg);
	if (e->hint[0])
		fprintf(stderr, "          %s\n", e->hint);
	exit(-r == ENOSYS ? 124 : 125);
}

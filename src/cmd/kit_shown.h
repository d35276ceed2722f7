/* What users see while a kit is made ready. */
#pragma once

#include "cli/cli.h"
#include "kit/kit.h"

/* kit_from_cache(), with a line of progress where standard error is a terminal. */
int kit_from_cache_shown(struct kit *k, const struct ctx *ctx, struct err *e);

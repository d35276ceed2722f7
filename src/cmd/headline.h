/*
 * The first line about a target: who it is and how it is.
 *
 * Layer: cmd.
 */
#pragma once

#include <stdio.h>

#include "out/text.h"
#include "target/target.h"

/* "NAME  docker 3f2a..., image X, running for 5 minutes, pid 4242". `age`: seconds it runs, -1: it
 * does not. 0 or -ENOMEM. */
int headline_print(FILE *out, const struct out_style *style, const struct target *t, int64_t age);

/*
 * Unpack packages into a kit's layout: two at a time, trimmed on the way, no root needed.
 *
 * Layer: kit (uses base).
 */
#pragma once

#include "base/err.h"
#include "kit/apt.h"
#include "kit/rules.h"

/* Unpack every package of `p` below `rootfd`, without what the rules drop; links become relative
 * ones inside the kit. Fills files, bytes and programs of each package. 0 or -errno with `e`
 * (-ENOSPC: the disk is full). */
int debs_unpack(struct kit_packages *p, const struct rules *r, int rootfd,
		const struct kit_progress *progress, struct err *e);

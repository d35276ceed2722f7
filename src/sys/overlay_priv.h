/*
 * What the two ways to mount an overlay share.
 *
 * Layer: sys, private.
 */
#pragma once

#include "sys/fsmount.h"
#include "sys/overlay.h"

enum { OVERLAY_FEATURES = 3 };

/* The options that are no layers; returns how many. */
size_t overlay_features(const struct overlay *o, struct fs_opt out[OVERLAY_FEATURES]);

/* Make NAME/u, like the first layer, and NAME/w in the scratch, and open them. 0 or -errno. */
int overlay_make_upper(const struct overlay *o, int *upper, int *work, struct err *e);

/*
 * Directories of overlay layers as docker (overlay2) and containers/storage (overlay) keep them:
 * ID/diff, ID/link with a short name, l/SHORT leading to ../ID/diff, and ID/lower with the short
 * names of all that is under it, topmost first.
 *
 * Layer: store, private to it.
 */
#pragma once

#include "store/storage.h"

/* Add layer `id` and all it lies on. It is in home[0]; what it lies on may be in any of the n
 * storages (additional image stores), which are looked through in order. Links that were lost in a
 * crash are found again by the layers' own `link` files. 0, or -ENOENT, -EBADMSG, -ENOTSUP with
 * `e`. */
int lower_layers(const struct storage *home, size_t n, const char *id, struct store *out,
		 struct err *e);

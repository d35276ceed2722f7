/*
 * Directories of overlay layers as docker (overlay2) and containers/storage (overlay) keep them:
 * ID/diff, ID/link with a short name, l/SHORT leading to ../ID/diff, and ID/lower with the short
 * names of all that is under it, topmost first. What ID/diff held before its owners were changed is
 * in ID/diff1, ID/diff2 and so on, right under it.
 *
 * Layer: store, private to it.
 */
#pragma once

#include "store/storage.h"

/* Add layer `id` and all it lies on. Each may be in any of the n storages (the own one, additional
 * image stores), which are looked through in order. Links that were lost in a
 * crash are found again by the layers' own `link` files. 0, or -ENOENT, -EBADMSG, -ENOTSUP with
 * `e`. */
int lower_layers(const struct storage *home, size_t n, const char *id, struct store *out,
		 struct err *e);

/* Storage drivers, as docker (false: containers/storage) calls them. Where below the driver's own
 * directory a layer's files are: in *dir/ID; NULL: as overlay layers, for lower_layers(). False:
 * one whose files cannot be put together. */
bool lower_driver(bool docker, const char *name, const char **dir);

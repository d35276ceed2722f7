/*
 * containerd's ROOT directory: its database, and the snapshots of its snapshotters.
 *
 * Layer: store, private to it. Databases are read without a lock; one that was written to meanwhile
 * is read again.
 */
#pragma once

#include "store/storage.h"

#define SNAPSHOT_DB "io.containerd.metadata.v1.bolt/meta.db" /* below ROOT */

/* Whether we can read what this snapshotter keeps. */
bool snapshot_is_known(const char *snapshotter);

/* Add the layers of the snapshot that a namespace calls `key`. 0; -ENOENT: there is no such
 * snapshot; -EBADMSG, -ENOTSUP, with `e`. */
int snapshot_layers(const struct storage *root, const char *ns, const char *snapshotter,
		    const char *key, struct store *out, struct err *e);

/* A value of the database, by its buckets and key: a new NUL-terminated string. 0, -ENOENT, or
 * -errno. */
int snapshot_value(const struct storage *root, const char *const *keys, size_t n, char **out,
		   size_t *len);

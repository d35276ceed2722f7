/*
 * What podman's database has of its containers, and how those of containers/storage ended: there,
 * or in CRI-O's state.json.
 *
 * Layer: target.
 */
#pragma once

#include "target/engine.h"

/* Fill exit_code and finished of an ended container, where that is recorded. `data` is
 * GRAPH/DRIVER-containers, `path` what it is called. */
void storage_exit(struct look *l, int data, const char *path, struct target *t);

/* What podman itself keeps of a container below `graph` (GRAPH): "config" or "state", JSON, a new
 * NUL-terminated string. It is in GRAPH/libpod/bolt_state.db (podman 4) or GRAPH/db.sql (podman 5);
 * a machine can have both. 0, -ENOENT or another -errno. */
int storage_record(int graph, const char *id, const char *what, char **out, size_t *len);

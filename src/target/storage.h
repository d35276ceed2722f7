/*
 * How containers in containers/storage ended: in podman's database, or CRI-O's state.json.
 *
 * Layer: target, private to it.
 */
#pragma once

#include "target/engine.h"

/* Fill exit_code and finished of an ended container, where that is recorded. `data` is
 * GRAPH/DRIVER-containers, `path` what it is called. */
void storage_exit(struct look *l, int data, const char *path, struct target *t);

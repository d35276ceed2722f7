/*
 * How an engine's own command line client reaches the engine that has a target.
 *
 * Layer: target. Only found out here, never run.
 */
#pragma once

#include "base/str.h"
#include "target/target.h"

/* Append the client's name and the options with which it talks to the daemon (docker) or uses the
 * storage (podman) that `t`, which is pinned, belongs to. 0, -ENOTSUP: an engine without such a
 * client, -EPERM: another user's, -ENXIO: no daemon of this host answers for it, or -ENOMEM; with
 * `e`. */
int target_client(const struct target_roots *r, const struct target *t, struct strv *argv,
		  struct err *e);

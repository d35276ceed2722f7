/*
 * What a container was told in the words of an OCI runtime spec: config.json of a bundle.
 *
 * Layer: store, private to it.
 */
#pragma once

#include "store/fill.h"
#include "store/idmap.h"

/* What would run, and its limits: all in cmd, the user in numbers. 0 or -ENOMEM. */
int spec_config(json_t *spec, struct store_config *c);

/* Its mounts in their order; relative sources are in `bundle` (NULL: there are none). 0, or -errno
 * with `e`. */
int spec_mounts(const struct target_roots *r, json_t *spec, const char *bundle, struct store *out,
		struct err *e);

/* The maps of its user namespace, on top of those in `out` (of an engine without root). 0, or
 * -ENOMEM with `e`. */
int spec_maps(json_t *spec, struct store *out, struct err *e);

/* Take apart c->cmd where it starts with `entrypoint` (borrowed). 0 or -ENOMEM. */
int spec_split(struct store_config *c, const struct strv *entrypoint);

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

/* Lines of its linux.uidMappings (or gidMappings): how many, at most IDMAP_LINES_MAX. */
size_t spec_map(json_t *spec, const char *key, struct idmap_line v[IDMAP_LINES_MAX]);

/* Take apart c->cmd where it starts with `entrypoint` (borrowed). 0 or -ENOMEM. */
int spec_split(struct store_config *c, const struct strv *entrypoint);

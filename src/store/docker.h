/*
 * Docker's DATA directory: containers/ID/config.v2.json, image/DRIVER, and the layers.
 *
 * Layer: store, private to it.
 */
#pragma once

#include "store/fill.h"

/* One container of it, for docker.c and docker_config.c. */
struct docker {
	const struct target_roots *roots;
	const struct target *target;
	struct storage data;   /* DATA */
	json_t *config, *host; /* config.v2.json; hostconfig.json, NULL: it is not there */
};

/* What it would run, and its limits. 0 or -ENOMEM. */
int docker_config(const struct docker *d, struct store_config *c);

/* Volumes, binds and tmpfs, and the three files that docker makes. 0, or -errno with `e`. */
int docker_mounts(const struct docker *d, struct store *out, struct err *e);

/* Layer `id` of a driver of DATA, and what it lies on; `name`: what it is of, for sentences. 0, or
 * -errno with `e` (-ENOTSUP: a driver we do not know). */
int docker_layers(const struct storage *data, const char *driver, const char *id, const char *name,
		  struct store *out, struct err *e);

/* A daemon with --userns-remap has its own DATA, called UID.GID; one of a user without root maps
 * ids as all that user's containers. Fills out->uid_map, gid_map, user_xattr. 0 or -errno. */
int docker_maps(const struct target_roots *r, const char *data, uid_t owner, struct store *out,
		struct err *e);

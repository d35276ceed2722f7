/*
 * A containers/storage GRAPH directory, as podman, CRI-O and buildah share it: DRIVER-containers,
 * DRIVER-images, DRIVER-layers and the layers of the driver.
 *
 * Layer: store, private to it.
 */
#pragma once

#include "store/storage.h"

enum { GRAPH_STORES_MAX = 16 };

struct graph {
	char *driver; /* overlay, vfs, ... */
	/* GRAPH itself, then the additional image stores that its configuration lists; and DRIVER
	 * in each of them. */
	struct storage top[GRAPH_STORES_MAX], home[GRAPH_STORES_MAX];
	size_t n;
};

#define _cleanup_graph_ _cleanup_(graph_close)
void graph_close(struct graph *g);

/* Open the host's GRAPH of the user `owner` (0: root, whose configuration is the system's). 0, or
 * -errno with `e`: -ENOTSUP for drivers we do not know. */
int graph_open(const struct target_roots *r, const char *path, const char *driver, uid_t owner,
	       struct graph *out, struct err *e);

/* Add layer `id` and what it lies on. */
int graph_layers(const struct graph *g, const char *id, struct store *out, struct err *e);

/* The entry of `id` in a JSON array of objects (containers.json, images.json, layers.json),
 * borrowed; NULL: none. */
json_t *graph_entry(json_t *list, const char *id);

/* An image's configuration (as OCI has it); the caller owns it. 0, or -errno. */
int graph_image_config(const struct graph *g, const char *image_id, json_t **out);

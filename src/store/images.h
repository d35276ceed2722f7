/*
 * Images that engines keep, unpacked or not: listing them, and opening one.
 *
 * Layer: store, private to it.
 */
#pragma once

#include "store/refs.h"
#include "store/storage.h"

enum { IMAGES_MAX = 100000 };

/* One name of one image, or an image without a name. */
struct image_ref {
	const char *engine; /* static: as a person would say it */
	const struct target_place *place;
	char *sub;    /* docker, containers/storage: the driver; containerd: the namespace */
	char *name;   /* NULL: none */
	char *id;     /* docker, podman: digits of the configuration's digest; containerd: of the
		       * manifest's */
	char *digest; /* sha256:... of the manifest; NULL: not told */
};

struct image_refs {
	struct image_ref *v;
	size_t n;
};

#define _cleanup_image_refs_ _cleanup_(image_refs_done)
void image_refs_done(struct image_refs *l);

/* Append; strings are copied, `digest` and `name` may be NULL. Images without an id, and more than
 * IMAGES_MAX, are left out. 0 or -ENOMEM. */
int image_refs_add(struct image_refs *l, const struct image_ref *ref);

/* Every image of a place. Places that are damaged add what can be read. 0 or -ENOMEM. */
int docker_images(const struct target_place *p, struct image_refs *out);
int graph_images(const struct target_place *p, struct image_refs *out);
int containerd_images(const struct target_place *p, struct image_refs *out);

/* Its files and configuration into an empty store, which the caller releases also on error. 0, or
 * -errno with `e`. */
int docker_image(const struct target_roots *r, const struct image_ref *ref, struct store *out,
		 struct err *e);
int graph_image(const struct target_roots *r, const struct image_ref *ref, struct store *out,
		struct err *e);
int containerd_image(const struct target_roots *r, const struct image_ref *ref, struct store *out,
		     struct err *e);

/* The digest of the configuration that containerd's image has on this host, a new string; NULL: not
 * there. */
char *containerd_config_digest(const struct image_ref *ref);

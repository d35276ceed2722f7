/*
 * An image that is still packed: its layers as files of an archive, and its configuration.
 *
 * Layer: store, private to it. The formats: an OCI layout (index.json, blobs by their digest),
 * what `docker save` writes (manifest.json), what `podman save --format docker-dir` writes.
 */
#pragma once

#include <jansson.h>

#include "store/files.h"
#include "store/store.h"

struct image_layer {
	char *file;    /* name in the archive */
	char *digest;  /* of that file; NULL: not told */
	char *diff_id; /* of what is in it; NULL: not told */
};

struct image {
	struct image_layer *v; /* lowest first */
	size_t n;
	json_t *config; /* owned; NULL: none */
	char *digest;	/* of the configuration; NULL: not told */
	char *name;	/* NULL: it has none */
};

#define _cleanup_image_ _cleanup_(image_done)
void image_done(struct image *img);

/* What an archive is, by the files that are in it. */
enum image_format {
	IMAGE_NONE, /* a root filesystem, then */
	IMAGE_OCI,
	IMAGE_DOCKER,
	IMAGE_DIR,
	IMAGE_OLD, /* docker's before 1.10: no manifest */
	IMAGE_BAD, /* an image's, but for its manifest.json */
};

enum image_format image_format(const struct files *f);

/* Find the image `name` (NULL: the only one; of several platforms the host's, if there) in an
 * archive of this format. -ENOENT, or -ENOTUNIQ with the names there are; -EBADMSG when it is
 * damaged, -ENOTSUP. */
int image_find(const struct files *f, enum image_format format, const char *name, struct image *out,
	       struct err *e);

/* The same of an OCI layout, and of one manifest in it by its digest (an index, too). */
int layout_find(const struct files *f, const char *name, struct image *out, struct err *e);
int layout_load(const struct files *f, const char *digest, struct image *out, struct err *e);
/* A manifest that was read already (borrowed), of an OCI layout or a directory of blobs. */
int layout_manifest(const struct files *f, json_t *manifest, struct image *out, struct err *e);

/* Append a layer; strings are copied. The n-th diff id of the configuration. 0 or -ENOMEM. */
int image_add_layer(struct image *img, const char *file, const char *digest, const char *diff_id);
const char *image_diff_id(json_t *config, size_t n);

/* What engines call all of an image's layers together: sha256 of what they call those below the
 * topmost, a blank, and its diff id. False when there are none. */
bool image_chain_id(json_t *config, char out[DIGEST_TEXT]);

/* Unpack its layers to directories of out->temp and add them to `out`, with label and
 * configuration. `what`: what the archive is called in sentences. 0 or -errno. */
int image_unpack(const struct image *img, const struct files *f, const char *what,
		 struct budget *budget, struct store *out, struct err *e);

/* What an image says would run: its configuration, into an empty one; and its "config" part alone,
 * without the platform. 0 or -ENOMEM. */
int image_config(json_t *image, struct store_config *out);
int image_config_part(json_t *config, struct store_config *out);

/* A tmpfs of at most `limit` bytes that nobody else sees; out->temp must be empty. 0 or -errno. */
int image_temp(uint64_t limit, struct store *out, struct err *e);

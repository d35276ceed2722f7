/* Images made by hand: archives of both kinds, in a buffer. */
#pragma once

#include <jansson.h>

#include "store/digest.h"
#include "tar_make.h"

/* The digest of a buffer. */
const char *sha_of(const void *data, size_t n, char out[DIGEST_TEXT]);

/* Compress with one of: gzip xz zstd bzip2, or "" (a copy). */
void compress_with(const char *how, const struct buf *in, struct buf *out);

/* A blob of an OCI layout: its file, and its descriptor {mediaType, digest, size}. */
json_t *oci_blob(struct buf *archive, const char *type, const void *data, size_t n);
json_t *oci_json(struct buf *archive, const char *type, json_t *j);

/* A manifest of these layers (tars), compressed, for `arch`, with an Env of FROM=`arch`. */
json_t *oci_image(struct buf *archive, const char *arch, const struct buf *layers, size_t n,
		  const char *how);
/* oci-layout and index.json with these descriptors (taken), and the end. */
void oci_end(struct buf *archive, json_t *manifests);
void oci_name(json_t *descriptor, const char *key, const char *name);

/* A configuration: diff_ids of these layers. */
json_t *image_config_of(const char *arch, const struct buf *layers, size_t n);
/* An image as `docker save` wrote it before version 25; its entry of manifest.json. */
json_t *docker_image(struct buf *archive, const char *tag, const struct buf *layers, size_t n);
/* manifest.json (taken), and the end. */
void docker_end(struct buf *archive, json_t *manifest);

/* A file of an archive. */
void tar_data(struct buf *b, const char *name, const void *data, size_t n);

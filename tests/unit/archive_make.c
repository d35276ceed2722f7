#include "archive_make.h"

#include <assert.h>
#include <bzlib.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#define TYPE(x) "application/vnd.oci.image." x

const char *sha_of(const void *data, size_t n, char out[DIGEST_TEXT])
{
	struct digest d;

	digest_init(&d);
	digest_add(&d, data, n);
	digest_text(&d, out);
	return out;
}

void compress_with(const char *how, const struct buf *in, struct buf *out)
{
	size_t size = in->len + in->len / 2 + 4096, n = 0;
	char *p = malloc(size);

	assert(p);
	if (str_eq(how, "gzip")) {
		z_stream z = {.next_in = (void *)in->data,
			      .avail_in = (unsigned)in->len,
			      .next_out = (void *)p,
			      .avail_out = (unsigned)size};

		assert(deflateInit2(&z, 1, Z_DEFLATED, 31, 8, 0) == Z_OK);
		assert(deflate(&z, Z_FINISH) == Z_STREAM_END);
		n = z.total_out;
		deflateEnd(&z);
	} else if (str_eq(how, "xz")) {
		assert(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC32, NULL, (void *)in->data, in->len,
					       (void *)p, &n, size) == LZMA_OK);
	} else if (str_eq(how, "zstd")) {
		n = ZSTD_compress(p, size, in->data, in->len, 1);
		assert(!ZSTD_isError(n));
	} else if (str_eq(how, "bzip2")) {
		unsigned len = (unsigned)size;

		assert(BZ2_bzBuffToBuffCompress(p, &len, in->data, (unsigned)in->len, 1, 0, 0) ==
		       BZ_OK);
		n = len;
	} else {
		n = in->len;
		memcpy(p, in->data, n);
	}
	buf_add(out, p, n);
	free(p);
}

void tar_data(struct buf *b, const char *name, const void *data, size_t n)
{
	tar_head(b, &(struct tar_head){.name = name, .type = '0', .mode = 0644, .size = n});
	tar_body(b, data, n);
}

json_t *oci_blob(struct buf *archive, const char *type, const void *data, size_t n)
{
	char digest[DIGEST_TEXT], name[128];

	sha_of(data, n, digest);
	snprintf(name, sizeof(name), "blobs/sha256/%s", digest_hex(digest));
	tar_data(archive, name, data, n);
	return json_pack("{s:s, s:s, s:I}", "mediaType", type, "digest", digest, "size",
			 (json_int_t)n);
}

json_t *oci_json(struct buf *archive, const char *type, json_t *j)
{
	char *text = json_dumps(j, 0);
	json_t *d = oci_blob(archive, type, text, strlen(text));

	free(text);
	json_decref(j);
	return d;
}

json_t *image_config_of(const char *arch, const struct buf *layers, size_t n)
{
	json_t *ids = json_array();
	char digest[DIGEST_TEXT];

	for (size_t i = 0; i < n; i++)
		json_array_append_new(ids,
				      json_string(sha_of(layers[i].data, layers[i].len, digest)));
	return json_pack("{s:s, s:s, s:{s:[s+], s:s, s:s, s:[s], s:[s, s]}, s:{s:s, s:o}}",
			 "architecture", arch, "os", "linux", "config", "Env", "FROM=", arch,
			 "User", "app:7", "WorkingDir", "/srv", "Entrypoint", "/entry", "Cmd", "a",
			 "b c", "rootfs", "type", "layers", "diff_ids", ids);
}

json_t *oci_image(struct buf *archive, const char *arch, const struct buf *layers, size_t n,
		  const char *how)
{
	json_t *list = json_array(), *config, *d;

	for (size_t i = 0; i < n; i++) {
		struct buf packed = {};

		compress_with(how, &layers[i], &packed);
		json_array_append_new(
			list, oci_blob(archive, TYPE("layer.v1.tar"), packed.data, packed.len));
		buf_done(&packed);
	}
	config = oci_json(archive, TYPE("config.v1+json"), image_config_of(arch, layers, n));
	d = oci_json(
		archive, TYPE("manifest.v1+json"),
		json_pack("{s:i, s:o, s:o}", "schemaVersion", 2, "config", config, "layers", list));
	json_object_set_new(d, "platform",
			    json_pack("{s:s, s:s}", "architecture", arch, "os", "linux"));
	return d;
}

void oci_name(json_t *descriptor, const char *key, const char *name)
{
	json_t *notes = json_object_get(descriptor, "annotations");

	if (!notes) {
		json_object_set_new(descriptor, "annotations", json_object());
		notes = json_object_get(descriptor, "annotations");
	}
	json_object_set_new(notes, key, json_string(name));
}

void oci_end(struct buf *archive, json_t *manifests)
{
	json_t *index = json_pack("{s:i, s:o}", "schemaVersion", 2, "manifests", manifests);
	char *text = json_dumps(index, 0);

	tar_file(archive, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");
	tar_file(archive, "index.json", text);
	tar_end(archive);
	free(text);
	json_decref(index);
}

json_t *docker_image(struct buf *archive, const char *tag, const struct buf *layers, size_t n)
{
	json_t *config = image_config_of("amd64", layers, n), *list = json_array(), *out;
	char *text = json_dumps(config, 0), digest[DIGEST_TEXT], name[128];

	for (size_t i = 0; i < n; i++) {
		sha_of(layers[i].data, layers[i].len, digest);
		snprintf(name, sizeof(name), "%s/layer.tar", digest_hex(digest));
		tar_data(archive, name, layers[i].data, layers[i].len);
		json_array_append_new(list, json_string(name));
	}
	sha_of(text, strlen(text), digest);
	snprintf(name, sizeof(name), "%s.json", digest_hex(digest));
	tar_file(archive, name, text);
	out = json_pack("{s:s, s:[s], s:o}", "Config", name, "RepoTags", tag, "Layers", list);
	free(text);
	json_decref(config);
	return out;
}

void docker_end(struct buf *archive, json_t *manifest)
{
	char *text = json_dumps(manifest, 0);

	tar_file(archive, "manifest.json", text);
	tar_end(archive);
	free(text);
	json_decref(manifest);
}

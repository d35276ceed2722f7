/* What `docker save` writes: manifest.json is a list of {Config, RepoTags, Layers}, each a file of
 * the archive. Podman's docker-dir: manifest.json is one manifest, and blobs are named by their
 * digits. */
#include <stdlib.h>

#include "base/json.h"
#include "store/image.h"
#include "store/refs.h"

enum { IMAGES_MAX = 1000, LISTED = 12 };

/* What only a root filesystem has: no name of an image's archive. */
static bool is_of_root(const char *name)
{
	static const char *const own[] = {"repositories", "version", "oci-layout", "blobs"};

	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (str_eq(name, own[i]))
			return false;
	return !str_ends(name, ".json") && !str_ends(name, ".tar") &&
	       strspn(name, "0123456789abcdef") != DIGEST_HEX;
}

enum image_format image_format(const struct files *f)
{
	_cleanup_json_ json_t *manifest = NULL;

	if (files_has(f, "oci-layout") && files_has(f, "index.json"))
		return IMAGE_OCI;
	/* a root filesystem may well have a file of that name */
	if (files_has(f, "manifest.json")) {
		json_t *first;

		files_json(f, "manifest.json", NULL, &manifest, NULL);
		first = json_array_get(manifest, 0);

		if (json_is_array(json_object_get(first, "Layers")))
			return IMAGE_DOCKER;
		if (json_is_array(json_object_get(manifest, "layers")) &&
		    json_is_object(json_object_get(manifest, "config")))
			return IMAGE_DIR;
		if (!files_any(f, is_of_root))
			return IMAGE_BAD;
	}
	return files_has(f, "repositories") && !files_has(f, "etc/passwd") ? IMAGE_OLD : IMAGE_NONE;
}

/* The digest that a configuration's file name is made of: HEX.json, or blobs/sha256/HEX. */
static const char *config_digest(const char *file, char out[DIGEST_TEXT])
{
	const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;

	if (strcspn(name, ".") != DIGEST_HEX)
		return NULL;
	memcpy(stpcpy(out, "sha256:"), name, DIGEST_HEX);
	out[DIGEST_TEXT - 1] = '\0';
	return digest_is(out) ? out : NULL;
}

static enum ref_match match(json_t *entry, const char *want)
{
	const char *config = json_str(entry, "Config", "");
	enum ref_match best = REF_NO;
	char digest[DIGEST_TEXT];
	size_t i;
	json_t *tag;

	if (!want)
		return REF_SAME;
	json_array_foreach (json_object_get(entry, "RepoTags"), i, tag) {
		enum ref_match m =
			json_is_string(tag) ? ref_match(json_string_value(tag), want) : REF_NO;

		best = m > best ? m : best;
	}
	if (best == REF_NO && config_digest(config, digest) && ref_is_id(digest, want))
		best = REF_ID;
	return best;
}

static const char *name_of(json_t *entry)
{
	return json_string_value(json_array_get(json_object_get(entry, "RepoTags"), 0));
}

static int several(json_t *all, const char *want, enum ref_match best, struct err *e)
{
	_cleanup_buf_ struct buf names = {};
	unsigned n = 0;
	json_t *entry;
	size_t i;

	json_array_foreach (all, i, entry) {
		if (best != REF_NO && match(entry, want) != best)
			continue;
		if (++n <= LISTED)
			buf_printf(&names, "%s%.100s", n > 1 ? ", " : "",
				   name_of(entry) ? ref_short(name_of(entry))
						  : json_str(entry, "Config", "?"));
	}
	if (n > LISTED)
		buf_puts(&names, ", ...");
	if (best == REF_NO)
		return err_say(e, ENOENT, "there is no image '%s' in it, but %s", want,
			       n ? names.data : "none at all");
	return err_say(e, ENOTUNIQ, "there are several images in it: name one of %s", names.data);
}

static int fill(const struct files *f, json_t *entry, struct image *out, struct err *e)
{
	const char *config = json_str(entry, "Config", ""), *name = name_of(entry);
	json_t *layers = json_object_get(entry, "Layers"), *l;
	char digest[DIGEST_TEXT];
	size_t i;
	int r = files_json(f, config, config_digest(config, digest), &out->config, e);

	if (r < 0)
		return r;
	if (json_array_size(layers) > STORE_LAYERS_MAX)
		return err_say(e, ENOTSUP, "it has %zu layers: at most %d are taken",
			       json_array_size(layers), STORE_LAYERS_MAX);
	json_array_foreach (layers, i, l) {
		r = image_add_layer(out, json_string_value(l) ?: "", NULL,
				    image_diff_id(out->config, i));
		if (r < 0)
			return err_set(e, r, "cannot read an image");
	}
	if (name && !(out->name = strdup(ref_short(name))))
		return err_set(e, ENOMEM, "cannot read an image");
	return 0;
}

static int docker_find(const struct files *f, const char *want, struct image *out, struct err *e)
{
	_cleanup_json_ json_t *manifest = NULL;
	json_t *entry, *found = NULL;
	enum ref_match best = REF_NO;
	bool unique = true;
	size_t i;
	int r = files_json(f, "manifest.json", NULL, &manifest, e);

	if (r < 0)
		return r;
	if (json_array_size(manifest) > IMAGES_MAX)
		return err_say(e, ENOTSUP, "its manifest.json lists more than %d images",
			       IMAGES_MAX);
	json_array_foreach (manifest, i, entry) {
		enum ref_match m = match(entry, want);

		if (m == REF_NO || m < best)
			continue;
		if (m > best)
			unique = true;
		else
			unique &= str_eq(json_str(entry, "Config", ""),
					 json_str(found, "Config", ""));
		best = m;
		found = entry;
	}
	if (!found || !unique)
		return several(manifest, want, best, e);
	return fill(f, found, out, e);
}

int image_find(const struct files *f, enum image_format format, const char *name, struct image *out,
	       struct err *e)
{
	_cleanup_json_ json_t *manifest = NULL;
	int r;

	if (format == IMAGE_OCI)
		return layout_find(f, name, out, e);
	if (format == IMAGE_DOCKER)
		return docker_find(f, name, out, e);
	if (format == IMAGE_BAD) {
		r = files_json(f, "manifest.json", NULL, &manifest, e);
		return r < 0 ? r
			     : err_say(e, EBADMSG,
				       "its manifest.json names no image with layers, and there is "
				       "nothing else in it");
	}
	if (format != IMAGE_DIR) {
		err_say(e, ENOTSUP, "it was saved by a docker older than 1.10");
		err_hint(e, "load it and save it again");
		return -ENOTSUP;
	}
	r = files_json(f, "manifest.json", NULL, &manifest, e);
	return r < 0 ? r : layout_manifest(f, manifest, out, e);
}

/* OCI layouts: index.json names manifests, or indexes of them for several platforms; everything
 * else is blobs/sha256/HEX. https://github.com/opencontainers/image-spec */
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "store/image.h"
#include "store/refs.h"

#define NAME_CONTAINERD "io.containerd.image.name"
#define NAME_OCI	"org.opencontainers.image.ref.name"
enum { INDEX_DEPTH = 4, DESCRIPTORS_MAX = 2000, LISTED = 12 };

/* The file that has this digest: in an OCI layout, else in a directory of blobs. */
static int blob_name(const struct files *f, const char *digest, char **out, struct err *e)
{
	if (!digest_is(digest))
		return err_say(e, ENOTSUP, "it has a digest of a kind that is not known: '%.100s'",
			       digest ? digest : "none");
	*out = str_fmt("blobs/sha256/%s", digest_hex(digest));
	if (*out && !files_has(f, *out) && files_has(f, digest_hex(digest))) {
		free(*out);
		*out = strdup(digest_hex(digest));
	}
	return *out ? 0 : err_set(e, ENOMEM, "cannot read an image");
}

static int blob_json(const struct files *f, const char *digest, json_t **out, struct err *e)
{
	_cleanup_free_ char *name = NULL;
	int r = blob_name(f, digest, &name, e);

	return r < 0 ? r : files_json(f, name, digest, out, e);
}

int layout_manifest(const struct files *f, json_t *manifest, struct image *out, struct err *e)
{
	json_t *layers = json_object_get(manifest, "layers"), *l;
	int r = blob_json(f, json_str(manifest, "config.digest", NULL), &out->config, e);
	size_t i;

	if (r < 0)
		return r;
	out->digest = json_dup(manifest, "config.digest");
	if (json_array_size(layers) > STORE_LAYERS_MAX)
		return err_say(e, ENOTSUP, "it has %zu layers: at most %d are taken",
			       json_array_size(layers), STORE_LAYERS_MAX);
	json_array_foreach (layers, i, l) {
		const char *digest = json_str(l, "digest", NULL);
		_cleanup_free_ char *name = NULL;

		r = blob_name(f, digest, &name, e);
		if (r == 0 && image_add_layer(out, name, digest, image_diff_id(out->config, i)) < 0)
			r = err_set(e, ENOMEM, "cannot read an image");
		if (r < 0)
			return r;
	}
	if (!out->n)
		return err_say(e, ENOTSUP, "it is no image of files: its manifest has no layers");
	return 0;
}

/* The search for the manifest that suits the host best. */
struct search {
	const struct files *f;
	char *digest; /* the best so far */
	int rank;
	unsigned seen;
};

static int platform_rank(const char *arch, const char *os)
{
	if (str_eq(arch, "unknown") || str_eq(os, "unknown"))
		return 0; /* an attestation: no files */
	if (os && !str_eq(os, "linux"))
		return 1;
	return !arch ? 3 : str_eq(arch, ref_host_arch()) ? 4 : 2;
}

static int offer(struct search *s, const char *digest, int rank, struct err *e)
{
	char *copy;

	if (rank <= s->rank)
		return 0;
	copy = strdup(digest);
	if (!copy)
		return err_set(e, ENOMEM, "cannot read an image");
	free(s->digest);
	s->digest = copy;
	s->rank = rank;
	return 0;
}

/* One descriptor: a manifest that is offered, or an index that is gone through. */
static int descend(struct search *s, json_t *d, unsigned depth, struct err *e)
{
	const char *digest = json_str(d, "digest", NULL), *type = json_str(d, "mediaType", "");
	const char *arch = json_str(d, "platform.architecture", NULL);
	_cleanup_json_ json_t *index = NULL;
	json_t *sub;
	size_t i;
	int r;

	if (++s->seen > DESCRIPTORS_MAX || depth > INDEX_DEPTH)
		return err_say(e, ENOTSUP, "its indexes are too many or too deep");
	if (!digest_is(digest))
		return err_say(e, ENOTSUP, "it has a digest of a kind that is not known: '%.100s'",
			       digest ? digest : "none");
	if (!str_ends(type, "index.v1+json") && !str_ends(type, "manifest.list.v2+json"))
		return offer(s, digest, platform_rank(arch, json_str(d, "platform.os", NULL)), e);
	r = blob_json(s->f, digest, &index, e);
	if (r == -ENOENT && s->rank) /* a part that was left out */
		return 0;
	if (r < 0)
		return r;
	json_array_foreach (json_object_get(index, "manifests"), i, sub) {
		_cleanup_free_ char *name = NULL;
		const char *hex = json_str(sub, "digest", NULL);

		/* one platform may have been saved out of many */
		if (blob_name(s->f, hex, &name, e) == 0 && !files_has(s->f, name) && s->rank)
			continue;
		r = descend(s, sub, depth + 1, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int load(struct search *s, struct image *out, struct err *e)
{
	_cleanup_json_ json_t *manifest = NULL;
	int r;

	if (!s->digest)
		return err_say(e, ENOENT, "there is no image in it");
	r = blob_json(s->f, s->digest, &manifest, e);
	return r < 0 ? r : layout_manifest(s->f, manifest, out, e);
}

int layout_load(const struct files *f, const char *digest, struct image *out, struct err *e)
{
	_cleanup_json_ json_t *j = NULL;
	struct search s = {.f = f};
	json_t *sub;
	size_t i;
	int r = blob_json(f, digest, &j, e);

	if (r < 0)
		return r;
	if (!json_is_array(json_object_get(j, "manifests")))
		return layout_manifest(f, j, out, e);
	json_array_foreach (json_object_get(j, "manifests"), i, sub) {
		r = descend(&s, sub, 1, e);
		if (r < 0)
			break;
	}
	if (r == 0)
		r = load(&s, out, e);
	free(s.digest);
	return r;
}

static const char *name_of(json_t *d)
{
	json_t *notes = json_object_get(d, "annotations");
	const char *name = json_string_value(json_object_get(notes, NAME_CONTAINERD));

	return name ? name : json_string_value(json_object_get(notes, NAME_OCI));
}

static enum ref_match match(json_t *d, const char *want)
{
	json_t *notes = json_object_get(d, "annotations");
	const char *oci = json_string_value(json_object_get(notes, NAME_OCI));
	const char *name = name_of(d), *digest = json_str(d, "digest", "");
	const char *pinned = ref_digest(want);

	if (pinned)
		return str_eq(pinned, digest) ? REF_SAME : REF_NO;
	if (str_eq(oci, want)) /* often the tag alone */
		return REF_SAME;
	if (name && ref_match(name, want) != REF_NO)
		return ref_match(name, want);
	return ref_is_id(digest, want) ? REF_ID : REF_NO;
}

/* The descriptors that are meant: those that match best, in a new array. */
static json_t *choose(json_t *all, const char *want)
{
	enum ref_match best = REF_NO;
	json_t *out = json_array(), *d;
	size_t i;

	json_array_foreach (all, i, d) {
		enum ref_match m = want ? match(d, want) : REF_SAME;

		if (m > best)
			json_array_clear(out);
		best = m > best ? m : best;
		if (m != REF_NO && m == best)
			json_array_append(out, d);
	}
	return out;
}

/* One image, though for several platforms: nothing but those tells them apart. */
static bool is_one(json_t *list)
{
	json_t *first = json_array_get(list, 0), *d;
	bool same = true, platforms = true;
	size_t i;

	json_array_foreach (list, i, d) {
		const char *a = name_of(d), *b = name_of(first);

		same &= str_eq(json_str(d, "digest", ""), json_str(first, "digest", ""));
		platforms &= json_str(d, "platform.architecture", NULL) && (a ? str_eq(a, b) : !b);
	}
	return same || platforms;
}

static int several(json_t *list, const char *want, int num, struct err *e)
{
	_cleanup_buf_ struct buf names = {};
	json_t *d;
	size_t i;

	json_array_foreach (list, i, d) {
		const char *name = name_of(d);

		if (i == LISTED)
			buf_puts(&names, ", ...");
		if (i >= LISTED)
			break;
		buf_printf(&names, "%s%.100s", i ? ", " : "",
			   name ? ref_short(name) : json_str(d, "digest", "?"));
	}
	if (num == ENOENT)
		return err_say(e, num, "there is no image '%s' in it, but %s", want,
			       names.len ? names.data : "none at all");
	return err_say(e, num, "there are several images in it: name one of %s", names.data);
}

int layout_find(const struct files *f, const char *name, struct image *out, struct err *e)
{
	_cleanup_json_ json_t *index = NULL, *list = NULL;
	struct search s = {.f = f};
	json_t *all, *d;
	size_t i;
	int r = files_json(f, "index.json", NULL, &index, e);

	if (r < 0)
		return r;
	all = json_object_get(index, "manifests");
	if (json_array_size(all) > DESCRIPTORS_MAX)
		return err_say(e, ENOTSUP, "its index.json lists more than %d images",
			       DESCRIPTORS_MAX);
	list = choose(all, name);
	if (name && !json_array_size(list))
		return several(all, name, ENOENT, e);
	if (!is_one(list))
		return several(list, name, ENOTUNIQ, e);
	json_array_foreach (list, i, d) {
		r = descend(&s, d, 0, e);
		if (r < 0)
			break;
	}
	d = json_array_get(list, 0);
	if (r == 0 && name_of(d) && !(out->name = strdup(ref_short(name_of(d)))))
		r = err_set(e, ENOMEM, "cannot read an image");
	if (r == 0)
		r = load(&s, out, e);
	free(s.digest);
	return r;
}

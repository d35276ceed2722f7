/* Images of a containerd, docker's new image store included: names in its database, everything else
 * in its content store, which is laid out as an OCI layout without an index. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "store/image.h"
#include "store/images.h"
#include "target/bolt.h"

#define DATABASE "io.containerd.metadata.v1.bolt/meta.db"
#define CONTENT	 "io.containerd.content.v1.content"

struct walk {
	struct bolt db;
	const struct target_place *place;
	struct image_refs *out;
	char *ns;
};

/* What people call the one whose namespace it is. */
static const char *engine_of(const char *ns)
{
	return str_eq(ns, "moby") ? "docker" : str_eq(ns, "k8s.io") ? "cri" : "containerd";
}

static int on_image(void *arg, const char *key, size_t len)
{
	struct walk *w = arg;
	_cleanup_free_ char *name = strndup(key, len), *digest = NULL;
	const char *keys[] = {"v1", w->ns, "images", name, "target", "digest"};
	struct image_ref ref = {.engine = engine_of(w->ns), .place = w->place, .sub = w->ns};

	if (!name)
		return -ENOMEM;
	if (bolt_get(&w->db, keys, ARRAY_LEN(keys), &digest, NULL) < 0 || !digest_is(digest))
		return 0;
	ref.id = (char *)digest_hex(digest);
	ref.digest = digest;
	ref.name = str_starts(name, "sha256:") ? NULL : name; /* CRI's, by the id */
	return image_refs_add(w->out, &ref);
}

static int on_namespace(void *arg, const char *key, size_t len)
{
	struct walk *w = arg;
	const char *keys[] = {"v1", NULL, "images"};
	int r;

	free(w->ns);
	w->ns = strndup(key, len);
	if (!w->ns)
		return -ENOMEM;
	keys[1] = w->ns;
	r = bolt_each(&w->db, keys, ARRAY_LEN(keys), on_image, w);
	return r == -ENOMEM ? r : 0;
}

int containerd_images(const struct target_place *p, struct image_refs *out)
{
	struct walk w = {.db = BOLT_INIT, .place = p, .out = out};
	static const char *const keys[] = {"v1"};
	int r = 0;

	if (bolt_open(&w.db, p->fd, DATABASE) == 0)
		r = bolt_each(&w.db, keys, 1, on_namespace, &w);
	bolt_close(&w.db);
	free(w.ns);
	return r == -ENOMEM ? r : 0;
}

static int find(const struct image_ref *ref, struct files *f, struct image *img, struct err *e)
{
	f->dir = path_open_in_root(ref->place->fd, CONTENT, O_RDONLY | O_DIRECTORY);
	if (f->dir < 0)
		return err_set(e, f->dir, "opening %s/" CONTENT, ref->place->path);
	return layout_load(f, ref->digest, img, e);
}

char *containerd_config_digest(const struct image_ref *ref)
{
	_cleanup_files_ struct files f = FILES_INIT;
	_cleanup_image_ struct image img = {};

	return find(ref, &f, &img, NULL) == 0 && img.digest ? strdup(img.digest) : NULL;
}

int containerd_image(const struct target_roots *r, const struct image_ref *ref, struct store *out,
		     struct err *e)
{
	_cleanup_files_ struct files f = FILES_INIT;
	_cleanup_image_ struct image img = {};
	const char *name = ref->name ?: ref->id;
	struct budget budget = budget_of(budget_default());
	struct err why = {};
	int err = find(ref, &f, &img, &why);

	if (err < 0) {
		err_say(e, -err, "cannot read the image '%s': %s", name, why.msg);
		if (err == -ENOENT)
			err_hint(e, "containerd was told to discard what it has unpacked");
		return err;
	}
	out->kind = str_fmt("%s image", ref->engine);
	if (!out->kind)
		return err_set(e, ENOMEM, "opening the image '%s'", name);
	err = image_temp(budget.limit, out, e);
	return err < 0 ? err : image_unpack(&img, &f, name, &budget, out, e);
}

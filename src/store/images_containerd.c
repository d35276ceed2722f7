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
#include "store/snapshot.h"
#include "target/bolt.h"
#include "target/docker.h"

#define CONTENT "io.containerd.content.v1.content"

struct walk {
	struct bolt db;
	const struct target_place *place;
	struct image_refs *out;
	char *ns;
};

/* What people call the one whose namespace it is. */
static const char *engine_of(const char *ns)
{
	return docker_is_ns(ns) ? "docker" : str_eq(ns, "k8s.io") ? "cri" : "containerd";
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

	if (bolt_open(&w.db, p->fd, SNAPSHOT_DB) == 0)
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

/* The snapshot of a chain of layers, by the first snapshotter that has it. */
struct unpacked {
	const struct image_ref *ref;
	const char *chain;
	struct store *out;
};

static int on_snapshotter(void *arg, const char *key, size_t len)
{
	struct unpacked *u = arg;
	struct storage root = {.fd = u->ref->place->fd, .path = u->ref->place->path};
	_cleanup_free_ char *name = strndup(key, len);
	_cleanup_store_ struct store s = STORE_INIT;

	if (!name || snapshot_layers(&root, u->ref->sub, name, u->chain, &s, NULL) < 0)
		return 0;
	*u->out = s;
	s = STORE_INIT;
	u->out->kind = str_fmt("%s %s image", u->ref->engine, name);
	return 1;
}

/* 1 when it is there, in `out`; else 0. */
static int find_unpacked(const struct image_ref *ref, json_t *config, struct store *out)
{
	const char *keys[] = {"v1", ref->sub, "snapshots"};
	struct unpacked u = {.ref = ref, .out = out};
	_cleanup_bolt_ struct bolt b = BOLT_INIT;
	char chain[DIGEST_TEXT];

	u.chain = chain;
	if (!image_chain_id(config, chain) || bolt_open(&b, ref->place->fd, SNAPSHOT_DB) < 0)
		return 0;
	return bolt_each(&b, keys, ARRAY_LEN(keys), on_snapshotter, &u) == 1;
}

/* Its layers out of the content store. */
static int unpack(const struct image_ref *ref, const struct image *img, const struct files *f,
		  struct store *out, struct err *e)
{
	struct budget budget = budget_of(budget_default());
	int err = image_temp(budget.limit, out, e);

	out->kind = str_fmt("%s image, packed", ref->engine);
	return err < 0 ? err : image_unpack(img, f, ref->name ?: ref->id, &budget, out, e);
}

int containerd_image(const struct target_roots *r, const struct image_ref *ref, struct store *out,
		     struct err *e)
{
	_cleanup_files_ struct files f = FILES_INIT;
	_cleanup_image_ struct image img = {};
	const char *name = ref->name ?: ref->id;
	struct err why = {};
	int err = find(ref, &f, &img, &why);

	if (err < 0)
		return err_say(e, -err, "cannot read the image '%s': %s", name, why.msg);
	if (!find_unpacked(ref, img.config, out))
		err = unpack(ref, &img, &f, out, e);
	else if (image_config(img.config, &out->config) < 0)
		err = -ENOMEM;
	if (err == 0 && !out->kind)
		err = -ENOMEM;
	return err == -ENOMEM ? err_set(e, ENOMEM, "opening the image '%s'", name) : err;
}

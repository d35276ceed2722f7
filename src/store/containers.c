/* Containers of podman, CRI-O and buildah: containers.json has their layer, userdata/config.json
 * what they were told. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/engines.h"
#include "store/graph.h"
#include "store/image.h"
#include "store/spec.h"
#include "target/storage.h"

struct container {
	const struct target_roots *roots;
	const struct target *target;
	struct graph graph;
	json_t *lists[2]; /* containers.json, volatile-containers.json; NULL: not there */
	json_t *entry;	  /* its own in one of them, borrowed */
	json_t *spec;	  /* of the bundle or the database; NULL: never started, and no database */
	bool told;	  /* of the bundle */
	json_t *db;	  /* podman's own record of it; NULL: there is none that we can read */
	json_t *image;	  /* configuration; NULL: not there */
};

static void container_done(struct container *c)
{
	graph_close(&c->graph);
	for (size_t i = 0; i < ARRAY_LEN(c->lists); i++)
		json_decref(c->lists[i]);
	json_decref(c->spec);
	json_decref(c->db);
	json_decref(c->image);
}

/* GRAPH and DRIVER, from the bundle's path GRAPH/DRIVER-containers/ID/userdata. */
static int open_graph(struct container *c, struct err *e)
{
	const struct target *t = c->target;
	_cleanup_free_ char *mark = t->id ? str_fmt("-containers/%s/userdata", t->id) : NULL;
	_cleanup_free_ char *path = NULL;
	char *driver;

	if (mark && t->bundle && str_ends(t->bundle, mark))
		path = strndup(t->bundle, strlen(t->bundle) - strlen(mark));
	driver = path ? strrchr(path, '/') : NULL;
	if (!driver || driver == path)
		return err_say(e, ENOENT, "where '%s' is stored is not known", t->name);
	*driver++ = '\0';
	return graph_open(c->roots, path, driver, t->owner_uid, &c->graph, e);
}

/* 0; -ENOENT: it is not in the lists (any more). */
static int find_entry(struct container *c, struct err *e)
{
	static const char *const files[] = {"containers", "volatile-containers"};
	int err = 0;

	for (size_t i = 0; i < ARRAY_LEN(files) && !c->entry; i++) {
		_cleanup_free_ char *path =
			str_fmt("%s-containers/%s.json", c->graph.driver, files[i]);
		int r = path ? storage_json(&c->graph.top[0], path, &c->lists[i], e) : -ENOMEM;

		if (r == 0)
			c->entry = graph_entry(c->lists[i], c->target->id);
		else if (r != -ENOENT)
			err = r;
	}
	if (c->entry)
		return 0;
	return err < 0 ? err : storage_gone(c->target, false, e);
}

static json_t *read_db(const struct container *c)
{
	_cleanup_free_ char *text = NULL;
	size_t len;

	if (storage_record(c->graph.top[0].fd, c->target->id, "config", &text, &len) < 0)
		return NULL;
	return json_parse(text, len);
}

/* What it was told; only a file that is damaged is an error. */
static int read_told(struct container *c, struct err *e)
{
	_cleanup_free_ char *path =
		str_fmt("%s-containers/%s/userdata/config.json", c->graph.driver, c->target->id);
	struct err why = {};
	int r = path ? storage_json(&c->graph.top[0], path, &c->spec, &why) : -ENOMEM;

	if (r < 0 && r != -ENOENT) {
		if (e)
			*e = why;
		return r;
	}
	c->told = c->spec;
	c->db = str_eq(c->target->engine, "podman") ? read_db(c) : NULL;
	if (!c->spec)
		c->spec = json_incref(json_at(c->db, "spec"));
	graph_image_config(&c->graph, json_str(c->entry, "image", ""), &c->image);
	return 0;
}

/* podman run --rootfs DIR: the directory, borrowed; NULL: its files are in its layer, as usual.
 * What podman 5 starts in a user namespace has a passing mount point as its root (podman's
 * libpod/container_internal_linux.go): its own record tells. */
static const char *other_root(const struct container *c, const char *layer)
{
	const char *path = json_str(c->db ?: c->spec, c->db ? "rootfs" : "root.path", "");

	return *path == '/' && !strstr(path, layer) && !strstr(path, "/intermediate-mountpoint-")
		       ? path
		       : NULL;
}

static int layers(struct container *c, struct store *out, struct err *e)
{
	const char *id = json_str(c->entry, "layer", ""), *other = other_root(c, id);

	if (fill_names(out, c->target, "%s %s", c->target->engine, c->graph.driver) < 0)
		return err_set(e, ENOMEM, "opening the layers of '%s'", c->target->name);
	if (!other)
		return graph_layers(&c->graph, id, out, e);
	return fill_directory(c->roots, other, out, e);
}

/* The layer that a path GRAPH/DRIVER/ID/diff is of. A new string, NULL: it does not look so. */
static char *layer_id(const char *path)
{
	const char *end = strrchr(path, '/'), *from = end;

	while (from && from > path && from[-1] != '/')
		from--;
	return from ? strndup(from, (size_t)(end - from)) : NULL;
}

/* Where the kernel can show layers with other owners, they are stored as the image has them, and
 * only what the container wrote has its own ids. */
static int mark_plain_layers(const struct container *c, struct store *out, struct err *e)
{
	_cleanup_free_ char *path = str_fmt("%s-layers/layers.json", c->graph.driver);
	_cleanup_json_ json_t *list = NULL;
	int r = path ? storage_json(&c->graph.top[0], path, &list, e) : -ENOMEM;

	for (size_t i = 1; i < out->n_layers && r == 0; i++) {
		_cleanup_free_ char *id = layer_id(out->layers[i].path);
		json_t *entry = id ? graph_entry(list, id) : NULL;

		out->layers[i].ids_inside = json_array_size(json_at(entry, "uidmap")) == 0;
	}
	return r;
}

static int maps(const struct container *c, struct store *out, struct err *e)
{
	uid_t owner = c->target->owner_uid;
	json_t *uids = json_at(c->entry, "uidmap"), *gids = json_at(c->entry, "gidmap");
	int r = owner ? idmap_of_user(c->roots, owner, out, e) : 0;

	out->user_xattr = owner != 0;
	if (r < 0 || json_array_size(uids) == 0)
		return r;
	if (idmap_on_top(uids, "container_id", "host_id", &out->uid_map) < 0 ||
	    idmap_on_top(gids, "container_id", "host_id", &out->gid_map) < 0)
		return err_set(e, ENOMEM, "reading '%s'", c->target->name);
	return owner ? 0 : mark_plain_layers(c, out, e);
}

/* The database knows the user's name, and the entry point apart. */
static int config(const struct container *c, struct store_config *out)
{
	_cleanup_strv_ struct strv entrypoint = {};
	char *user = json_dup(c->db, "user");

	if (c->spec ? spec_config(c->spec, out) < 0
		    : image_config_part(json_at(c->image, "config"), out) < 0)
		return -ENOMEM;
	if (user) {
		free(out->user);
		out->user = user;
	}
	if (!out->confine.shm_size && json_int(c->db, "shmSize", 0) > 0)
		out->confine.shm_size = (uint64_t)json_int(c->db, "shmSize", 0);
	out->os = json_dup(c->image, "os");
	out->arch = json_dup(c->image, "architecture");
	if (json_strings(c->db ? json_at(c->db, "entrypoint")
			       : json_at(c->image, "config.Entrypoint"),
			 SIZE_MAX, &entrypoint) < 0)
		return -ENOMEM;
	return spec_split(out, &entrypoint);
}

/* Volumes that only the database knows of, while there is no bundle. */
static int db_volumes(const struct container *c, struct store *out, struct err *e)
{
	json_t *v;
	size_t i;
	int r = 0;

	json_array_foreach (json_at(c->db, "namedVolumes"), i, v) {
		const char *name = json_str(v, "volumeName", "?");
		_cleanup_free_ char *path =
			str_fmt("%s/volumes/%s/_data", c->graph.top[0].path, name);
		struct fill_mount m = {
			.dest = json_str(v, "dest", ""), .source = path, .shown = name};

		r = path ? fill_mount(c->roots, &m, out, e) : -ENOMEM;
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_all(struct container *c, struct store *out, struct err *e)
{
	int r = read_told(c, e);

	if (r == 0)
		r = layers(c, out, e);
	if (r == 0)
		r = maps(c, out, e);
	if (r == 0 && config(c, &out->config) < 0)
		r = err_set(e, ENOMEM, "reading '%s'", c->target->name);
	if (r == 0)
		r = spec_mounts(c->roots, c->spec, c->target->bundle, out, e);
	return r < 0 || c->told ? r : db_volumes(c, out, e);
}

/* It is still in the lists, and what is missing is missing of it. */
static bool is_there(struct container *c)
{
	c->entry = NULL;
	for (size_t i = 0; i < ARRAY_LEN(c->lists); i++) {
		json_decref(c->lists[i]);
		c->lists[i] = NULL;
	}
	return find_entry(c, NULL) == 0;
}

int containers_store(const struct target_roots *r, const struct target *t, struct store *out,
		     struct err *e)
{
	_cleanup_(container_done) struct container c = {.roots = r, .target = t};
	int err = open_graph(&c, e);

	if (err < 0)
		return err;
	err = find_entry(&c, e);
	if (err < 0)
		return err;
	err = read_all(&c, out, e);
	return err == -ENOENT ? storage_gone(t, is_there(&c), e) : err;
}

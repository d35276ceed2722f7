/* Containers of containerd (ctr, nerdctl, Kubernetes): its database has all of them, and the bundle
 * those that have a task. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/engines.h"
#include "store/snapshot.h"
#include "store/spec.h"

#define TASK_DIR "/io.containerd.runtime.v2.task/"

struct container {
	const struct target_roots *roots;
	const struct target *target;
	struct storage root; /* ROOT */
	char *ns;
	json_t *spec;
};

static void container_done(struct container *c)
{
	storage_close(&c->root);
	free(c->ns);
	json_decref(c->spec);
}

static int open_root(struct container *c, struct err *e)
{
	const struct target *t = c->target;
	const char *cut = t->bundle ? strstr(t->bundle, TASK_DIR) : NULL;

	if (!t->data || !t->id)
		return err_say(e, ENOENT, "where containerd keeps '%s' is not known", t->name);
	if (str_eq(t->engine, "cri"))
		c->ns = strdup("k8s.io");
	else if (cut) /* nerdctl's name is no namespace */
		c->ns = strndup(cut + strlen(TASK_DIR), strcspn(cut + strlen(TASK_DIR), "/"));
	else
		c->ns = strdup(t->pod_ns ? t->pod_ns : "default");
	if (!c->ns)
		return err_set(e, ENOMEM, "opening '%s'", t->name);
	return storage_open(c->roots, t->data, &c->root, e);
}

static char *value(const struct container *c, const char *key, size_t *len)
{
	const char *keys[] = {"v1", c->ns, "containers", c->target->id, key};
	char *out = NULL;

	return snapshot_value(&c->root, keys, ARRAY_LEN(keys), &out, len) == 0 ? out : NULL;
}

/* A protobuf Any: its member `value` (2), the JSON of the spec. */
static json_t *parse_any(char *p, size_t n)
{
	size_t i = 0;

	while (i < n) {
		unsigned char tag = (unsigned char)p[i++];
		uint64_t len = 0;

		for (unsigned shift = 0; i < n && shift < 35; shift += 7) {
			len |= (uint64_t)(p[i] & 0x7f) << shift;
			if (!(p[i++] & 0x80))
				break;
		}
		if ((tag & 7) != 2 || len > n - i)
			return NULL;
		if (tag >> 3 == 2)
			return json_parse(p + i, len);
		i += len;
	}
	return NULL;
}

static int read_spec(struct container *c, struct err *e)
{
	_cleanup_free_ char *path = NULL, *raw = NULL;
	size_t len = 0;

	if (c->target->bundle)
		path = str_fmt("%s/config.json", c->target->bundle);
	if (path && json_in_root(c->roots->root_fd, path, &c->spec) == 0)
		return 0;
	raw = value(c, "spec", &len);
	if (!raw)
		return err_say(e, ENOENT, "%s/" SNAPSHOT_DB " has no container '%s' in '%s'",
			       c->root.path, c->target->id, c->ns);
	c->spec = parse_any(raw, len);
	return c->spec ? 0
		       : storage_bad(e, &c->root, SNAPSHOT_DB,
				     "what it says of '%.128s' is no spec", c->target->id);
}

static int layers(const struct container *c, struct store *out, struct err *e)
{
	_cleanup_free_ char *snapshotter = value(c, "snapshotter", NULL);
	_cleanup_free_ char *key = value(c, "snapshotKey", NULL);
	const char *path = json_str(c->spec, "root.path", "");

	if (fill_names(out, c->target, "%s %s", c->target->engine,
		       snapshotter ? snapshotter : "directory") < 0)
		return err_set(e, ENOMEM, "opening the layers of '%s'", c->target->name);
	if (snapshotter && *snapshotter && key && *key)
		return snapshot_layers(&c->root, c->ns, snapshotter, key, out, e);
	if (*path != '/') /* ctr run --rootfs has a directory of its own */
		return err_say(e, ENOENT, "containerd has no snapshot of '%s'", c->target->name);
	return fill_directory(c->roots, path, out, e);
}

static int read_all(struct container *c, struct store *out, struct err *e)
{
	int r = read_spec(c, e);

	if (r == 0)
		r = layers(c, out, e);
	if (r == 0)
		r = spec_maps(c->spec, out, e);
	if (r == 0 && spec_config(c->spec, &out->config) < 0)
		r = err_set(e, ENOMEM, "reading '%s'", c->target->name);
	return r < 0 ? r : spec_mounts(c->roots, c->spec, c->target->bundle, out, e);
}

static bool is_there(const struct container *c)
{
	size_t len;
	_cleanup_free_ char *any = value(c, "spec", &len);

	return any;
}

int containerd_store(const struct target_roots *r, const struct target *t, struct store *out,
		     struct err *e)
{
	_cleanup_(container_done) struct container c = {
		.roots = r, .target = t, .root = STORAGE_INIT};
	int err = open_root(&c, e);

	if (err < 0)
		return err;
	err = read_all(&c, out, e);
	return err == -ENOENT ? storage_gone(t, is_there(&c), e) : err;
}

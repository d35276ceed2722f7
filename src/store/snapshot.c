#include "store/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "target/bolt.h"

enum { TRIES = 3 };

/* Snapshotters, and what of a snapshot's directory are its files. */
static const struct {
	const char *name, *before, *after;
	bool whole; /* each has all files, those of its parents too */
} kinds[] = {
	{"overlayfs", "snapshots", "fs", false},
	{"fuse-overlayfs", "snapshots", "fs", false},
	{"native", "snapshots", NULL, true},
	{"btrfs", "active", NULL, true},
};

static size_t kind_of(const char *name)
{
	size_t i = 0;

	while (i < ARRAY_LEN(kinds) && !str_eq(kinds[i].name, name))
		i++;
	return i;
}

bool snapshot_is_known(const char *snapshotter)
{
	return kind_of(snapshotter) < ARRAY_LEN(kinds);
}

/* A value of any of the databases. */
static int get(const struct storage *root, const char *db, const char *const *keys, size_t n,
	       char **out, size_t *len)
{
	int r = -ENOENT;

	for (int i = 0; i < TRIES && r < 0 && r != -ENOMEM; i++) {
		_cleanup_bolt_ struct bolt b = BOLT_INIT;

		r = bolt_open(&b, root->fd, db);
		if (r == 0)
			r = bolt_get(&b, keys, n, out, len);
	}
	return r;
}

int snapshot_value(const struct storage *root, const char *const *keys, size_t n, char **out,
		   size_t *len)
{
	return get(root, SNAPSHOT_DB, keys, n, out, len);
}

/* Say why a value could not be had. */
static int no_value(int r, const struct storage *root, const char *db, const char *what,
		    struct err *e)
{
	if (r == -ENOENT)
		return err_say(e, ENOENT, "%s/%s has no snapshot '%.128s'", root->path, db, what);
	if (r == -EBADMSG)
		return storage_bad(e, root, db, "it is no database that can be read");
	return err_set(e, r, "reading %s/%s", root->path, db);
}

/* A snapshotter's number of a snapshot is what its directory is called. */
static int read_id(const struct storage *root, const char *db, const char *name, uint64_t *id,
		   struct err *e)
{
	const char *keys[] = {"v1", "snapshots", name, "id"};
	_cleanup_free_ char *raw = NULL;
	size_t len = 0;
	int r = get(root, db, keys, ARRAY_LEN(keys), &raw, &len);

	if (r < 0)
		return no_value(r, root, db, name, e);
	*id = 0;
	for (size_t i = 0; i < len && i < 9; i++) {
		*id |= (uint64_t)(raw[i] & 0x7f) << 7 * i;
		if (!(raw[i] & 0x80))
			return 0;
	}
	return storage_bad(e, root, db, "the snapshot '%.128s' has no number", name);
}

/* Its parent's name; NULL: it has none. */
static int read_parent(const struct storage *root, const char *db, const char *name, char **out,
		       struct err *e)
{
	const char *keys[] = {"v1", "snapshots", name, "parent"};
	int r;

	*out = NULL;
	r = get(root, db, keys, ARRAY_LEN(keys), out, NULL);
	if (*out && !**out) {
		free(*out);
		*out = NULL;
	}
	return r == 0 || r == -ENOENT ? 0 : no_value(r, root, db, name, e);
}

/* Whether what is under a snapshot is shown with other owners than it is stored with. */
static bool is_mapped(const struct storage *root, const char *db, const char *name)
{
	const char *keys[] = {"v1", "snapshots", name, "labels",
			      "containerd.io/snapshot/uidmapping"};
	_cleanup_free_ char *raw = NULL;

	return get(root, db, keys, ARRAY_LEN(keys), &raw, NULL) == 0;
}

/* The layers from `name` down. */
static int walk(const struct storage *root, size_t kind, const char *name, struct store *out,
		struct err *e)
{
	_cleanup_free_ char *db =
		str_fmt("io.containerd.snapshotter.v1.%s/metadata.db", kinds[kind].name);
	_cleanup_free_ char *at = strdup(name);
	size_t first = out->n_layers;
	bool mapped;
	int r = db && at ? 0 : err_set(e, ENOMEM, "opening layers");

	mapped = r == 0 && is_mapped(root, db, name);
	while (r == 0 && at) {
		_cleanup_free_ char *dir = NULL, *parent = NULL;
		uint64_t id = 0;

		r = read_id(root, db, at, &id, e);
		if (r < 0)
			return r;
		dir = str_fmt("io.containerd.snapshotter.v1.%s/%s/%llu", kinds[kind].name,
			      kinds[kind].before, (unsigned long long)id);
		r = dir ? storage_layer(root, dir, kinds[kind].after, out, e)
			: err_set(e, ENOMEM, "opening layers");
		if (r < 0 || kinds[kind].whole)
			return r;
		out->layers[out->n_layers - 1].ids_inside = mapped && out->n_layers > first + 1;
		r = read_parent(root, db, at, &parent, e);
		free(at);
		at = TAKE_PTR(parent);
	}
	return r;
}

int snapshot_layers(const struct storage *root, const char *ns, const char *snapshotter,
		    const char *key, struct store *out, struct err *e)
{
	const char *keys[] = {"v1", ns, "snapshots", snapshotter, key, "name"};
	_cleanup_free_ char *name = NULL;
	size_t kind = kind_of(snapshotter);
	int r;

	if (kind == ARRAY_LEN(kinds)) {
		err_say(e, ENOTSUP,
			"containerd keeps '%s' by its snapshotter '%s', whose files Porthole "
			"cannot "
			"put together",
			key, snapshotter);
		err_hint(e,
			 "mount it (ctr -n %s snapshots --snapshotter %s mounts DIR %s), then: "
			 "porthole exec DIR/",
			 ns, snapshotter, key);
		return -ENOTSUP;
	}
	r = get(root, SNAPSHOT_DB, keys, ARRAY_LEN(keys), &name, NULL);
	return r < 0 ? no_value(r, root, SNAPSHOT_DB, key, e) : walk(root, kind, name, out, e);
}

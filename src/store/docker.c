/* Where docker keeps a container's layers: in its own graph drivers, or in containerd. */
#include "store/docker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "store/engines.h"
#include "store/idmap.h"
#include "store/lower.h"
#include "store/snapshot.h"

static void docker_done(struct docker *d)
{
	storage_close(&d->data);
	json_decref(d->config);
	json_decref(d->host);
}

/* `way`: how docker itself writes such a thing to an archive. */
static int unknown_driver(const char *name, const char *driver, const char *way, struct err *e)
{
	err_say(e, ENOTSUP,
		"docker keeps '%s' in its storage driver '%s', whose files Porthole cannot put "
		"together",
		name, driver);
	err_hint(e, "docker %s '%s' >F.tar, then: porthole exec F.tar", way, name);
	return -ENOTSUP;
}

int docker_layers(const struct storage *data, const char *driver, const char *id, const char *name,
		  struct store *out, struct err *e)
{
	_cleanup_storage_ struct storage home = STORAGE_INIT;
	_cleanup_free_ char *path = NULL;
	const char *dir;
	int r;

	if (!lower_driver(true, driver, &dir))
		return unknown_driver(name, driver, "save", e);
	r = storage_below(data, driver, &home, e);
	if (r < 0)
		return r;
	if (!dir)
		return lower_layers(&home, 1, id, out, e);
	path = str_fmt("%s/%s", dir, id);
	return path ? storage_layer(&home, path, NULL, out, e)
		    : err_set(e, ENOMEM, "opening the layers of '%s'", name);
}

/* UID.GID, as the DATA of a daemon with --userns-remap is called: the end of its path, else NULL.
 */
static const char *remap_of(const char *data)
{
	const char *name = strrchr(data, '/');
	size_t n;

	if (!name++)
		return NULL;
	n = strspn(name, "0123456789");
	if (n == 0 || name[n] != '.' || !name[n + 1] ||
	    name[n + 1 + strspn(name + n + 1, "0123456789")])
		return NULL;
	return name;
}

/* The snapshot in the containerds that run: the host's may keep its things anywhere. -ENOENT: it is
 * in none. */
static int snapshot_elsewhere(const struct docker *d, const char *ns, const char *snapshotter,
			      struct store *out, struct err *e)
{
	_cleanup_places_ struct target_places all = {};
	int r = target_places(d->roots, TARGET_ANY, &all, e);

	if (r < 0)
		return r;
	r = -ENOENT;
	for (size_t i = 0; i < all.n && r == -ENOENT; i++) {
		struct storage root = {.fd = all.v[i].fd, .path = all.v[i].path};

		if (str_eq(all.v[i].engine, "containerd"))
			r = snapshot_layers(&root, ns, snapshotter, d->target->id, out, e);
	}
	return r;
}

/* Where the images are containerd's, so are the layers: a snapshot called as the container, in
 * docker's namespace of the daemon's own containerd or of the host's. -ENOENT: it is in none. */
static int snapshot_of(const struct docker *d, const char *snapshotter, struct store *out,
		       struct err *e)
{
	const char *remap = remap_of(d->data.path);
	_cleanup_free_ char *own = str_fmt("%s/containerd/daemon", d->data.path);
	_cleanup_free_ char *outer = str_fmt("%s/../containerd/daemon", d->data.path);
	_cleanup_free_ char *ns = str_fmt("moby%s%s", remap ? "-" : "", remap ? remap : "");
	const char *const roots[] = {own, remap ? outer : own, "/var/lib/containerd"};
	int r = -ENOENT;

	if (!own || !outer || !ns)
		return err_set(e, ENOMEM, "opening the layers of '%s'", d->target->name);
	for (size_t i = 0; i < ARRAY_LEN(roots) && r == -ENOENT; i++) {
		_cleanup_storage_ struct storage root = STORAGE_INIT;

		r = storage_open(d->roots, roots[i], &root, e);
		if (r == 0)
			r = snapshot_layers(&root, ns, snapshotter, d->target->id, out, e);
	}
	return r == -ENOENT ? snapshot_elsewhere(d, ns, snapshotter, out, e) : r;
}

static int layers(const struct docker *d, struct store *out, struct err *e)
{
	const char *driver = json_str(d->config, "Driver", "");
	_cleanup_free_ char *dir = NULL, *file = NULL, *id = NULL;
	const char *where;
	int r;

	if (!path_is_component(driver))
		return unknown_driver(d->target->name, driver, "export", e);
	dir = str_fmt("image/%s/layerdb", driver);
	file = str_fmt("image/%s/layerdb/mounts/%s/mount-id", driver, d->target->id);
	if (!dir || !file || fill_names(out, d->target, "docker %s", driver) < 0)
		return err_set(e, ENOMEM, "opening the layers of '%s'", d->target->name);
	if (!storage_has(&d->data, dir) && snapshot_is_known(driver))
		return snapshot_of(d, driver, out, e);
	if (!lower_driver(true, driver, &where))
		return unknown_driver(d->target->name, driver, "export", e);
	r = storage_name(&d->data, file, &id, e);
	return r < 0 ? r : docker_layers(&d->data, driver, id, d->target->name, out, e);
}

int docker_maps(const struct target_roots *r, const char *data, uid_t owner, struct store *out,
		struct err *e)
{
	const char *remap = remap_of(data);
	char *end;
	unsigned long uid;

	out->user_xattr = owner != 0;
	if (owner)
		return idmap_of_user(r, owner, out, e);
	if (!remap)
		return 0;
	uid = strtoul(remap, &end, 10);
	return idmap_of_root(r, (uid_t)uid, (gid_t)strtoul(end + 1, NULL, 10), out, e);
}

static int maps(const struct docker *d, struct store *out, struct err *e)
{
	uid_t owner = d->target->owner_uid;

	if (!owner && str_eq(json_str(d->host, "UsernsMode", ""), "host"))
		return 0;
	return docker_maps(d->roots, d->data.path, owner, out, e);
}

/* DATA, from DATA/containers/ID/config.v2.json. */
static int open_data(struct docker *d, struct err *e)
{
	const struct target *t = d->target;
	_cleanup_free_ char *mark = t->id ? str_fmt("/containers/%s/config.v2.json", t->id) : NULL;
	_cleanup_free_ char *data = NULL;

	if (mark && t->state_file && str_ends(t->state_file, mark))
		data = strndup(t->state_file, strlen(t->state_file) - strlen(mark));
	if (data)
		return storage_open(d->roots, data, &d->data, e);
	err_say(e, EACCES,
		"the files of '%s' cannot be found: docker's daemon tells only that it is there",
		t->name);
	err_hint(e, "docker's storage is root's: run with sudo");
	return -EACCES;
}

static int read_config(struct docker *d, struct err *e)
{
	_cleanup_free_ char *config = str_fmt("containers/%s/config.v2.json", d->target->id);
	_cleanup_free_ char *host = str_fmt("containers/%s/hostconfig.json", d->target->id);
	int r;

	if (!config || !host)
		return err_set(e, ENOMEM, "reading '%s'", d->target->name);
	r = storage_json(&d->data, config, &d->config, e);
	if (r < 0)
		return r;
	r = storage_json(&d->data, host, &d->host, e);
	return r == -ENOENT ? 0 : r;
}

static int read_all(struct docker *d, struct store *out, struct err *e)
{
	int r = layers(d, out, e);

	if (r == 0)
		r = maps(d, out, e);
	if (r == 0 && docker_config(d, &out->config) < 0)
		r = err_set(e, ENOMEM, "reading '%s'", d->target->name);
	return r < 0 ? r : docker_mounts(d, out, e);
}

/* It is there, and what is missing is missing of it. */
static bool is_there(const struct docker *d)
{
	_cleanup_free_ char *path = str_fmt("containers/%s/config.v2.json", d->target->id);

	return path && storage_has(&d->data, path);
}

int docker_store(const struct target_roots *r, const struct target *t, struct store *out,
		 struct err *e)
{
	_cleanup_(docker_done) struct docker d = {.roots = r, .target = t, .data = STORAGE_INIT};
	int err = open_data(&d, e);

	if (err < 0)
		return err;
	err = read_config(&d, e);
	if (err == 0)
		err = read_all(&d, out, e);
	return err == -ENOENT ? storage_gone(t, is_there(&d), e) : err;
}

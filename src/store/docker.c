/* Where docker keeps a container's layers: its own graph drivers. */
#include "store/docker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "store/engines.h"
#include "store/idmap.h"
#include "store/lower.h"

static void docker_done(struct docker *d)
{
	storage_close(&d->data);
	json_decref(d->config);
	json_decref(d->host);
}

/* Drivers, and where below DATA/NAME a layer's files are: NULL, as overlay layers. */
static const struct {
	const char *name, *dir;
} drivers[] = {
	{"overlay2", NULL},
	{"fuse-overlayfs", NULL},
	{"vfs", "dir"},
	{"btrfs", "subvolumes"},
};

static int unknown_driver(const char *name, const char *driver, struct err *e)
{
	err_say(e, ENOTSUP,
		"docker keeps '%s' in its storage driver '%s', whose files Porthole cannot put "
		"together",
		name, driver);
	err_hint(e, "docker export a container of it >F.tar, then: porthole exec F.tar");
	return -ENOTSUP;
}

int docker_layers(const struct storage *data, const char *driver, const char *id, const char *name,
		  struct store *out, struct err *e)
{
	_cleanup_storage_ struct storage home = STORAGE_INIT;
	_cleanup_free_ char *path = NULL;
	size_t i = 0;
	int r;

	while (i < ARRAY_LEN(drivers) && !str_eq(drivers[i].name, driver))
		i++;
	if (i == ARRAY_LEN(drivers))
		return unknown_driver(name, driver, e);
	r = storage_below(data, driver, &home, e);
	if (r < 0)
		return r;
	if (!drivers[i].dir)
		return lower_layers(&home, 1, id, out, e);
	path = str_fmt("%s/%s", drivers[i].dir, id);
	return path ? storage_layer(&home, path, NULL, out, e)
		    : err_set(e, ENOMEM, "opening the layers of '%s'", name);
}

static int layers(const struct docker *d, struct store *out, struct err *e)
{
	const char *driver = json_str(d->config, "Driver", "");
	_cleanup_free_ char *file = NULL, *id = NULL;
	int r;

	if (!path_is_component(driver))
		return unknown_driver(d->target->name, driver, e);
	file = str_fmt("image/%s/layerdb/mounts/%s/mount-id", driver, d->target->id);
	if (!file || fill_names(out, d->target, "docker %s", driver) < 0)
		return err_set(e, ENOMEM, "opening the layers of '%s'", d->target->name);
	r = storage_name(&d->data, file, &id, e);
	return r < 0 ? r : docker_layers(&d->data, driver, id, d->target->name, out, e);
}

int docker_maps(const struct target_roots *r, const char *data, uid_t owner, struct store *out,
		struct err *e)
{
	const char *base = strrchr(data, '/');
	char *end = NULL;
	unsigned long uid = base ? strtoul(base + 1, &end, 10) : 0;

	out->user_xattr = owner != 0;
	if (owner)
		return idmap_of_user(r, owner, out, e);
	if (!base || end == base + 1 || *end != '.')
		return 0;
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

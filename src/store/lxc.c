/* Containers of LXC: a directory with `config`; of Incus and LXD: one with rootfs and backup.yaml.
 */
#include "store/lxc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "store/engines.h"
#include "store/idmap.h"

static const struct {
	const char *engine, *path;
} places[] = {
	{"lxc", "/var/lib/lxc"},
	{"incus", "/var/lib/incus/containers"},
	{"lxd", "/var/lib/lxd/containers"},
	{"lxd", "/var/snap/lxd/common/lxd/containers"},
};

/* PATH/NAME, NAME being its id where that is another. The state file of one that runs is elsewhere.
 */
static int open_dir(const struct target_roots *r, const struct target *t, struct storage *out,
		    struct err *e)
{
	const char *name = t->id ? t->id : t->name;
	int err = -ENOENT;

	if (!path_is_component(name))
		return err_say(e, EINVAL, "'%s' cannot be a container's name", name);
	for (size_t i = 0; i < ARRAY_LEN(places) && err == -ENOENT; i++) {
		_cleanup_free_ char *path = str_eq(places[i].engine, t->engine)
						    ? str_fmt("%s/%s", places[i].path, name)
						    : NULL;

		if (path)
			err = storage_open(r, path, out, e);
	}
	return err;
}

/* A directory by what follows `overlay:`: LOWER[:LOWER...]:UPPER. */
static int overlay_dirs(struct lxc *l, const char *list, struct err *e)
{
	_cleanup_strv_ struct strv dir = {};
	int r = strv_split(&dir, list, ":") < 0 ? -ENOMEM : 0;

	if (r < 0)
		return err_set(e, r, "opening '%s'", l->out->label);
	if (dir.n < 2)
		return storage_bad(e, l->dir, "config", "'%.64s' are not two directories", list);
	r = fill_directory(l->roots, dir.v[dir.n - 1], l->out, e);
	for (size_t i = 0; i + 1 < dir.n && r == 0; i++)
		r = fill_directory(l->roots, dir.v[i], l->out, e);
	return r;
}

/* lxc.rootfs.path: [KIND:]PATH */
static int rootfs(struct lxc *l, struct err *e)
{
	const char *path = l->rootfs ? l->rootfs : "", *rest = strchr(path, ':');
	size_t n = rest ? (size_t)(rest - path) : 0;

	if (*path == '/')
		return fill_directory(l->roots, path, l->out, e);
	if (!rest)
		return storage_bad(e, l->dir, "config", "it has no lxc.rootfs.path");
	rest++;
	if (str_starts(path, "dir:") || str_starts(path, "btrfs:"))
		return fill_directory(l->roots, rest, l->out, e);
	if (str_starts(path, "overlay:") || str_starts(path, "overlayfs:"))
		return overlay_dirs(l, rest, e);
	err_say(e, ENOTSUP, "LXC keeps '%s' on a '%.*s', whose files Porthole cannot put together",
		l->out->label, (int)n, path);
	err_hint(e, "mount it (%s), then: porthole exec DIR/", rest);
	return -ENOTSUP;
}

static int maps(struct lxc *l, struct err *e)
{
	bool plain = l->options && strstr(l->options, "idmap=");

	if (!l->uids.len && !l->gids.len)
		return 0;
	l->out->uid_map = buf_take(&l->uids);
	l->out->gid_map = buf_take(&l->gids);
	for (size_t i = 0; i < l->out->n_layers; i++)
		l->out->layers[i].ids_inside = plain;
	return l->out->uid_map && l->out->gid_map
		       ? 0
		       : err_set(e, ENOMEM, "reading '%s'", l->out->label);
}

static int read_config(struct lxc *l, struct err *e)
{
	_cleanup_strv_ struct strv opts = {};
	int r = lxc_read(l, e);

	if (r == 0)
		r = rootfs(l, e);
	if (r == 0)
		r = maps(l, e);
	if (r == 0 && l->options && strv_split(&opts, l->options, ",") < 0)
		r = err_set(e, ENOMEM, "reading '%s'", l->out->label);
	l->out->config.root_ro = strv_has(&opts, "ro");
	return r < 0 ? r : lxc_mounts(l, e);
}

/* Incus: the owners on disk are those of volatile.last_state.idmap, JSON in a line of YAML. */
static int incus_map(const struct storage *dir, struct store *out, struct err *e)
{
	static const char mark[] = "volatile.last_state.idmap: '";
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ json_t *list = NULL, *uids = json_array(), *gids = json_array();
	char *from = NULL;
	json_t *v;
	size_t i;

	if (storage_read(dir, "backup.yaml", JSON_FILE_MAX, &text, NULL) == 0)
		from = strstr(text, mark);
	if (!from)
		return 0;
	from += sizeof(mark) - 1;
	list = json_loadb(from, strcspn(from, "'\n"), 0, NULL);
	json_array_foreach (list, i, v) {
		json_t *size = json_object_get(v, "Maprange");

		json_object_set(v, "size", size ? size : json_null());
		if (json_bool(v, "Isuid", false))
			json_array_append(uids, v);
		if (json_bool(v, "Isgid", false))
			json_array_append(gids, v);
	}
	if (idmap_on_top(uids, "Nsid", "Hostid", &out->uid_map) < 0 ||
	    idmap_on_top(gids, "Nsid", "Hostid", &out->gid_map) < 0)
		return err_set(e, ENOMEM, "reading '%s'", out->label);
	return 0;
}

static int read_incus(const struct target_roots *r, const struct target *t,
		      const struct storage *dir, struct store *out, struct err *e)
{
	_cleanup_free_ char *path = str_fmt("%s/rootfs", dir->path);
	int err;

	if (!path)
		return err_set(e, ENOMEM, "opening '%s'", t->name);
	if (!storage_has(dir, "rootfs")) {
		err_say(e, ENOTSUP,
			"%s keeps '%s' in a storage pool that is not mounted while it does not run",
			t->engine, t->name);
		err_hint(e, "mount its volume, then: porthole exec DIR/");
		return -ENOTSUP;
	}
	err = fill_directory(r, path, out, e);
	return err < 0 ? err : incus_map(dir, out, e);
}

int lxc_store(const struct target_roots *r, const struct target *t, struct store *out,
	      struct err *e)
{
	_cleanup_storage_ struct storage dir = STORAGE_INIT;
	_cleanup_(lxc_done) struct lxc l = {.roots = r, .dir = &dir, .out = out};
	struct strv *cmd = &out->config.cmd;
	int err = open_dir(r, t, &dir, e);

	if (err < 0)
		return err == -ENOENT ? storage_gone(t, false, e) : err;
	if (fill_names(out, t, "%s", t->engine) < 0)
		return err_set(e, ENOMEM, "opening '%s'", t->name);
	err = str_eq(t->engine, "lxc") ? read_config(&l, e) : read_incus(r, t, &dir, out, e);
	if (err == 0 && cmd->n == 0 && strv_add(cmd, "/sbin/init") < 0)
		err = err_set(e, ENOMEM, "opening '%s'", t->name);
	return err == -ENOENT ? storage_gone(t, storage_has(&dir, "."), e) : err;
}

#include "store/lower.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"

enum { ENTRIES_MAX = 100000 };

/* Who has which short name, read from the layers themselves; only where a link is missing. */
struct shorts {
	struct strv name, id; /* same order */
	bool read;
};

struct chain {
	const struct storage *home;
	size_t n;
	const struct storage *own; /* of the layer, */
	const char *lower;	   /* and its file, for messages */
	struct shorts *shorts;	   /* one for each home */
};

static void chain_done(struct chain *c)
{
	for (size_t i = 0; c->shorts && i < c->n; i++) {
		strv_done(&c->shorts[i].name);
		strv_done(&c->shorts[i].id);
	}
	free(c->shorts);
}

/* "../ID/diff" to ID, in place; NULL when it is anything else. */
static char *cut_target(char *to)
{
	char *id = to + 3, *end;

	if (!str_starts(to, "../") || !str_ends(id, "/diff"))
		return NULL;
	end = id + strlen(id) - 5;
	*end = '\0';
	return path_is_component(id) ? id : NULL;
}

static int shorts_read(const struct storage *s, struct shorts *out)
{
	int fd = path_open_in_root(s->fd, ".", O_RDONLY | O_DIRECTORY);
	_cleanup_dir_ DIR *d = dir_take(fd);
	const struct dirent *ent;

	out->read = true;
	for (int left = ENTRIES_MAX; d && left > 0 && (ent = readdir(d)); left--) {
		_cleanup_free_ char *path = str_fmt("%s/link", ent->d_name), *name = NULL;

		if (!path)
			return -ENOMEM;
		if (ent->d_name[0] == '.' || storage_name(s, path, &name, NULL) < 0)
			continue;
		if (strv_add(&out->name, name) < 0 || strv_add(&out->id, ent->d_name) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Which layer of home i is called so: a new string, NULL: none. */
static char *id_of(struct chain *c, size_t i, const char *name)
{
	struct shorts *s = &c->shorts[i];

	if (!s->read && shorts_read(&c->home[i], s) < 0)
		return NULL;
	for (size_t k = 0; k < s->id.n; k++)
		if (str_eq(s->name.v[k], name))
			return strdup(s->id.v[k]);
	return NULL;
}

/* The link of a home's l/NAME. 1 and *id; 0: not there; or -EBADMSG. */
static int follow(const struct storage *s, const char *name, char **id, struct err *e)
{
	_cleanup_free_ char *path = str_fmt("l/%s", name);
	_cleanup_close_ int dir = path_open_in_root(s->fd, "l", O_PATH | O_DIRECTORY);
	char to[NAME_MAX + 16], *cut;
	ssize_t n = dir < 0 ? dir : link_read_at(dir, name, to, sizeof(to));

	if (!path)
		return err_set(e, ENOMEM, "reading links of layers");
	if (n == -ENOENT)
		return 0;
	cut = n > 0 ? cut_target(to) : NULL;
	if (!cut)
		return storage_bad(e, s, path, "it is no link to a layer");
	*id = strdup(cut);
	return *id ? 1 : err_set(e, ENOMEM, "reading links of layers");
}

/* The directories of one layer. */
static int add_layer(const struct storage *s, const char *id, struct store *out, struct err *e)
{
	int r = storage_layer(s, id, "diff", out, e);

	for (int i = 1; r == 0; i++) {
		_cleanup_free_ char *name = str_fmt("diff%d", i), *path = NULL;

		path = name ? str_fmt("%s/%s", id, name) : NULL;
		if (!path)
			return err_set(e, ENOMEM, "opening layers");
		if (!storage_has(s, path))
			break;
		r = storage_layer(s, id, name, out, e);
	}
	return r;
}

/* Files of a composefs are kept elsewhere. */
static int check_kind(const struct storage *s, const char *id, struct err *e)
{
	_cleanup_free_ char *path = str_fmt("%s/composefs-data", id);

	if (!path || !storage_has(s, path))
		return 0;
	err_say(e, ENOTSUP, "%s/%s is a composefs, whose files Porthole cannot put together",
		s->path, path);
	return -ENOTSUP;
}

static bool has_layer(const struct store *out, size_t from, const struct storage *s, const char *id)
{
	for (size_t i = from; i < out->n_layers; i++) {
		const char *rest = path_below(out->layers[i].path, s->path);

		if (rest && *rest && str_starts(rest + 1, id) &&
		    str_eq(rest + 1 + strlen(id), "/diff"))
			return true;
	}
	return false;
}

/* The layer of a short name, wherever it is. */
static int add_short(struct chain *c, const char *name, size_t from, struct store *out,
		     struct err *e)
{
	_cleanup_free_ char *id = NULL;
	size_t at = 0;
	int r = 0;

	for (size_t i = 0; i < c->n && r == 0; i++) {
		r = follow(&c->home[i], name, &id, e);
		at = i;
	}
	if (r < 0)
		return r;
	for (size_t i = 0; i < c->n && !id; i++) {
		id = id_of(c, i, name);
		at = i;
	}
	if (!id)
		return storage_bad(e, c->own, c->lower, "no layer is called l/%.64s", name);
	if (has_layer(out, from, &c->home[at], id))
		return storage_bad(e, c->own, c->lower, "it names the layer %.64s twice", id);
	return add_layer(&c->home[at], id, out, e);
}

/* An entry of `lower` to its short name: l/NAME, or the same with a home's path before it. NULL
 * when it is anything else. */
static const char *short_of(const struct chain *c, const char *entry)
{
	for (size_t i = 0; i < c->n && *entry == '/'; i++) {
		const char *rest = path_below(entry, c->home[i].path);

		if (rest && *rest)
			entry = rest + 1;
	}
	return str_starts(entry, "l/") && path_is_component(entry + 2) ? entry + 2 : NULL;
}

/* Where the layer itself is. */
static const struct storage *home_of(const struct storage *home, size_t n, const char *id)
{
	for (size_t i = 0; i < n; i++)
		if (storage_has(&home[i], id))
			return &home[i];
	return home;
}

static int add_lowers(struct chain *c, const char *text, size_t from, struct store *out,
		      struct err *e)
{
	_cleanup_strv_ struct strv entry = {};
	int r = strv_split(&entry, text, ":\n") < 0 ? err_set(e, ENOMEM, "opening layers") : 0;

	for (size_t i = 0; i < entry.n && r == 0; i++) {
		const char *name = short_of(c, entry.v[i]);

		r = name ? add_short(c, name, from, out, e)
			 : storage_bad(e, c->own, c->lower, "'%.64s' leads out of it", entry.v[i]);
	}
	return r;
}

int lower_layers(const struct storage *home, size_t n, const char *id, struct store *out,
		 struct err *e)
{
	_cleanup_free_ char *path = str_fmt("%s/lower", id), *text = NULL;
	const struct storage *own = home_of(home, n, id);
	_cleanup_(chain_done) struct chain c = {.home = home, .n = n, .own = own, .lower = path};
	size_t from = out->n_layers;
	struct err why = {};
	int r;

	c.shorts = calloc(n, sizeof(*c.shorts));
	if (!path || !c.shorts)
		return err_set(e, ENOMEM, "opening layers");
	r = check_kind(own, id, e);
	if (r == 0)
		r = add_layer(own, id, out, e);
	if (r < 0)
		return r;
	r = storage_read(own, path, STORAGE_TEXT_MAX, &text, &why);
	if (r == -ENOENT) /* the lowest one */
		return 0;
	if (r < 0 && e)
		*e = why;
	return r < 0 ? r : add_lowers(&c, text, from, out, e);
}

bool lower_driver(bool docker, const char *name, const char **dir)
{
	static const struct {
		const char *name, *dir;
		bool docker, graph;
	} drivers[] = {
		{"overlay2", NULL, true, true},
		{"overlay", NULL, false, true}, /* docker's of that name was another */
		{"fuse-overlayfs", NULL, true, false},
		{"vfs", "dir", true, true},
		{"btrfs", "subvolumes", true, true},
	};

	*dir = NULL;
	for (size_t i = 0; i < ARRAY_LEN(drivers); i++)
		if (str_eq(drivers[i].name, name) &&
		    (docker ? drivers[i].docker : drivers[i].graph)) {
			*dir = drivers[i].dir;
			return true;
		}
	return false;
}

#include "store/graph.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/etc.h"
#include "base/path.h"
#include "base/toml.h"
#include "store/lower.h"

void graph_close(struct graph *g)
{
	for (size_t i = 0; i < g->n; i++) {
		storage_close(&g->top[i]);
		storage_close(&g->home[i]);
	}
	free(g->driver);
	*g = (struct graph){};
}

/* Append the strings that `key = "..."` or `key = ["...", ...]` has in TOML, where it starts a
 * line; what is in a comment may be among them, and is looked for like the others. 0 or -ENOMEM. */
static int toml_strings(const char *text, const char *key, struct strv *out)
{
	const char *v;

	while ((v = toml_next(&text, key))) {
		const char *end = v + strcspn(v, *v == '[' ? "]" : "\n");

		while ((v = memchr(v, '"', (size_t)(end - v)))) {
			const char *close = memchr(v + 1, '"', (size_t)(end - v - 1));

			if (!close)
				break;
			if (strv_push(out, strndup(v + 1, (size_t)(close - v - 1))) < 0)
				return -ENOMEM;
			v = close + 1;
		}
	}
	return 0;
}

/* One GRAPH. A store that is not there, or not of this driver, is passed over; `e` (may be NULL)
 * says so. */
static int add_store(const struct target_roots *r, struct graph *g, const char *path, struct err *e)
{
	_cleanup_storage_ struct storage top = STORAGE_INIT, home = STORAGE_INIT;
	int err;

	if (*path != '/' || g->n == GRAPH_STORES_MAX)
		return -EINVAL;
	err = storage_open(r, path, &top, e);
	if (err == 0)
		err = storage_below(&top, g->driver, &home, e);
	if (err < 0)
		return err;
	g->top[g->n] = top;
	g->home[g->n++] = home;
	top = home = STORAGE_INIT;
	return 0;
}

/* The additional image stores of one storage.conf. 1 when the file is there. */
static int add_stores(const struct target_roots *r, struct graph *g, const char *file)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_strv_ struct strv store = {};
	int err = path_read_in_root(r->root_fd, file, STORAGE_TEXT_MAX, &text, NULL);

	if (err < 0)
		return err == -ENOMEM ? err : 0;
	err = toml_strings(text, "additionalimagestores", &store);
	if (err == 0)
		err = toml_strings(text, "imagestore", &store);
	for (size_t i = 0; i < store.n; i++)
		add_store(r, g, store.v[i], NULL);
	return err < 0 ? err : 1;
}

/* The user's own configuration first, as containers/storage itself looks for it. */
static int add_configured(const struct target_roots *r, struct graph *g, uid_t owner)
{
	static const char *const system[] = {"etc/containers/storage.conf",
					     "usr/share/containers/storage.conf"};
	_cleanup_etc_user_ struct etc_user u = {};
	_cleanup_free_ char *passwd = NULL, *own = NULL;
	int err = 0;

	if (owner &&
	    path_read_in_root(r->root_fd, "etc/passwd", ETC_FILE_MAX, &passwd, NULL) == 0 &&
	    etc_user_find(passwd, NULL, owner, &u) == 0) {
		own = str_fmt("%s/.config/containers/storage.conf", u.home);
		err = own ? add_stores(r, g, own) : -ENOMEM;
	}
	for (size_t i = 0; i < ARRAY_LEN(system) && err == 0; i++)
		err = add_stores(r, g, system[i]);
	return err < 0 ? err : 0;
}

int graph_open(const struct target_roots *r, const char *path, const char *driver, uid_t owner,
	       struct graph *out, struct err *e)
{
	_cleanup_graph_ struct graph g = {};
	const char *dir;
	int err;

	if (!lower_driver(false, driver, &dir)) {
		err_say(e, ENOTSUP,
			"%s is kept by the storage driver '%s', whose files Porthole cannot put "
			"together",
			path, driver);
		err_hint(e, "export it (podman export NAME >F.tar), then: porthole exec F.tar");
		return -ENOTSUP;
	}
	g.driver = strdup(driver);
	if (!g.driver)
		return err_set(e, ENOMEM, "opening %s", path);
	err = add_store(r, &g, path, e);
	if (err == 0 && add_configured(r, &g, owner) < 0)
		err = err_set(e, ENOMEM, "opening %s", path);
	if (err < 0)
		return err;
	*out = g;
	g = (struct graph){};
	return 0;
}

int graph_layers(const struct graph *g, const char *id, struct store *out, struct err *e)
{
	_cleanup_free_ char *path = NULL;
	const char *dir;
	size_t i = g->n;

	lower_driver(false, g->driver, &dir); /* graph_open() saw that it is known */
	path = dir ? str_fmt("%s/%s", dir, id) : strdup(id);
	if (!path_is_component(id))
		return storage_bad(e, &g->top[0], g->driver, "'%.64s' cannot be a layer's name",
				   id);
	if (!path)
		return err_set(e, ENOMEM, "opening layers");
	if (!dir)
		return lower_layers(g->home, g->n, id, out, e);
	while (--i > 0 && !storage_has(&g->home[i], path))
		;
	return storage_layer(&g->home[i], path, NULL, out, e);
}

json_t *graph_entry(json_t *list, const char *id)
{
	json_t *v;
	size_t i;

	json_array_foreach (list, i, v)
		if (str_eq(json_str(v, "id", ""), id))
			return v;
	return NULL;
}

/* As containers/storage names the files of keys that are no plain names: '=' and base64. */
static char *key_file(const char *key)
{
	static const char digit[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	struct buf b = {};

	buf_putc(&b, '=');
	for (size_t n = strlen(key); n > 0; n = n > 3 ? n - 3 : 0, key += 3) {
		unsigned v = (unsigned)(unsigned char)key[0] << 16;

		v |= n > 1 ? (unsigned)(unsigned char)key[1] << 8 : 0;
		v |= n > 2 ? (unsigned)(unsigned char)key[2] : 0;
		buf_putc(&b, digit[v >> 18]);
		buf_putc(&b, digit[v >> 12 & 63]);
		buf_putc(&b, n > 1 ? digit[v >> 6 & 63] : '=');
		buf_putc(&b, n > 2 ? digit[v & 63] : '=');
	}
	return buf_take(&b);
}

int graph_image_config(const struct graph *g, const char *image_id, json_t **out)
{
	_cleanup_free_ char *key = str_fmt("sha256:%s", image_id), *file = NULL, *path = NULL;
	int r = -ENOENT;

	if (!path_is_component(image_id))
		return -ENOENT;
	file = key ? key_file(key) : NULL;
	path = file ? str_fmt("%s-images/%s/%s", g->driver, image_id, file) : NULL;
	if (!path)
		return -ENOMEM;
	for (size_t i = 0; i < g->n && r == -ENOENT; i++)
		r = storage_json(&g->top[i], path, out, NULL);
	return r;
}

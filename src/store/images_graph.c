/* Images of containers/storage: DRIVER-images/images.json. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/path.h"
#include "store/graph.h"
#include "store/idmap.h"
#include "store/image.h"
#include "store/images.h"

#define LIST "-images"

static int add_entry(struct image_refs *out, struct image_ref *ref, json_t *entry)
{
	json_t *name;
	size_t i;

	ref->id = (char *)json_str(entry, "id", NULL);
	ref->digest = (char *)json_str(entry, "digest", NULL);
	ref->name = NULL;
	if (image_refs_add(out, ref) < 0)
		return -ENOMEM;
	json_array_foreach (json_object_get(entry, "names"), i, name) {
		ref->name = (char *)json_string_value(name);
		if (ref->name && image_refs_add(out, ref) < 0)
			return -ENOMEM;
	}
	return 0;
}

int graph_images(const struct target_place *p, struct image_refs *out)
{
	int fd = path_open_in_root(p->fd, ".", O_RDONLY | O_DIRECTORY), r = 0;
	_cleanup_dir_ DIR *d = dir_take(fd);
	struct storage top = {.fd = p->fd, .path = p->path};
	struct dirent *de;

	for (int left = 1000; d && left > 0 && (de = readdir(d)); left--) {
		_cleanup_free_ char *driver = NULL, *file = NULL;
		struct image_ref ref = {.engine = "podman", .place = p};
		_cleanup_json_ json_t *list = NULL;
		json_t *entry;
		size_t i;

		if (!str_ends(de->d_name, LIST))
			continue;
		driver = strndup(de->d_name, strlen(de->d_name) - strlen(LIST));
		file = str_fmt("%s/images.json", de->d_name);
		if (!driver || !file)
			return -ENOMEM;
		ref.sub = driver;
		if (storage_json(&top, file, &list, NULL) < 0)
			continue;
		json_array_foreach (list, i, entry) {
			r = add_entry(out, &ref, entry);
			if (r < 0)
				return r;
		}
	}
	if (!d)
		cleanup_close(&fd);
	return 0;
}

/* The image's topmost layer, a new string. */
static int top_layer(const struct storage *top, const struct image_ref *ref, char **out,
		     struct err *e)
{
	_cleanup_free_ char *file = str_fmt("%s" LIST "/images.json", ref->sub);
	_cleanup_json_ json_t *list = NULL;
	int r = file ? storage_json(top, file, &list, e) : -ENOMEM;

	if (r < 0)
		return r;
	*out = json_dup(graph_entry(list, ref->id), "layer");
	if (*out)
		return 0;
	return err_say(e, ENOENT, "the image '%s' was removed while Porthole looked at it",
		       ref->name ?: ref->id);
}

int graph_image(const struct target_roots *r, const struct image_ref *ref, struct store *out,
		struct err *e)
{
	const struct target_place *p = ref->place;
	struct storage top = {.fd = p->fd, .path = p->path};
	_cleanup_graph_ struct graph g = {};
	_cleanup_json_ json_t *config = NULL;
	_cleanup_free_ char *layer = NULL;
	int err = top_layer(&top, ref, &layer, e);

	if (err == 0)
		err = graph_open(r, p->path, ref->sub, p->owner, &g, e);
	if (err == 0)
		err = graph_layers(&g, layer, out, e);
	if (err < 0)
		return err;
	out->kind = str_fmt("podman %s image", ref->sub);
	if (graph_image_config(&g, ref->id, &config) == 0)
		err = image_config(config, &out->config);
	if (!out->kind || err < 0)
		return err_set(e, ENOMEM, "opening the image '%s'", ref->name ?: ref->id);
	out->user_xattr = p->owner != 0;
	return p->owner ? idmap_of_user(r, p->owner, out, e) : 0;
}

/* Docker's own image store: image/DRIVER/repositories.json has the names, imagedb the
 * configurations, layerdb leads from a chain of layers to the driver's directory. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "store/digest.h"
#include "store/docker.h"
#include "store/image.h"
#include "store/images.h"

static int add_names(struct image_refs *out, struct image_ref *ref, json_t *repositories)
{
	const char *repo, *name;
	json_t *names, *id;

	json_object_foreach (repositories, repo, names) {
		json_object_foreach (names, name, id) {
			const char *at = ref_digest(name);

			if (!digest_is(json_string_value(id)))
				continue;
			ref->name = (char *)name;
			ref->digest = (char *)at;
			ref->id = (char *)digest_hex(json_string_value(id));
			if (image_refs_add(out, ref) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

/* All that have a configuration: most of them have a name, too. */
static int add_ids(struct image_refs *out, struct image_ref *ref, int dir)
{
	_cleanup_dir_ DIR *d = dir_take(dir);
	struct dirent *de;

	ref->name = ref->digest = NULL;
	for (int left = IMAGES_MAX; d && left > 0 && (de = readdir(d)); left--) {
		if (strspn(de->d_name, "0123456789abcdef") != DIGEST_HEX || de->d_name[DIGEST_HEX])
			continue;
		ref->id = de->d_name;
		if (image_refs_add(out, ref) < 0)
			return -ENOMEM;
	}
	if (!d)
		cleanup_close(&dir);
	return 0;
}

static int add_driver(const struct target_place *p, const char *driver, struct image_refs *out)
{
	struct image_ref ref = {.engine = "docker", .place = p, .sub = (char *)driver};
	_cleanup_free_ char *file = str_fmt("image/%s/repositories.json", driver);
	_cleanup_free_ char *ids = str_fmt("image/%s/imagedb/content/sha256", driver);
	struct storage data = {.fd = p->fd, .path = p->path};
	_cleanup_json_ json_t *j = NULL;

	if (!file || !ids)
		return -ENOMEM;
	if (storage_json(&data, file, &j, NULL) == 0 &&
	    add_names(out, &ref, json_object_get(j, "Repositories")) < 0)
		return -ENOMEM;
	return add_ids(out, &ref, path_open_in_root(p->fd, ids, O_RDONLY | O_DIRECTORY));
}

int docker_images(const struct target_place *p, struct image_refs *out)
{
	int fd = path_open_in_root(p->fd, "image", O_RDONLY | O_DIRECTORY), r = 0;
	_cleanup_dir_ DIR *d = dir_take(fd);
	struct dirent *de;

	for (int left = 100; d && r == 0 && left > 0 && (de = readdir(d)); left--)
		if (de->d_name[0] != '.')
			r = add_driver(p, de->d_name, out);
	return r;
}

int docker_image(const struct target_roots *r, const struct image_ref *ref, struct store *out,
		 struct err *e)
{
	_cleanup_free_ char *file =
		str_fmt("image/%s/imagedb/content/sha256/%s", ref->sub, ref->id);
	struct storage data = {.fd = ref->place->fd, .path = ref->place->path};
	_cleanup_free_ char *link = NULL, *layer = NULL;
	_cleanup_json_ json_t *config = NULL;
	const char *name = ref->name ?: ref->id;
	char chain[DIGEST_TEXT];
	int err = file ? storage_json(&data, file, &config, e) : -ENOMEM;

	if (err < 0)
		return err;
	if (!image_chain_id(config, chain))
		return err_say(e, ENOTSUP, "the image '%s' has no layers", name);
	link = str_fmt("image/%s/layerdb/sha256/%s/cache-id", ref->sub, digest_hex(chain));
	out->kind = str_fmt("docker %s image", ref->sub);
	if (!link || !out->kind || image_config(config, &out->config) < 0)
		return err_set(e, ENOMEM, "opening the image '%s'", name);
	err = storage_name(&data, link, &layer, e);
	if (err == 0)
		err = docker_layers(&data, ref->sub, layer, name, out, e);
	return err < 0 ? err : docker_maps(r, ref->place->path, ref->place->owner, out, e);
}

#include "kit/contents.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

enum {
	MANIFEST_MAX = 16 << 20,
	PROGRAMS_MAX = 100000,
};
#define MANIFEST "manifest.json"

static int open_image(const struct kit *k, struct erofs **fs, struct err *e)
{
	if (k->kind == KIT_NONE)
		return err_say(e, EINVAL, "there is no kit to look into");
	return erofs_open(k->fd, k->offset, k->size, k->path, fs, e);
}

/* The manifest's text; NULL: there is none. */
static int manifest_text(const struct kit *k, char **text, size_t *len, struct err *e)
{
	_cleanup_erofs_ struct erofs *fs = NULL;
	struct erofs_inode in;
	int r;

	if (k->kind == KIT_DIR) {
		r = file_read_at(k->fd, MANIFEST, MANIFEST_MAX, text, len);
		return r == -ENOENT || r == 0
			       ? 0
			       : err_set(e, r, "cannot read %s of %s", MANIFEST, k->path);
	}
	r = open_image(k, &fs, e);
	if (r == 0)
		r = erofs_lookup(fs, "/" MANIFEST, &in, e);
	if (r == -ENOENT)
		return 0;
	return r == 0 ? erofs_read_all(fs, &in, MANIFEST_MAX, text, len, e) : r;
}

int kit_manifest(const struct kit *k, json_t **out, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ json_t *j = NULL;
	int64_t format;
	size_t len = 0;
	int r = manifest_text(k, &text, &len, e);

	if (r < 0)
		return r;
	j = text ? json_loadb(text, len, 0, NULL) : json_object();
	if (!json_is_object(j))
		return err_say(e, EBADMSG, "the kit %s is damaged: its %s is no JSON object",
			       k->path, MANIFEST);
	format = json_int(j, "format", KIT_MANIFEST_FORMAT);
	if (format > KIT_MANIFEST_FORMAT)
		return err_say(e, ENOTSUP,
			       "the kit %s is of a later format (%lld): use a newer Porthole",
			       k->path, (long long)format);
	*out = TAKE_PTR(j);
	return 0;
}

static int add_program(void *arg, const struct erofs_dirent *d, struct err *e)
{
	struct strv *v = arg;

	if (v->n >= PROGRAMS_MAX)
		return err_say(e, EFBIG, "the kit has more than %d programs", PROGRAMS_MAX);
	return strv_add(v, d->name) < 0 ? err_set(e, ENOMEM, "listing a kit") : 0;
}

static int programs_of_dir(const struct kit *k, struct strv *out, struct err *e)
{
	_cleanup_dir_ DIR *d = dir_open(k->fd, "b");
	struct dirent *entry;

	if (!d)
		return err_set(e, errno, "cannot read b/ of %s", k->path);
	while ((entry = dir_next(d))) {
		struct erofs_dirent as = {};
		int r;

		memcpy(as.name, entry->d_name, strlen(entry->d_name));
		r = add_program(out, &as, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int kit_programs(const struct kit *k, struct strv *out, struct err *e)
{
	_cleanup_erofs_ struct erofs *fs = NULL;
	struct erofs_inode in;
	int r;

	if (k->kind == KIT_DIR) {
		r = programs_of_dir(k, out, e);
	} else {
		r = open_image(k, &fs, e);
		if (r == 0)
			r = erofs_lookup(fs, "/b", &in, e);
		if (r == -ENOENT)
			return err_say(e, EBADMSG, "%s is no kit: it has no directory b", k->path);
		if (r == 0)
			r = erofs_dir_each(fs, &in, add_program, out, e);
	}
	if (r == 0 && out->n)
		qsort(out->v, out->n, sizeof(*out->v), by_name);
	return r;
}

/* The text of the link b/`name`; NULL: it is no link. */
static int link_text(const struct kit *k, const char *name, char **out, struct err *e)
{
	_cleanup_erofs_ struct erofs *fs = NULL;
	_cleanup_free_ char *path = str_fmt("b/%s", name);
	char text[PATH_MAX];
	struct erofs_inode in;
	int r;

	if (!path)
		return err_set(e, ENOMEM, "listing a kit");
	if (k->kind == KIT_DIR) {
		if (link_read_at(k->fd, path, text, sizeof(text)) > 0 && !(*out = strdup(text)))
			return err_set(e, ENOMEM, "listing a kit");
		return 0;
	}
	r = open_image(k, &fs, e);
	if (r == 0)
		r = erofs_lookup(fs, path, &in, e);
	if (r == 0 && S_ISLNK(in.mode))
		r = erofs_read_all(fs, &in, PATH_MAX - 1, out, NULL, e);
	return r;
}

int kit_program_link(const struct kit *k, const char *name, char **out, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	int r = link_text(k, name, &text, e);

	*out = r == 0 && text && !strchr(text, '/') ? TAKE_PTR(text) : NULL;
	return r;
}

int kit_super(const struct kit *k, struct erofs_super *out, struct err *e)
{
	_cleanup_erofs_ struct erofs *fs = NULL;
	int r;

	*out = (struct erofs_super){};
	if (k->kind == KIT_DIR)
		return 0;
	r = open_image(k, &fs, e);
	if (r == 0)
		*out = *erofs_super(fs);
	return r;
}

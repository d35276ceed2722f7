#include "store/image.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "store/below.h"
#include "store/fill.h"
#include "store/untar.h"
#include "sys/fsmount.h"

void image_done(struct image *img)
{
	for (size_t i = 0; i < img->n; i++) {
		free(img->v[i].file);
		free(img->v[i].digest);
		free(img->v[i].diff_id);
	}
	free(img->v);
	json_decref(img->config);
	free(img->digest);
	free(img->name);
	*img = (struct image){};
}

int image_add_layer(struct image *img, const char *file, const char *digest, const char *diff_id)
{
	struct image_layer l = {
		.file = strdup(file),
		.digest = digest ? strdup(digest) : NULL,
		.diff_id = diff_id ? strdup(diff_id) : NULL,
	};
	void *v = reallocarray(img->v, img->n + 1, sizeof(*img->v));

	if (v)
		img->v = v;
	if (!v || !l.file || (digest && !l.digest) || (diff_id && !l.diff_id)) {
		free(l.file);
		free(l.digest);
		free(l.diff_id);
		return -ENOMEM;
	}
	img->v[img->n++] = l;
	return 0;
}

const char *image_diff_id(json_t *config, size_t n)
{
	return json_string_value(json_array_get(json_at(config, "rootfs.diff_ids"), n));
}

bool image_chain_id(json_t *config, char out[DIGEST_TEXT])
{
	const char *diff;
	size_t n = 0;

	while ((diff = image_diff_id(config, n)) && digest_is(diff)) {
		struct digest d;

		digest_init(&d);
		digest_add(&d, out, n ? DIGEST_TEXT - 1 : 0);
		digest_add(&d, " ", n ? 1 : 0);
		digest_add(&d, diff, DIGEST_TEXT - 1);
		if (n++)
			digest_text(&d, out);
		else
			memcpy(out, diff, DIGEST_TEXT);
	}
	return n > 0;
}

/* How it asks to be run, by labels that have two ways to be written. */
static int fill_labels(json_t *labels, struct strv *out)
{
	static const char *const names[][2] = {
		{"RUN", "run"}, {"INSTALL", "install"}, {"UNINSTALL", "uninstall"}};
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(names) && r == 0; i++) {
		const char *text = json_string_value(json_object_get(labels, names[i][0]));

		if (!text)
			text = json_string_value(json_object_get(labels, names[i][1]));
		if (text)
			r = strv_push(out, str_fmt("%s=%s", names[i][0], text));
	}
	return r;
}

int image_config_part(json_t *config, struct store_config *out)
{
	out->user = json_dup(config, "User");
	out->cwd = json_dup(config, "WorkingDir");
	out->hostname = json_dup(config, "Hostname");
	if (json_strings(json_object_get(config, "Entrypoint"), SIZE_MAX, &out->entrypoint) < 0 ||
	    json_strings(json_object_get(config, "Cmd"), SIZE_MAX, &out->cmd) < 0 ||
	    json_strings(json_object_get(config, "Env"), SIZE_MAX, &out->env) < 0 ||
	    fill_labels(json_object_get(config, "Labels"), &out->labels) < 0)
		return -ENOMEM;
	fill_shell_form(out);
	return 0;
}

int image_config(json_t *image, struct store_config *out)
{
	out->os = json_dup(image, "os");
	out->arch = json_dup(image, "architecture");
	return image_config_part(json_object_get(image, "config"), out);
}

/* Before Linux 6.15 a directory of a mount that is attached nowhere can be mounted nowhere: there
 * it lies over / in a mount namespace of our own, whose root we do not take. */
static int attach_privately(int temp, struct err *e)
{
	_cleanup_close_ int clone = -EBADF, dir = -EBADF;

	if (mkdirat(temp, "probe", 0700) < 0)
		return err_set(e, errno, "making room to unpack in");
	dir = openat(temp, "probe", O_PATH | O_DIRECTORY | O_CLOEXEC);
	clone = open_tree(dir, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	unlinkat(temp, "probe", AT_REMOVEDIR);
	if (clone >= 0)
		return 0;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
	    move_mount(temp, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_set(e, errno, "making a private mount namespace to unpack in");
	return 0;
}

int image_temp(uint64_t limit, struct store *out, struct err *e)
{
	char size[32], inodes[32];
	const struct fs_opt opts[] = {
		{"size", size}, {"nr_inodes", inodes}, {"mode", "0700"}, {NULL, NULL}};

	snprintf(size, sizeof(size), "%llu", (unsigned long long)limit);
	snprintf(inodes, sizeof(inodes), "%llu", (unsigned long long)limit / 2048 + 64);
	out->temp = fs_mount_detached("tmpfs", opts, 0, NULL, e);
	if (out->temp == -EPERM)
		err_hint(e, "needs root: run with sudo");
	return out->temp < 0 ? out->temp : attach_privately(out->temp, e);
}

static int unpack_layer(const struct image *img, size_t i, const struct files *f,
			const struct untar *u, struct budget *budget, struct err *e)
{
	const struct image_layer *l = &img->v[i];
	_cleanup_blob_ struct blob blob = BLOB_INIT;
	_cleanup_stream_ struct stream s = {};
	bool again = false;
	int r = files_open(f, l->file, &blob);

	if (r == -ENOENT)
		return err_say(e, ENOENT, "its file '%.200s' is missing", l->file);
	if (r == -EXDEV)
		return err_say(e, EXDEV, "its file '%.200s' leads outside", l->file);
	if (r < 0)
		return err_set(e, r, "cannot read its file '%.200s'", l->file);
	r = stream_open(&s, &blob, budget, e);
	if (r == 0)
		r = untar(u, &s, e);
	if (r == 0)
		r = stream_finish(&s, l->digest, l->diff_id, e);
	else if (r == -EBADMSG || r == -EXDEV)
		stream_damaged(&s, l->digest, e); /* no wonder then */
	for (size_t k = i + 1; k < img->n; k++)
		again |= str_eq(img->v[k].file, l->file);
	if (r == 0 && !again)
		files_drop(f, &blob);
	return r;
}

/* Put the reason into a sentence. */
static int in_words(const struct image *img, size_t i, const char *what, const struct err *why,
		    struct err *e)
{
	err_say(e, why->num, "cannot unpack layer %zu of %zu of %s: %s", i + 1, img->n, what,
		why->msg);
	if (why->num == ENOSPC || why->num == EFBIG)
		err_hint(e, "unpack it to a directory and give that one: it needs no memory");
	return -why->num;
}

/* Each layer a directory, lowest first: the directories that it does not mention are taken from
 * those before it. fds[n - 1 - i] is layer i. */
static int unpack_layers(const struct image *img, const struct files *f, const char *what,
			 struct budget *budget, int temp, int *fds, struct err *e)
{
	for (size_t i = 0; i < img->n; i++) {
		int *fd = &fds[img->n - 1 - i];
		struct untar u = {.lower = fd + 1, .n_lower = i, .layer = true};
		struct err why = {};
		char name[32];

		snprintf(name, sizeof(name), "%zu", i + 1);
		if (mkdirat(temp, name, 0755) < 0)
			return err_set(e, errno, "cannot unpack %s", what);
		*fd = openat(temp, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (*fd < 0)
			return err_set(e, errno, "cannot unpack %s", what);
		u.root = *fd;
		if (unpack_layer(img, i, f, &u, budget, &why) < 0)
			return in_words(img, i, what, &why, e);
	}
	return 0;
}

static int fill(const struct image *img, const char *what, int *fds, struct store *out,
		struct err *e)
{
	int r = image_config(img->config, &out->config);
	bool hidden = false;

	/* overlayfs does not look whether a layer's root is opaque */
	for (size_t i = 0; i < img->n && !hidden && r == 0; i++) {
		hidden = below_is_opaque(fds[i]);
		r = store_add_layer(out, TAKE_FD(fds[i]),
				    str_fmt("%s, layer %zu", what, img->n - i));
	}
	if (r == 0 && !out->label) {
		out->label = strdup(img->name ? img->name : what);
		r = out->label ? 0 : -ENOMEM;
	}
	return r < 0 ? err_set(e, r, "cannot unpack %s", what) : 0;
}

int image_unpack(const struct image *img, const struct files *f, const char *what,
		 struct budget *budget, struct store *out, struct err *e)
{
	int fds[STORE_LAYERS_MAX], r;

	if (img->n == 0 || img->n > STORE_LAYERS_MAX)
		return err_say(e, ENOTSUP, "%s has %zu layers: there must be 1 to %d", what, img->n,
			       STORE_LAYERS_MAX);
	for (size_t i = 0; i < img->n; i++) {
		_cleanup_blob_ struct blob b = BLOB_INIT;

		fds[i] = -EBADF;
		if (files_open(f, img->v[i].file, &b) == 0)
			budget->total += b.size;
	}
	r = unpack_layers(img, f, what, budget, out->temp, fds, e);
	if (r == 0)
		r = fill(img, what, fds, out, e);
	for (size_t i = 0; i < img->n; i++)
		cleanup_close(&fds[i]);
	return r;
}

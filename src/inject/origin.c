#include "inject/origin.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/stat.h>

#include "sys/fsmount.h"

void origin_done(struct origin *s)
{
	store_done(&s->store);
	cleanup_close(&s->root);
	free(s->label);
	*s = ORIGIN_INIT;
}

/* A tmpfs that nobody else sees. */
static int open_busybox(const struct origin_ask *a, struct origin *out, struct err *e)
{
	static const struct fs_opt opts[] = {{.key = "mode", .value = "755"}, {}};
	_cleanup_close_ int mnt = -EBADF;
	int r;

	if (a->packages->n)
		return err_say(e, EINVAL, "packages can be put in with --from debian only");
	mnt = fs_mount_detached("tmpfs", opts, 0, NULL, e);
	if (mnt < 0)
		return mnt;
	r = openat(mnt, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r < 0)
		return err_set(e, errno, "making a directory in memory");
	out->root = r;
	out->yields = true;
	return origin_busybox(out->root, out, &a->progress, e);
}

/* FILE, FILE:NAME, DIR, image://REF or an image's name. */
static int open_files(const struct target_roots *r, const char *from, struct origin *out,
		      struct err *e)
{
	_cleanup_free_ char *path = strdup(from);
	char *colon = path ? strchr(path, ':') : NULL;
	struct stat st;

	if (!path)
		return err_set(e, ENOMEM, "opening %s", from);
	if (str_starts(from, "image://"))
		return store_of_image(r, from + strlen("image://"), &out->store, e);
	if (stat(from, &st) == 0)
		return store_of_path(from, NULL, 0, NULL, NULL, &out->store, e);
	for (; colon; colon = strchr(colon + 1, ':')) {
		*colon = '\0';
		if (stat(path, &st) == 0)
			return store_of_path(path, colon + 1, 0, NULL, NULL, &out->store, e);
		*colon = ':';
	}
	if (*from == '/' || *from == '.')
		return err_set(e, ENOENT, "opening %s", from);
	return store_of_image(r, from, &out->store, e);
}

static int mount_files(struct origin *out, struct err *e)
{
	_cleanup_close_ int mnt = -EBADF;

	if (store_is_foreign(&out->store))
		return err_say(e, ENOEXEC, "'%s' is for %s, which this machine is not",
			       out->store.label ? out->store.label : "?", out->store.config.arch);
	mnt = store_mount_ro(&out->store, NULL, e);
	if (mnt < 0)
		return mnt;
	out->root = openat(mnt, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return out->root < 0 ? err_set(e, errno, "opening the files to put in") : 0;
}

int origin_open(const struct target_roots *r, const struct origin_ask *a, struct origin *out,
		struct err *e)
{
	const char *from = a->from ? a->from : "debian";
	_cleanup_free_ char *path = NULL;
	int ret;

	*out = ORIGIN_INIT;
	if (str_eq(from, "busybox"))
		return open_busybox(a, out, e);
	if (str_eq(from, "debian")) {
		ret = origin_debian(a, &path, e);
		if (ret == 0)
			ret = store_of_path(path, NULL, 0, NULL, NULL, &out->store, e);
		out->label = out->label ? out->label : strdup("debian");
	} else if (a->packages->n) {
		return err_say(e, EINVAL, "packages can be put in with --from debian only");
	} else {
		ret = open_files(r, from, out, e);
		out->label = strdup(from);
	}
	if (ret == 0 && !out->label)
		ret = err_set(e, ENOMEM, "opening %s", from);
	return ret < 0 ? ret : mount_files(out, e);
}

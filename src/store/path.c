/* store_of_path(): an archive or a directory, whatever is in it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "store/image.h"
#include "store/store.h"
#include "store/below.h"
#include "store/untar.h"

/* What is looked for, and what it may cost. */
struct ask {
	const char *path, *name;
	struct budget budget;
	struct store *out;
};

/* Put the reason into a sentence. Returns its number. */
static int about(const struct ask *a, const struct err *why, struct err *e)
{
	err_say(e, why->num, "cannot read '%s': %s", a->path, why->msg);
	if (why->hint[0])
		err_hint(e, "%s", why->hint);
	else if (why->num == ENOTUNIQ)
		err_hint(e, "give its name behind a colon: %s:NAME", a->path);
	else if (why->num == ENOSPC || why->num == EFBIG)
		err_hint(e, "unpack it to a directory and give that one: it needs no memory");
	return -why->num;
}

static int describe(struct store *out, const char *label, const char *kind)
{
	if (!out->label)
		out->label = strdup(label);
	out->kind = strdup(kind);
	return out->label && out->kind ? 0 : -ENOMEM;
}

/* An image in `f`: find it, unpack its layers. */
static int of_image(struct ask *a, const struct files *f, enum image_format format,
		    const char *kind, struct err *e)
{
	_cleanup_image_ struct image img = {};
	struct err why = {};
	int r = image_find(f, format, a->name, &img, &why);

	if (r < 0)
		return about(a, &why, e);
	if (a->out->temp < 0)
		r = image_temp(a->budget.limit, a->out, e);
	if (r == 0)
		r = image_unpack(&img, f, a->path, &a->budget, a->out, e);
	if (r == 0 && describe(a->out, a->path, kind) < 0)
		r = err_set(e, ENOMEM, "cannot read '%s'", a->path);
	return r;
}

static const char *kind_of(enum image_format format, bool dir)
{
	static const char *const kinds[][2] = {
		[IMAGE_NONE] = {"archive of a root filesystem", "directory"},
		[IMAGE_OCI] = {"OCI archive", "OCI layout"},
		[IMAGE_DOCKER] = {"docker archive", "unpacked docker archive"},
		[IMAGE_DIR] = {"archive of an image directory", "image directory"},
		[IMAGE_OLD] = {"docker archive", "unpacked docker archive"},
		[IMAGE_BAD] = {"archive", "directory"},
	};

	return kinds[format][dir];
}

/* A root filesystem, as it is. */
static int of_root(struct ask *a, int fd, const char *kind, struct err *e)
{
	int r = store_add_layer(a->out, fd, strdup(a->path));

	if (r == 0)
		r = describe(a->out, a->path, kind);
	if (r == 0 && a->name)
		return err_say(
			e, EINVAL,
			"'%s' is the files of a container, not an image: there is no '%s' in "
			"it to choose",
			a->path, a->name);
	return r < 0 ? err_set(e, r, "cannot read '%s'", a->path) : 0;
}

static int of_dir(struct ask *a, int fd, struct err *e)
{
	_cleanup_files_ struct files f = FILES_INIT;
	enum image_format format;

	f.dir = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f.dir < 0) {
		cleanup_close(&fd);
		return err_set(e, errno, "cannot read '%s'", a->path);
	}
	format = image_format(&f);
	if (format == IMAGE_NONE)
		return of_root(a, fd, kind_of(format, true), e);
	cleanup_close(&fd);
	return of_image(a, &f, format, kind_of(format, true), e);
}

/* Unpack the whole file to `name` below the temporary mount. A descriptor of that. */
static int unpack_whole(struct ask *a, int file, const char *name, struct err *e)
{
	_cleanup_blob_ struct blob b = {.fd = fcntl(file, F_DUPFD_CLOEXEC, 3)};
	_cleanup_stream_ struct stream s = {};
	_cleanup_close_ int fd = -EBADF;
	struct untar u = {};
	struct stat st;
	int r;

	if (b.fd < 0 || fstat(b.fd, &st) < 0)
		return err_set(e, errno, "cannot open it again");
	b.size = a->budget.total = (uint64_t)st.st_size;
	if (mkdirat(a->out->temp, name, 0755) < 0)
		return err_set(e, errno, "cannot unpack it");
	fd = u.root = openat(a->out->temp, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, errno, "cannot unpack it");
	r = stream_open(&s, &b, &a->budget, e);
	if (r == 0)
		r = untar(&u, &s, e);
	if (r == 0) /* a checksum may be at its end */
		r = stream_finish(&s, NULL, NULL, e);
	if (r == -EBADMSG && s.plain)
		err_hint(e, "what docker save, podman save and docker export write is understood, "
			    "plain or compressed by gzip, xz, zstd or bzip2");
	return r < 0 ? r : TAKE_FD(fd);
}

static bool is_any(const char *name)
{
	(void)name;
	return true;
}

/* Compressed: what is in it shows once it is unpacked. */
static int of_stream(struct ask *a, int file, struct err *e)
{
	_cleanup_files_ struct files f = FILES_INIT;
	static const char name[] = "archive";
	enum image_format format;
	struct err why = {};
	int r = image_temp(a->budget.limit, a->out, e);

	if (r < 0)
		return r;
	f.ours = true;
	f.dir = unpack_whole(a, file, name, &why);
	if (f.dir < 0)
		return about(a, &why, e);
	format = image_format(&f);
	if (format == IMAGE_NONE && !files_any(&f, is_any))
		return err_say(e, ENODATA, "'%s' is an archive without any files in it", a->path);
	if (format == IMAGE_NONE) {
		r = openat(f.dir, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
		return r < 0 ? err_set(e, errno, "cannot read '%s'", a->path)
			     : of_root(a, r, kind_of(format, false), e);
	}
	a->budget.done = a->budget.total = 0;
	r = of_image(a, &f, format, kind_of(format, false), e);
	if (r == 0 && below_remove(a->out->temp, name) < 0)
		r = err_say(e, EIO, "cannot remove the unpacked copy of '%s'", a->path);
	return r;
}

static int of_file(struct ask *a, int file, struct err *e)
{
	_cleanup_files_ struct files f = FILES_INIT;
	enum image_format format = IMAGE_NONE;
	int dup = fcntl(file, F_DUPFD_CLOEXEC, 3), r;
	struct err why = {};

	if (dup < 0)
		return err_set(e, errno, "cannot read '%s'", a->path);
	r = files_of_tar(dup, &a->budget, &f, &why);
	if (r < 0 && r != -EBADMSG)
		return about(a, &why, e);
	if (r == 0)
		format = image_format(&f);
	if (format == IMAGE_NONE)
		return of_stream(a, file, e);
	if (f.more)
		return err_say(e, ENOTSUP, "cannot read '%s': it has too many files for an image",
			       a->path);
	return of_image(a, &f, format, kind_of(format, false), e);
}

int store_of_path(const char *path, const char *name, uint64_t limit,
		  void (*progress)(uint64_t done, uint64_t total, void *data), void *data,
		  struct store *out, struct err *e)
{
	_cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);
	struct ask a = {.path = path, .name = name, .out = out};
	_cleanup_close_ int file = -EBADF;
	struct stat st;

	*out = STORE_INIT;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, errno, "cannot open '%s'", path);
	a.budget = budget_of(limit ? limit : budget_default());
	a.budget.progress = progress;
	a.budget.data = data;
	if (S_ISDIR(st.st_mode))
		return of_dir(&a, TAKE_FD(fd), e);
	file = path_reopen(fd);
	if (file == -ENOTSUP)
		return err_say(e, ENOTSUP, "'%s' is neither an archive nor a directory", path);
	if (file < 0)
		return err_set(e, file, "cannot open '%s'", path);
	if (S_ISREG(st.st_mode) && st.st_size == 0)
		return err_say(e, EBADMSG, "'%s' is empty", path);
	return of_file(&a, file, e);
}

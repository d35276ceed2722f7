#include "store/storage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/path.h"

void storage_close(struct storage *s)
{
	cleanup_close(&s->fd);
	free(s->path);
	*s = STORAGE_INIT;
}

/* "run with sudo", where that is what it takes. */
static int opened(int num, const char *dir, const char *path, struct err *e)
{
	err_set(e, num, "opening %s%s%s", dir, *path ? "/" : "", path);
	if (num == -EACCES || num == -EPERM)
		err_hint(e, "an engine's storage is root's: run with sudo");
	return num;
}

int storage_open(const struct target_roots *r, const char *path, struct storage *out, struct err *e)
{
	*out = STORAGE_INIT;
	out->fd = path_open_in_root(r->root_fd, path, O_PATH | O_DIRECTORY);
	if (out->fd < 0)
		return opened(out->fd, path, "", e);
	out->path = strdup(path);
	if (out->path)
		return 0;
	storage_close(out);
	return err_set(e, ENOMEM, "opening %s", path);
}

int storage_below(const struct storage *s, const char *path, struct storage *out, struct err *e)
{
	*out = STORAGE_INIT;
	out->fd = path_open_in_root(s->fd, path, O_PATH | O_DIRECTORY);
	if (out->fd < 0)
		return opened(out->fd, s->path, path, e);
	out->path = str_fmt("%s/%s", s->path, path);
	if (out->path)
		return 0;
	storage_close(out);
	return err_set(e, ENOMEM, "opening %s/%s", s->path, path);
}

bool storage_has(const struct storage *s, const char *path)
{
	_cleanup_close_ int fd = path_open_in_root(s->fd, path, O_PATH | O_NOFOLLOW);

	return fd >= 0;
}

int storage_bad(struct err *e, const struct storage *s, const char *path, const char *fmt, ...)
{
	char what[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	err_say(e, EBADMSG, "%s/%s is damaged: %s", s->path, path, what);
	err_hint(e,
		 "what is left of the layers can be looked at one by one: porthole exec DIR/, with "
		 "a "
		 "directory below %s",
		 s->path);
	return -EBADMSG;
}

int storage_gone(const struct target *t, bool in_books, struct err *e)
{
	if (!in_books) {
		err_say(e, ENOENT, "'%s' was removed while Porthole looked at it", t->name);
		return -ENOENT;
	}
	if (e)
		e->num = EBADMSG;
	err_hint(e,
		 "'%s' is half deleted: remove it with %s, or look at what is left of it as plain "
		 "directories (porthole exec DIR/)",
		 t->name, t->engine);
	return -EBADMSG;
}

int storage_read(const struct storage *s, const char *path, size_t max, char **out, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = path_read_in_root(s->fd, path, max, &text, &len);

	if (r == -ENOMEM)
		return err_set(e, ENOMEM, "reading %s/%s", s->path, path);
	if (r == -EFBIG)
		return storage_bad(e, s, path, "it is larger than %zu bytes", max);
	if (r == -ENOTSUP)
		return storage_bad(e, s, path, "it is no regular file");
	if (r < 0)
		return opened(r, s->path, path, e);
	if (memchr(text, '\0', len))
		return storage_bad(e, s, path, "it holds NUL bytes");
	*out = TAKE_PTR(text);
	return 0;
}

int storage_json(const struct storage *s, const char *path, json_t **out, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	json_error_t why;
	int r = storage_read(s, path, JSON_FILE_MAX, &text, e);

	if (r < 0)
		return r;
	*out = json_loads(text, 0, &why);
	if (!*out)
		return storage_bad(e, s, path, "it is not JSON from line %d on", why.line);
	return 0;
}

int storage_name(const struct storage *s, const char *path, char **out, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	int r = storage_read(s, path, STORAGE_TEXT_MAX, &text, e);

	if (r < 0)
		return r;
	text[strcspn(text, "\n")] = '\0';
	if (!path_is_component(text))
		return storage_bad(e, s, path, "'%.64s' cannot be a layer's name", text);
	*out = TAKE_PTR(text);
	return 0;
}

/* Open a directory that is there itself, not by a link. */
static int open_plain(int dir, const char *path)
{
	_cleanup_close_ int fd = path_open_in_root(dir, path, O_PATH | O_NOFOLLOW);
	int r = fd < 0 ? fd : fd_dir_check(fd);

	return r < 0 ? r : TAKE_FD(fd);
}

int storage_layer(const struct storage *s, const char *dir, const char *name, struct store *out,
		  struct err *e)
{
	_cleanup_free_ char *path = str_fmt("%s%s%s", dir, name ? "/" : "", name ? name : "");
	_cleanup_close_ int base = path ? open_plain(s->fd, dir) : -ENOMEM;
	int fd = base < 0 || !name ? TAKE_FD(base) : open_plain(base, name);

	if (!path)
		return err_set(e, ENOMEM, "opening layers");
	if (fd == -ELOOP || fd == -ENOTDIR)
		return storage_bad(e, s, path, "it is no directory");
	if (fd == -ENOENT)
		return storage_bad(e, s, path, "this layer's files are gone");
	if (fd < 0)
		return opened(fd, s->path, path, e);
	switch (store_add_layer(out, fd, str_fmt("%s/%s", s->path, path))) {
	case 0:
		return 0;
	case -E2BIG:
		return storage_bad(e, s, dir, "it has more than %d layers", STORE_LAYERS_MAX);
	default:
		return err_set(e, ENOMEM, "opening layers");
	}
}

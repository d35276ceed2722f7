#include "files/ends.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

enum { LINKS_FOLLOWED = 40 };

void source_done(struct source *s)
{
	cleanup_close(&s->fd);
	free(s->name);
	*s = SOURCE_INIT;
}

void dest_done(struct dest *d)
{
	cleanup_close(&d->dir);
	free(d->name);
	*d = DEST_INIT;
}

/* Whether it ends in "/", "/." or "/..", or is one of those alone: then it is a directory. */
static bool ends_as_dir(const char *path)
{
	const char *slash = strrchr(path, '/'), *last = slash ? slash + 1 : path;

	return (slash && !*last) || str_eq(last, ".") || str_eq(last, "..");
}

/* The last name, without slashes and "." behind it; "." when there is none. A new string. */
static char *last_name(const char *path)
{
	size_t n = strlen(path), start;

	for (;;) {
		while (n && path[n - 1] == '/')
			n--;
		if (n >= 2 && path[n - 1] == '.' && path[n - 2] == '/')
			n--;
		else
			break;
	}
	for (start = n; start && path[start - 1] != '/'; start--)
		;
	if (start == n || (n - start == 2 && strncmp(path + start, "..", 2) == 0))
		return strdup(".");
	return strndup(path + start, n - start);
}

int source_open(const struct place *p, const char *path, bool follow, struct source *out,
		struct err *e)
{
	bool dir = ends_as_dir(path);

	*out = SOURCE_INIT;
	out->fd = place_open(p, path,
			     O_PATH | (follow || dir ? 0 : O_NOFOLLOW) | (dir ? O_DIRECTORY : 0));
	if (out->fd < 0)
		return place_err(p, out->fd, "cannot copy", path, e);
	out->name = last_name(path);
	if (!out->name || fstat(out->fd, &out->st) < 0)
		return err_set(e, out->name ? errno : ENOMEM, "opening %s", path);
	out->contents = S_ISDIR(out->st.st_mode) &&
			(str_eq(out->name, ".") || (dir && path[strlen(path) - 1] == '.'));
	return 0;
}

/* Into the directory `fd` (taken over). */
static int into(int fd, const struct source *s, struct dest *out, struct err *e)
{
	out->dir = fd;
	out->name = strdup(s->contents ? "." : s->name);
	return out->name ? 0 : err_set(e, ENOMEM, "copying");
}

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Something is there that is no directory. */
static int check_replaced(const struct place *p, const struct stat *st, const char *path,
			  const struct source *s, struct err *e)
{
	if (S_ISDIR(s->st.st_mode))
		return err_say(e, ENOTDIR,
			       "%s is no directory, and so the directory '%s' cannot be "
			       "copied to it",
			       path, s->name);
	if (ends_as_dir(path))
		return place_err(p, -ENOTDIR, "cannot copy to", path, e);
	if (same(st, &s->st))
		return err_say(e, EINVAL, "both are the same file: %s", path);
	return 0;
}

/* Nothing is there, or something that is replaced: its name, in the directory that it is in. A link
 * gives way to where it leads. */
int dest_beside(const struct place *p, const char *path, struct dest *out, struct err *e)
{
	_cleanup_free_ char *at = strdup(path);
	char text[PATH_MAX];

	for (int i = 0; i < LINKS_FOLLOWED; i++) {
		int r = at ? place_parent(p, at, &out->dir, &out->name) : -ENOMEM;
		char *slash, *next;

		if (r < 0)
			return place_err(p, r, "there is no directory for", path, e);
		if (link_read_at(out->dir, out->name, text, sizeof(text)) < 0)
			return 0;
		dest_done(out);
		slash = strrchr(at, '/');
		next = *text == '/' || !slash ? strdup(text)
					      : str_fmt("%.*s/%s", (int)(slash - at), at, text);
		free(at);
		at = next;
	}
	return place_err(p, -ELOOP, "cannot copy to", path, e);
}

int dest_open(const struct place *p, const char *path, const struct source *s, struct dest *out,
	      struct err *e)
{
	_cleanup_close_ int fd = place_open(p, path, O_PATH);
	struct stat st;
	int r;

	*out = DEST_INIT;
	if (fd >= 0 && fstat(fd, &st) < 0)
		return place_err(p, -errno, "looking at", path, e);
	if (fd >= 0 && S_ISDIR(st.st_mode))
		return into(TAKE_FD(fd), s, out, e);
	if (fd < 0 && fd != -ENOENT)
		return place_err(p, fd, "cannot copy to", path, e);
	if (fd < 0 && ends_as_dir(path) && !S_ISDIR(s->st.st_mode)) {
		err_say(e, ENOENT, "the directory %s does not exist%s%s", path,
			*p->label ? " in " : "", p->label);
		err_hint(e, "without the slash at its end it would be the name of the copy");
		return -ENOENT;
	}
	r = fd >= 0 ? check_replaced(p, &st, path, s, e) : 0;
	return r < 0 ? r : dest_beside(p, path, out, e);
}

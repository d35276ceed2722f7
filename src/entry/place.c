/* Where a path leads below a hostile root, and who may go there. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "entry/lint_priv.h"

enum { PLACE_LINKS = 40, PLACE_STEPS = 256 };

void root_place_done(struct place *p)
{
	cleanup_close(&p->fd);
	p->fd = -EBADF;
}

/* ---- rights ---- */

static bool is_of(const struct lint *l, const struct stat *st)
{
	const struct lint_who *w = &l->who;
	bool map = l->en->gids.n && !l->en->ids_inside;
	uint32_t gid = map ? idmap_to_inside(&l->en->gids, st->st_gid) : st->st_gid;

	for (size_t i = 0; i < w->n_groups; i++)
		if (w->groups[i] == gid)
			return true;
	return w->gid == gid;
}

bool lint_may(const struct lint *l, const struct stat *st, int fd, unsigned mask)
{
	bool map = l->en->uids.n && !l->en->ids_inside;
	uint32_t uid = map ? idmap_to_inside(&l->en->uids, st->st_uid) : st->st_uid;
	unsigned shift = uid == l->who.uid ? 6 : is_of(l, st) ? 3 : 0;
	char self[sizeof("/proc/self/fd/-2147483648")];

	if ((st->st_mode >> shift & mask) == mask)
		return true;
	/* capabilities hold for files whose owner exists in the user namespace */
	if (uid != (uint32_t)-1 && l->who.override &&
	    (S_ISDIR(st->st_mode) || !(mask & 1) || st->st_mode & 0111))
		return true;
	if (uid != (uint32_t)-1 && l->who.search &&
	    (mask == 4 || (mask == 1 && S_ISDIR(st->st_mode))))
		return true;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	return fd >= 0 && getxattr(self, "system.posix_acl_access", NULL, 0) > 0;
}

bool place_may(const struct lint *l, const struct place *p, unsigned mask)
{
	return lint_may(l, &p->st, p->fd, mask);
}

/* ---- the walk ---- */

struct walk {
	char rest[PATH_MAX]; /* still to be walked, from `p` on */
	const char *p;
	unsigned links, steps;
};

/* Put the text of a link before what is still to be walked. */
static int follow(struct walk *w, const char *link, char real[PATH_MAX])
{
	char tmp[PATH_MAX];
	int n;

	if (++w->links > PLACE_LINKS)
		return -ELOOP;
	n = snprintf(tmp, sizeof(tmp), "%s%s", link, w->p);
	if (n < 0 || (size_t)n >= sizeof(tmp))
		return -ENAMETOOLONG;
	memcpy(w->rest, tmp, (size_t)n + 1);
	w->p = w->rest;
	if (link[0] == '/')
		real[0] = '\0';
	return 0;
}

static void up(char real[PATH_MAX])
{
	char *slash = strrchr(real, '/');

	if (slash)
		*slash = '\0';
}

/* One name further, which becomes a part of p->real. 1 when that is reached and no link, 0 when a
 * link was followed, or -errno. */
static int step(const struct lint *l, struct walk *w, struct place *p, const char *name)
{
	size_t n = strlen(p->real), len = strlen(name);
	char link[PATH_MAX];
	int r;

	if (n + 1 + len >= PATH_MAX)
		return -ENAMETOOLONG;
	p->real[n] = '/';
	memcpy(p->real + n + 1, name, len + 1);
	root_place_done(p);
	p->fd = path_open_in_root(l->root, p->real, O_PATH | O_NOFOLLOW);
	if (p->fd < 0)
		return p->fd;
	if (fstat(p->fd, &p->st) < 0)
		return -errno;
	if (!S_ISLNK(p->st.st_mode))
		return 1;
	if (!w->p[strspn(w->p, "/")])
		memcpy(p->link, p->real, sizeof(p->link));
	if (link_read_at(p->fd, "", link, sizeof(link)) <= 0)
		return -ENOENT;
	p->real[n] = '\0';
	r = follow(w, link, p->real);
	return r < 0 ? r : 0;
}

/* The root itself, or what p->real is after "..". */
static int reopen(const struct lint *l, struct place *p)
{
	root_place_done(p);
	p->fd = path_open_in_root(l->root, *p->real ? p->real : "/", O_PATH);
	if (p->fd < 0)
		return p->fd;
	return fstat(p->fd, &p->st) < 0 ? -errno : 0;
}

static int walk(const struct lint *l, struct walk *w, struct place *p)
{
	char name[NAME_MAX + 1];
	int r = reopen(l, p);

	while (r >= 0 && *(w->p += strspn(w->p, "/"))) {
		size_t n = strcspn(w->p, "/");

		if (n > NAME_MAX || ++w->steps > PLACE_STEPS)
			return -ENAMETOOLONG;
		memcpy(name, w->p, n);
		name[n] = '\0';
		w->p += n;
		if (!S_ISDIR(p->st.st_mode))
			return -ENOTDIR;
		if (!*p->shut && !place_may(l, p, 1))
			snprintf(p->shut, sizeof(p->shut), "%s", *p->real ? p->real : "/");
		if (str_eq(name, "."))
			continue;
		if (str_eq(name, ".."))
			up(p->real);
		r = str_eq(name, "..") ? reopen(l, p) : step(l, w, p, name);
		if (r == 0 && !str_eq(name, ".."))
			r = reopen(l, p); /* where the link starts from */
	}
	return r < 0 ? r : 0;
}

void place_find(const struct lint *l, const char *path, struct place *p)
{
	struct walk w = {.p = w.rest};
	int n;

	*p = PLACE_INIT;
	if (!*path) {
		p->err = -ENOENT;
		return;
	}
	if (*path == '/')
		n = snprintf(w.rest, sizeof(w.rest), "%s", path);
	else
		n = snprintf(w.rest, sizeof(w.rest), "%s/%s", l->cwd, path);
	p->err = n < 0 || (size_t)n >= sizeof(w.rest) ? -ENAMETOOLONG : walk(l, &w, p);
	if (p->err == 0 && !*p->real)
		strcpy(p->real, "/");
	if (p->err == 0 && n > 0 && path[strlen(path) - 1] == '/' && !S_ISDIR(p->st.st_mode))
		p->err = -ENOTDIR;
	if (p->err < 0)
		root_place_done(p);
}

ssize_t place_head(const struct place *p, unsigned char out[LINT_HEAD])
{
	_cleanup_close_ int fd = path_reopen(p->fd);
	ssize_t n = fd < 0 ? 0 : pread(fd, out, LINT_HEAD, 0);

	return fd < 0 ? fd : n < 0 ? -errno : n;
}

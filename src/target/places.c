/* Where engines keep images: what each engine says, once each. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "target/scan.h"

void target_places_done(struct target_places *p)
{
	for (size_t i = 0; i < p->n; i++) {
		cleanup_close(&p->v[i].fd);
		free(p->v[i].path);
	}
	free(p->v);
	*p = (struct target_places){};
}

int place_add(struct target_places *out, const char *engine, int fd, const char *path, uid_t owner)
{
	_cleanup_close_ int own = fd;
	struct stat st, other;
	char *text;
	void *v;

	if (fd < 0 || fstat(fd, &st) < 0)
		return 0;
	for (size_t i = 0; i < out->n; i++)
		if (fstat(out->v[i].fd, &other) == 0 && other.st_dev == st.st_dev &&
		    other.st_ino == st.st_ino)
			return 0;
	text = str_fmt("%s%s", *path == '/' ? "" : "/", path);
	v = text ? reallocarray(out->v, out->n + 1, sizeof(*out->v)) : NULL;
	if (!v) {
		free(text);
		return -ENOMEM;
	}
	out->v = v;
	out->v[out->n++] = (struct target_place){
		.engine = engine, .fd = TAKE_FD(own), .path = text, .owner = owner};
	return 0;
}

/* What was found through a process is of its mount namespace, and cannot be mounted in ours: the
 * same directory by the host's / that is mounted here can. */
static void prefer_mounted(const struct target_roots *r, struct target_place *p)
{
	_cleanup_close_ int fd =
		r->host_path ? path_open_in_root(r->host_fd, p->path, O_RDONLY | O_DIRECTORY)
			     : -EBADF;
	struct stat now, there;

	if (fd >= 0 && fstat(fd, &there) == 0 && fstat(p->fd, &now) == 0 &&
	    now.st_dev == there.st_dev && now.st_ino == there.st_ino) {
		close(p->fd);
		p->fd = TAKE_FD(fd);
	}
}

int target_places(const struct target_roots *r, enum target_where where, struct target_places *out,
		  struct err *e)
{
	_cleanup_look_ struct look l = LOOK_INIT(r);
	struct targets none = {};
	int err = 0;

	*out = (struct target_places){};
	if (where == TARGET_ANY) {
		l.scan = scan_make(&l);
		err = l.scan ? scan_look(&l, &none) : -ENOMEM;
	}
	for (int k = 0; err == 0 && look_next_root(&l, &k);) {
		size_t had = out->n;

		for (size_t i = 0; engines[i] && err == 0; i++)
			if (engines[i]->places)
				err = engines[i]->places(&l, out);
		for (; had < out->n; had++)
			out->v[had].of_host = l.root_fd != r->root_fd;
	}
	for (size_t i = 0; i < out->n; i++)
		prefer_mounted(r, &out->v[i]);
	if (err == 0)
		return 0;
	target_places_done(out);
	return err_set(e, err, "looking for the engines' storages");
}

#include "target/target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "target/hostroot.h"

void target_done(struct target *t)
{
	free(t->id);
	free(t->name);
	free(t->image);
	free(t->image_id);
	free(t->pod);
	free(t->pod_ns);
	free(t->owner);
	free(t->bundle);
	free(t->data);
	free(t->state_file);
	free(t->error);
	cleanup_close(&t->pidfd);
	cleanup_close(&t->proc_fd);
	*t = TARGET_INIT;
}

void targets_done(struct targets *l)
{
	for (size_t i = 0; i < l->n; i++)
		target_done(&l->v[i]);
	free(l->v);
	*l = (struct targets){};
}

int targets_push(struct targets *l, struct target *t)
{
	if (l->n == l->size) {
		size_t size = l->size ? l->size * 2 : 16;
		struct target *v = reallocarray(l->v, size, sizeof(*v));

		if (!v)
			return -ENOMEM;
		l->v = v;
		l->size = size;
	}
	l->v[l->n++] = *t;
	*t = TARGET_INIT;
	return 0;
}

int target_roots_open(struct target_roots *r, struct err *e)
{
	*r = (struct target_roots){.root_fd = -EBADF, .proc_fd = -EBADF};
	r->root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (r->root_fd < 0)
		return err_set(e, errno, "opening /");
	r->proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* without it, a directory that is empty */
	if (r->proc_fd < 0 || faccessat(r->proc_fd, "self", F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
		int saved = errno;

		target_roots_close(r);
		return err_set(e, saved, "opening /proc/self");
	}
	r->host_fd = host_root_open(r->proc_fd, &r->host_path);
	r->unshared = r->host_fd == -EEXIST;
	if (r->host_fd < 0)
		r->host_fd = 0;
	return 0;
}

static bool has(int root, const char *path)
{
	_cleanup_close_ int fd = path ? path_open_in_root(root, path, O_PATH) : -EBADF;

	return fd >= 0;
}

struct target_roots target_roots_at(const struct target_roots *r, bool of_host, const char *path)
{
	struct target_roots at = *r;

	if (r->host_fd > 0 && (of_host || (!has(r->root_fd, path) && has(r->host_fd, path)))) {
		at.root_fd = r->host_fd;
		at.host_fd = -EXDEV;
	}
	return at;
}

int target_roots_mountable(const struct target_roots *at, struct err *e)
{
	if (at->host_fd >= 0 || at->host_path)
		return 0;
	err_say(e, EXDEV, "the engines' storage is the host's, which cannot be mounted from here");
	err_hint(e, "start this container with -v /:/host");
	return -EXDEV;
}

void target_roots_close(struct target_roots *r)
{
	cleanup_close(&r->root_fd);
	cleanup_close(&r->proc_fd);
	if (r->host_fd > 0)
		cleanup_close(&r->host_fd);
	free(r->host_path);
	*r = (struct target_roots){.root_fd = -EBADF, .proc_fd = -EBADF};
}

const char *target_state_name(enum target_state s)
{
	static const char *const names[] = {
		[TARGET_UNKNOWN] = "unknown",	    [TARGET_CREATED] = "created",
		[TARGET_RUNNING] = "running",	    [TARGET_PAUSED] = "paused",
		[TARGET_EXITED] = "exited",	    [TARGET_DEAD] = "dead",
		[TARGET_RESTARTING] = "restarting",
	};

	return (size_t)s < ARRAY_LEN(names) ? names[s] : "unknown";
}

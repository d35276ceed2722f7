/* Overlays on kernels that take no layers by descriptor, or none that are attached nowhere: each is
 * attached on a stage, a tmpfs in a mount namespace of its own, where it has a short name, so that
 * 500 of them fit into the one page that mount(2) takes. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/path.h"
#include "base/str.h"
#include "sys/overlay_priv.h"

enum { STACK = 64 << 10 };

struct staging {
	const struct overlay *o;
	int *layers; /* detached, or the caller's own */
	int base;    /* of an upper directory, detached */
	struct err *e;
	int r;
};

static int attach_at(int mnt, const char *name)
{
	if (mkdirat(AT_FDCWD, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	return move_mount(mnt, "", AT_FDCWD, name, MOVE_MOUNT_F_EMPTY_PATH) < 0 ? -errno : 0;
}

/* Stand on the stage: the scratch's, or a new one. */
static int stand(struct overlay_scratch *s, struct err *e)
{
	static const struct fs_opt opts[] = {{.key = "mode", .value = "0700"}, {}};
	_cleanup_close_ int stage = -EBADF;

	if (s && s->ns >= 0)
		return setns(s->ns, CLONE_NEWNS) < 0 || chdir("/") < 0
			       ? err_set(e, errno, "going to where overlays are put together")
			       : 0;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_set(e, errno, "making a private mount namespace");
	stage = fs_mount_detached("tmpfs", opts, MOUNT_ATTR_NODEV, NULL, e);
	if (stage < 0)
		return stage;
	if (move_mount(stage, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0 || fchdir(stage) < 0)
		return err_set(e, errno, "making room to put an overlay together");
	if (!s)
		return 0;
	if (attach_at(s->dir, "s") < 0)
		return err_set(e, errno, "attaching the room for changes");
	s->ns = s->proc < 0 ? open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC)
			    : openat(s->proc, "self/ns/mnt", O_RDONLY | O_CLOEXEC);
	return s->ns < 0 ? err_set(e, errno, "opening a mount namespace") : 0;
}

/* In the options of a mount these would need an escape. */
static bool is_plain(const char *name)
{
	return path_is_component(name) && !strpbrk(name, ",:\\");
}

static int options(const struct overlay *o, struct buf *b)
{
	struct fs_opt opts[OVERLAY_FEATURES];
	size_t n = overlay_features(o, opts);

	buf_puts(b, "lowerdir=");
	for (size_t i = 0; i < o->n; i++)
		buf_printf(b, "%s%zu", i ? ":" : "", i);
	if (o->scratch)
		buf_printf(b, ",upperdir=s/%s/u,workdir=s/%s/w", o->name, o->name);
	if (o->upper && (!is_plain(o->upper) || !is_plain(o->work)))
		return errno = EINVAL, -EINVAL;
	if (o->upper)
		buf_printf(b, ",upperdir=b/%s,workdir=b/%s", o->upper, o->work);
	for (size_t i = 0; i < n; i++)
		buf_printf(b, ",%s%s%s", opts[i].key, opts[i].value ? "=" : "",
			   opts[i].value ? opts[i].value : "");
	return b->oom ? -ENOMEM : 0;
}

static int put_together(struct staging *s)
{
	_cleanup_buf_ struct buf b = {};
	const struct overlay *o = s->o;
	char name[24];
	int r = stand(o->scratch, s->e), fd;

	for (size_t i = 0; i < o->n && r == 0; i++) {
		snprintf(name, sizeof(name), "%zu", i);
		r = attach_at(s->layers[i], name);
		if (r < 0)
			err_set(s->e, r, "attaching layer %zu of an overlay", i);
	}
	if (r == 0 && o->upper) {
		r = attach_at(s->base, "b");
		if (r < 0)
			err_set(s->e, r, "attaching the upper layer of an overlay");
	}
	if (r < 0)
		return r;
	if (options(o, &b) < 0 || (mkdir("m", 0700) < 0 && errno != EEXIST))
		return err_set(s->e, errno, "mounting an overlay");
	if (mount("overlay", "m", "overlay", o->scratch || o->upper ? 0 : MS_RDONLY, b.data) < 0)
		return err_set(s->e, errno, "cannot mount overlay");
	fd = open_tree(AT_FDCWD, "m", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (fd < 0)
		return err_set(s->e, errno, "taking an overlay off its stage");
	return fd;
}

/* Nothing but the scratch stays on a stage that is used again. */
static void clear(const struct overlay *o)
{
	umount2("m", MNT_DETACH);
	for (size_t i = 0; i < o->n; i++) {
		char name[24];

		snprintf(name, sizeof(name), "%zu", i);
		umount2(name, MNT_DETACH);
	}
}

/* [child] shares our memory and descriptors, and nothing else */
static int stage_child(void *arg)
{
	struct staging *s = arg;

	s->r = put_together(s);
	if (s->o->scratch && s->o->scratch->ns >= 0)
		clear(s->o);
	_exit(0);
}

static int in_child(struct staging *s)
{
	_cleanup_free_ char *stack = malloc(STACK);
	pid_t pid = stack ? clone(stage_child, stack + STACK,
				  CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, s)
			  : -1;

	if (pid < 0)
		return err_set(s->e, errno, "starting a process");
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return s->r;
}

static int set_attrs(int mnt, uint64_t attrs, struct err *e)
{
	struct mount_attr attr = {.attr_set = attrs,
				  .attr_clr = attrs & MOUNT_ATTR__ATIME ? MOUNT_ATTR__ATIME : 0,
				  .propagation = MS_PRIVATE};

	if (mount_setattr(mnt, "", AT_EMPTY_PATH, &attr, sizeof(attr)) == 0)
		return 0;
	return errno == ENOSYS ? fs_too_old(e)
			       : err_set(e, errno, "setting the attributes of an overlay");
}

int overlay_mount_staged(const struct overlay *o, struct err *e)
{
	_cleanup_free_ int *layers = calloc(o->n, sizeof(int)), *own = calloc(o->n, sizeof(int));
	_cleanup_close_ int base =
		o->upper ? open_tree(o->base, "",
				     OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH)
			 : -EBADF;
	struct staging s = {.o = o, .layers = layers, .base = base, .e = e, .r = -EIO};
	int r, upper = -EBADF, work = -EBADF;

	if (!layers || !own)
		return err_set(e, ENOMEM, "mounting an overlay");
	r = o->scratch ? overlay_make_upper(o, &upper, &work, e) : 0;
	cleanup_close(&upper);
	cleanup_close(&work);
	for (size_t i = 0; i < o->n; i++) {
		own[i] = open_tree(o->lower[i], "",
				   OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
		layers[i] = own[i] >= 0 ? own[i] : o->lower[i]; /* detached already */
	}
	if (r == 0)
		r = in_child(&s);
	for (size_t i = 0; i < o->n; i++)
		cleanup_close(&own[i]);
	if (r >= 0 && set_attrs(r, o->attrs, e) < 0) {
		close(r);
		return -e->num;
	}
	return r;
}

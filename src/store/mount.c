/* A store's layers as one read-only root. */
#include <sys/mount.h>

#include "base/cleanup.h"
#include "store/store.h"
#include "sys/fsmount.h"
#include "sys/idmap.h"
#include "sys/overlay.h"
#include "sys/userns.h"

/* Atimes on the engine's disks are no business of ours either. */
#define ATTRS (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOATIME)

struct layers {
	int *v;
	size_t n;
};

static void layers_done(struct layers *l)
{
	for (size_t i = 0; i < l->n; i++)
		cleanup_close(&l->v[i]);
	free(l->v);
}

/* A copy of each layer's mount, so that it can be id-mapped alone. -EINVAL: it cannot be. */
static int map_layers(const struct store *s, int userns, struct layers *l, struct err *e)
{
	l->v = calloc(s->n_layers, sizeof(*l->v));
	if (!l->v)
		return err_set(e, ENOMEM, "putting the layers of '%s' together", s->label);
	for (; l->n < s->n_layers; l->n++) {
		int fd = fs_clone_detached(s->layers[l->n].fd, ATTRS, e);
		int r = fd < 0 || s->layers[l->n].ids_inside ? fd : fs_idmap(fd, userns, e);

		if (r < 0) {
			cleanup_close(&fd);
			return r;
		}
		l->v[l->n] = fd;
	}
	return 0;
}

static int mount_mapped(const struct store *s, int userns, struct err *e)
{
	_cleanup_(layers_done) struct layers l = {};
	_cleanup_close_ int own = s->uid_map ? idmap_userns(s->uid_map, s->gid_map, e) : -EBADF;
	struct overlay o = {.n = s->n_layers, .attrs = ATTRS, .user_xattr = s->user_xattr};
	int r;

	if (s->uid_map)
		userns = own;
	r = userns < 0 ? userns : map_layers(s, userns, &l, e);
	if (r < 0)
		return r;
	if (l.n == 1)
		return TAKE_FD(l.v[0]);
	o.lower = l.v;
	return overlay_mount(&o, e);
}

static int mount_plain(const struct store *s, struct err *e)
{
	_cleanup_free_ int *lower = calloc(s->n_layers, sizeof(*lower));
	struct overlay o = {
		.lower = lower, .n = s->n_layers, .attrs = ATTRS, .user_xattr = s->user_xattr};

	if (!lower)
		return err_set(e, ENOMEM, "putting the layers of '%s' together", s->label);
	for (size_t i = 0; i < s->n_layers; i++)
		lower[i] = s->layers[i].fd;
	return overlay_mount(&o, e);
}

int store_mount_mapped(const struct store_mount *m, uint64_t attrs, int userns)
{
	_cleanup_close_ int fd = fs_clone_detached(m->fd, attrs, NULL);
	int r = fd < 0 || m->ids_inside ? fd : fs_idmap(fd, userns, NULL);

	return r < 0 ? r : TAKE_FD(fd);
}

int store_mount_ro(const struct store *s, bool *mapped, struct err *e)
{
	struct err own = {};
	int r = -EINVAL;

	if (!e)
		e = &own;
	if (s->n_layers == 0)
		return err_say(e, ENOENT, "'%s' has no files", s->label ? s->label : "?");
	/* in a user namespace with the container's own map its ids are as it sees them already */
	if (s->uid_map && !userns_is_ours(s->uid_map, s->gid_map))
		r = mount_mapped(s, -EBADF, e);
	if (mapped)
		*mapped = r >= 0;
	if (r == -EINVAL)
		r = mount_plain(s, e);
	if (r == -EPERM && !e->hint[0])
		err_hint(e, "this needs CAP_SYS_ADMIN: run with sudo");
	if (r == -ENODEV)
		err_hint(e, "this kernel has no overlayfs: modprobe overlay");
	return r;
}

int store_mount_for(const struct store *s, int userns, struct err *e)
{
	int r = s->uid_map || userns < 0 || !s->n_layers ? -EINVAL : mount_mapped(s, userns, e);

	return r == -EINVAL ? store_mount_ro(s, NULL, e) : r;
}

/* The classic way in: mount(2) inside the caller's mount namespace. See kit.h. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "kit/kit.h"
#include "kit/rungs.h"

#define CLASSIC_FLAGS (MS_NOSUID | MS_NODEV)

void kit_ready_done(struct kit_ready *r)
{
	loop_done(&r->loop);
}

int kit_prepare(const struct kit *k, struct kit_ready *r, struct err *e)
{
	struct err why = {};

	*r = KIT_READY_INIT;
	if (k->kind == KIT_NONE)
		return err_say(e, EINVAL, "there is no kit to mount");
	if (k->kind == KIT_DIR)
		return err_say(e, ENOTSUP,
			       "the kit %s is a directory, which needs Linux 5.12 or later",
			       k->path);
	if (loop_attach(k->fd, k->offset, k->size, &r->loop, &why) < 0)
		snprintf(r->why, sizeof(r->why), "%.*s", (int)sizeof(r->why) - 1, why.msg);
	return 0;
}

/* Through a device node of our own: the target's /dev need not have one, and may lie. */
static int mount_loop(const struct kit_ready *r, const char *where, const char *node_dir,
		      struct err *e)
{
	char node[PATH_MAX];
	int num = 0;

	if (r->loop.fd < 0)
		return err_say(e, ENODEV, "%s", r->why);
	if (snprintf(node, sizeof(node), "%s/.loop%u", node_dir, r->loop.nr) >= (int)sizeof(node))
		return err_set(e, ENAMETOOLONG, "%s", node_dir);
	if (mknod(node, S_IFBLK | 0400, r->loop.dev) < 0)
		return err_set(e, errno, "cannot make a device node in %s", node_dir);
	if (mount(node, where, "erofs", MS_RDONLY | CLASSIC_FLAGS, NULL) < 0)
		num = errno;
	unlink(node);
	return num ? err_set(e, num, "cannot mount /dev/loop%u", r->loop.nr) : 0;
}

static int mount_unpacked(const struct kit *k, const char *where, struct err *e)
{
	_cleanup_close_ int dir = -EBADF;
	struct kit_room room;
	char opts[96];
	int r = kit_room(k, &room, e);

	if (r < 0)
		return r;
	snprintf(opts, sizeof(opts), "mode=755,size=%s,nr_inodes=%s", room.size, room.inodes);
	if (mount("kit", where, "tmpfs", CLASSIC_FLAGS, opts) < 0)
		return err_set(e, errno, "cannot mount a tmpfs for the kit");
	dir = open(where, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = dir < 0 ? err_set(e, errno, "cannot open %s", where) : kit_unpack(k, dir, e);
	cleanup_close(&dir);
	dir = -EBADF;
	if (r == 0 && mount(NULL, where, NULL, MS_REMOUNT | MS_RDONLY | CLASSIC_FLAGS, NULL) < 0)
		r = err_set(e, errno, "cannot make the unpacked kit read-only");
	if (r < 0)
		umount2(where, MNT_DETACH);
	return r;
}

int kit_mount_at(const struct kit *k, const struct kit_ready *r, const char *where,
		 const char *node_dir, enum kit_rung *rung, struct err *e)
{
	struct err loop = {};
	int ret = mount_loop(r, where, node_dir, &loop);

	*rung = KIT_RUNG_LOOP;
	if (ret == 0)
		return 0;
	*rung = KIT_RUNG_UNPACK;
	ret = mount_unpacked(k, where, e);
	if (ret < 0 && e && !e->hint[0])
		err_hint(e, "before that, the loop device failed: %s", loop.msg);
	return ret;
}

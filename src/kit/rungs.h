/*
 * The rungs of kit_mount(), one function each.
 *
 * Layer: kit, private to it. Each returns a detached mount descriptor the caller owns, or -errno.
 */
#pragma once

#include "kit/kit.h"

/* What every kit is mounted with. */
#define KIT_ATTRS (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

/* *opened: fsopen("erofs") succeeded, so -EPERM is about this image and not about us. */
int kit_rung_file(const struct kit *k, bool *opened, struct err *e);
int kit_rung_loop(const struct kit *k, struct err *e);
int kit_rung_unpack(const struct kit *k, struct err *e);
int kit_rung_dir(const struct kit *k, int userns_fd, struct err *e);

/* Mount EROFS from `path` with the flag "ro" or the option `offset` (each may be NULL), under the
 * kit's label where it has one: the mount table shows what is opened, so that is then a link of
 * this name, in a directory nobody else sees, which is the working directory meanwhile. */
int kit_mount_from(const struct kit *k, const char *path, bool ro, const char *offset, bool *opened,
		   struct err *e);

/* kit_unpack() that tells how far it is; `progress` may be NULL. */
int kit_unpack_shown(const struct kit *k, int dir_fd, const struct kit_steps *progress,
		     struct err *e);

/* Room a kit needs in a tmpfs, as the options size= and nr_inodes= (numbers as text); -ENOMEM with
 * a sentence when the machine has less memory than that. */
struct kit_room {
	char size[24], inodes[24];
};
int kit_room(const struct kit *k, struct kit_room *out, struct err *e);

/*
 * Detached mounts: file systems nobody else can see, gone with their last descriptor.
 *
 * Layer: sys. Linux 5.2 for fsopen(2), fsconfig(2), fsmount(2); 5.12 for mount_setattr(2).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct fs_opt {
	const char *key;
	const char *value; /* NULL: a flag */
	bool is_fd;	   /* the value is `fd` (such options: Linux 6.13) */
	int fd;
};

/* Mount `type` with these options (key NULL ends them), detached, with MOUNT_ATTR_* `attrs`.
 * Returns a mount descriptor the caller owns (usable as a directory), or -errno with what the
 * kernel said. -ENOSYS: Linux before 5.2. -EPERM is told from "not here at all" by *opened (may be
 * NULL): true once fsopen(2) succeeded. */
int fs_mount_detached(const char *type, const struct fs_opt *opts, uint64_t attrs, bool *opened,
		      struct err *e);

/* All files of every erofs, tmpfs, overlay and devpts that this process and its children mount from
 * now on have this label of SELinux's, so that who is confined by it can use them. Kept in a copy;
 * "": what the policy gives them, as before. */
void fs_label(const char *label);

/* The same with a context of fsopen(2), which may have some of its options. */
int fs_mount_context(int fs_fd, const char *type, const struct fs_opt *opts, uint64_t attrs,
		     struct err *e);

/* Make the mount `mnt_fd` read-only: by mount_setattr(2), before Linux 5.12 its whole file system.
 * 0 or -errno. */
int fs_make_readonly(int mnt_fd, struct err *e);

/* Id-map the detached mount into a user namespace, so that its root is shown as that one's root.
 * 0 or -errno (-EINVAL: this file system cannot, on this kernel). */
int fs_idmap(int mnt_fd, int userns_fd, struct err *e);

/* Say that mount_setattr(2) is missing. Returns -ENOSYS. */
int fs_too_old(struct err *e);

/* A detached, not recursive, copy of the mount at `dir_fd` with `attrs` added, but for what is done
 * with access times, where another user namespace has locked that. Returns a mount
 * descriptor the caller owns, or -errno; -ENOSYS without mount_setattr(2). */
int fs_clone_detached(int dir_fd, uint64_t attrs, struct err *e);

/*
 * Descriptors opened from within namespaces that we ourselves do not enter.
 *
 * Layer: sys. Any Linux with user namespaces.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"

/* Run `get` in a child that shares our descriptors and nothing else, where it may join or make
 * namespaces. It returns a descriptor, which becomes ours (O_CLOEXEC), or -errno, which is returned
 * as it is; -EIO when the child was killed. */
int apart_open(int (*get)(void *arg), void *arg);

/* Open `path` below `proc_fd` (/proc/PID) as one who has joined that process's user namespace: its
 * owner, who may not read the files of other ids outside, may do so there. As apart_open(). */
int apart_open_of(int proc_fd, const char *path, int flags);

/* fs_clone_detached() of a directory, for those who may not mount: made in mount namespaces of user
 * namespaces of their own. Nobody in another user namespace can take `attrs` (MOUNT_ATTR_*) off
 * again. Linux 5.12, where unprivileged user namespaces are allowed. */
int apart_clone_dir(int dir_fd, uint64_t attrs, struct err *e);

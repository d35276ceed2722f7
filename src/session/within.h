/*
 * Something done in a container's mount namespace, by a process of its own.
 *
 * Layer: session. The caller's namespaces and threads stay as they are.
 */
#pragma once

#include "base/err.h"
#include "target/target.h"

/* A child joins the mount namespace of a pinned target and does `work` there. Returns what that
 * returns: a descriptor, which is the caller's, or 0; or -errno with `e`: -ESRCH when the target
 * has ended. The child is in a session of its own: what ends the caller does not end it half-way.
 */
int within_mounts(const struct target *t, const char *label,
		  int (*work)(const void *arg, struct err *e), const void *arg, struct err *e);

/*
 * A user namespace to work in, for those without root: all rights over one's own files and over
 * those of the ids that /etc/subuid gives, and over mounts of one's own.
 *
 * Layer: sys. Linux 5.2; user_namespaces(7), newuidmap(1).
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"

/* Go into a new user namespace, and a new mount namespace with it, for good. The maps are "INSIDE
 * OUTSIDE COUNT" lines, the first of our own id; with more than that one newuidmap(1) and
 * newgidmap(1) write them. Descriptors of directories opened before lead to mounts that cannot be
 * cloned any more. The process must have one thread. 0, or -errno with `e`; after an error it is
 * where it can do nothing but exit. */
int userns_enter(const char *uid_map, const char *gid_map, struct err *e);

/* Say in `e` that making or using a user namespace, "making ...", failed with `err`: by the switch
 * of this system that forbids it, where one does. -err. */
int userns_failed(int err, const char *making, struct err *e);

/* Whether the rights we have are over the whole host: every id is itself. */
bool userns_is_first(void);

/* Whether these maps are those of the user namespace we are in. */
bool userns_is_ours(const char *uid_map, const char *gid_map);

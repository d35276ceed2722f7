/*
 * User namespaces made for their id maps alone.
 *
 * Layer: sys. Needs CAP_SETUID and CAP_SETGID. user_namespaces(7).
 */
#pragma once

#include "base/err.h"

/* A user namespace nobody is in, for fs_idmap(): with it, files that a container with these maps
 * ("INSIDE OUTSIDE COUNT" lines) left on disk are shown with the owners that the container sees.
 * Returns a descriptor the caller owns, or -errno; -EINVAL for maps that are none. */
int idmap_userns(const char *uid_map, const char *gid_map, struct err *e);

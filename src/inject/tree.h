/*
 * The target's tree, from outside: nothing that it does leads us out of it, or through a link or a
 * mount of its.
 *
 * Layer: inject (uses base). Linux 5.6 for openat2(2).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/err.h"
#include "inject/items.h"
#include "sys/cred.h"

/* Open `path` ("" is the root itself) below `root`. No link is followed, the last component too,
 * and no mount is entered: -ELOOP, -EXDEV. `flags` as open(2) without O_CREAT. A descriptor the
 * caller owns, or -errno. */
int tree_open(int root, const char *path, int flags);

/* The directory in which `path` lies, O_PATH. -ELOOP where that is a link now. */
int tree_parent(int root, const char *path);

/* Where a link leads, links and all, as a path without links. `max` bytes of *out. 0; -ENOENT: to
 * nothing; -ELOOP, -EXDEV (onto another mount), -errno. */
int tree_resolve(int root, const char *path, char **out);

/* A directory's time, and set one back; the access time stays. 0 or -errno. */
int tree_time(int root, const char *path, struct timespec *mtime);
int tree_set_time(int root, const char *path, struct timespec mtime);

/* SHA-256 of an open file from its start. 0 or -errno. */
int tree_hash(int fd, uint8_t out[ITEM_SHA]);

/* Copy a regular file or a symbolic link with all there is to it (owner, mode, times, extended
 * attributes) from one directory to another, under a new name that is not there yet. 0 or -errno.
 */
int tree_copy(int from, const char *name, int to, const char *as);

/* Copy extended attributes from one open file to another (both open for reading or O_PATH with a
 * /proc); those of overlayfs and of security labels stay behind. `ids`: a file capability is made
 * one of that user namespace's root; NULL or empty: as it is. 0 or -errno. */
int tree_copy_xattrs(int from, int to, const struct idmap *ids);

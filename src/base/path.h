/*
 * Paths below a root that is not to be trusted.
 *
 * Layer: base (libc only). Linux 5.6 for openat2(2); older kernels get a walk of our own.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Open `path` below `rootfd` as if that were `/`: no link, absolute or .., leads out
 * (openat2 RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS). `flags` as open(2); O_CLOEXEC is added. Returns
 * a descriptor the caller owns, or -errno. Where openat2 is missing every component is walked with
 * O_NOFOLLOW and links are read by hand, at most 40 of them (-ELOOP). */
int path_open_in_root(int rootfd, const char *path, int flags);

/* Open a regular file below an untrusted root for reading, without waiting for anything: FIFOs,
 * devices and directories are -ENOTSUP and never opened. Returns a descriptor the caller owns, or
 * -errno. */
int path_open_file_in_root(int rootfd, const char *path);

/* The file behind an O_PATH descriptor of a regular file, opened for reading: a descriptor the
 * caller owns, or -errno (-ENOTSUP: no regular file). */
int path_reopen(int pathfd);

/* Read a regular file of at most `max` bytes below an untrusted root: FIFOs and devices are
 * -ENOTSUP and never waited for, larger files -EFBIG. Its access time stays, where we are its owner
 * or root. The caller frees `out`. */
int path_read_in_root(int rootfd, const char *path, size_t max, char **out, size_t *len);

/* The directory, or regular file, `dest` below an untrusted root, to mount something on: made where
 * it is missing, with the directories on the way (0755; files 0644). Returns an O_PATH descriptor
 * the caller owns, or -errno. */
int path_make_in_root(int root, const char *dest, bool dir);

/* One name that may become a path component: not empty, no '/', not "." or "..", no NUL, shorter
 * than 256 bytes. */
bool path_is_component(const char *s);

/* What follows the directory `dir` in `path`, both absolute and without a '/' at the end, when that
 * is `dir` itself ("") or below it ("/..."); else NULL. All of any path is below "/". */
const char *path_below(const char *path, const char *dir);

/*
 * Descriptors and files: bounded reads that no FIFO, device or endless file can hang.
 *
 * Layer: base (libc only).
 */
#pragma once

#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* Read at most `max` bytes of `fd` to the end into a new NUL-terminated buffer the caller frees.
 * Returns 0, or -EFBIG when there is more than `max`, or -errno. `len` may be NULL. */
int fd_read_all(int fd, size_t max, char **out, size_t *len);

/* The same of a file below `dirfd` (AT_FDCWD too). Opened O_NONBLOCK|O_CLOEXEC; anything but a
 * regular file is -ENOTSUP (FIFO, device, directory: not waited for). The final link is followed,
 * so use it on the host's own files only: paths of a target go through path_open_in_root(). */
int file_read_at(int dirfd, const char *path, size_t max, char **out, size_t *len);

/* Read a small file into a caller's buffer, cut to fit, NUL-terminated. Made for /proc and cgroup
 * files (no regular-file check beyond O_NONBLOCK). Returns bytes read or -errno. */
ssize_t file_read_small_at(int dirfd, const char *path, char *out, size_t size);

/* readlinkat into a NUL-terminated buffer. Returns length, -ENAMETOOLONG when cut, or -errno. */
ssize_t link_read_at(int dirfd, const char *path, char *out, size_t size);

/* Write everything, through short writes and EINTR. 0 or -errno. */
int fd_write_all(int fd, const void *data, size_t len);

/* Is it a directory? 0; -ELOOP: a link (O_PATH | O_NOFOLLOW), -ENOTDIR, or -errno of fstat(2). */
int fd_dir_check(int fd);

/* The entries of the directory `path` below `dirfd` ("." for its own; the final link is followed),
 * or of the directory `fd`, which is taken, also on error. For closedir(3); NULL with errno, which
 * a negative `fd` leaves as it is. */
DIR *dir_open(int dirfd, const char *path);
DIR *dir_take(int fd);

/* readdir(3) without "." and "..". */
struct dirent *dir_next(DIR *d);

/* Block these signals and be told of them instead: a descriptor (signalfd(2), non-blocking) the
 * caller owns, or -errno. *before: what was blocked; may be NULL. */
int fd_signals(const int *signals, size_t n, sigset_t *before, struct err *e);

/* Set or clear O_NONBLOCK. 0 or -errno. */
int fd_nonblock(int fd, bool on);

/* Close every descriptor above 2 that has no FD_CLOEXEC. Ours all have it, so these came from
 * whoever started us; they must not reach what we start, nor a target that can look at us.
 * `proc_fd`: /proc. 0 or -errno. */
int fd_close_inherited(int proc_fd);

/* Close every descriptor but these, 0 to 2 as well; they get new numbers, from 64 on (negative ones
 * stay as they are). For a process that goes on alone with little. [child] */
void fd_keep_only(int *const fds[], size_t n);

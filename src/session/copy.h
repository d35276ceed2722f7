/*
 * Copies of hostile files: bounded, by descriptor, never through a link.
 *
 * Layer: session.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/* Give the regular file `to` (O_PATH) the bytes, mode, owner and times of the regular file `from`
 * (O_PATH). `host_proc`: a /proc, to open both through. -EFBIG beyond `max` bytes (nothing is
 * copied), -EINVAL when either is no regular file. 0 or -errno. */
int copy_file(int host_proc, int from, int to, uint64_t max);

/* Copy the bytes from one open file to another, to the end of the first; holes stay holes. 0 or
 * -errno. */
int copy_bytes(int from, int to);

/* The same bytes from here to their ends. */
bool same_bytes(int a, int b);

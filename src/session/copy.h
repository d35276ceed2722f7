/*
 * Copies of hostile files: bounded, by descriptor, never through a link.
 *
 * Layer: session.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/* Give the regular file `to` (O_PATH) the bytes, mode, owner and times of the regular file `from`
 * (O_PATH). `host_proc`: a /proc, to open both through. -EFBIG beyond `max` bytes (nothing is
 * copied), -EINVAL when either is no regular file. 0 or -errno. */
int copy_file(int host_proc, int from, int to, uint64_t max);

/* Copy the bytes from one open file to another, to the end of the first; holes stay holes. 0 or
 * -errno. */
int copy_bytes(int from, int to);

/* How much of a tree may be copied. */
struct copy_budget {
	size_t entries;
	uint64_t bytes;
};

/* Whether the tree at `dir` (open for reading) stays within the budget, which is used up: 0, or
 * -EFBIG, also when it is more than 64 deep. */
int copy_measure(int dir, struct copy_budget *b);

/* Copy directories, regular files, links and FIFOs below `from` into the empty directory `to`, with
 * modes, owners and times; all else is left out. 0 or -errno. */
int copy_tree(int from, int to);

/* One entry of a directory, the same way; of files at most `max` bytes. A directory is made, and
 * stays empty. -EFBIG, -ENOTSUP (a device, a socket). */
int copy_single(int from, const char *name, int to, uint64_t max);

/* The same bytes from here to their ends. */
bool same_bytes(int a, int b);

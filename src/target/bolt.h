/*
 * bbolt databases, read only: podman 4 keeps exit codes in one, containerd its images' names.
 *
 * Layer: target, private to it. The file is read by pread(2) and never mapped or locked: a writer
 * at work can make a look-up fail, nothing worse. https://github.com/etcd-io/bbolt (format version
 * 2).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct bolt {
	int fd;
	uint32_t page_size;
	uint64_t root; /* page of the root bucket */
};

#define BOLT_INIT      ((struct bolt){.fd = -EBADF})
#define _cleanup_bolt_ _cleanup_(bolt_close)

/* Open a database below `dir`. 0 or -errno; -EBADMSG when it is none. */
int bolt_open(struct bolt *b, int dir, const char *path);
void bolt_close(struct bolt *b);

/* The value at keys[0..n-1], all but the last being buckets: a new NUL-terminated string. 0, or
 * -ENOENT, -EBADMSG, -ENOMEM. */
int bolt_get(const struct bolt *b, const char *const *keys, size_t n, char **out, size_t *len);

/* Call `each` for every key of a bucket in order, until it returns other than 0. Returns that, 0 at
 * the end, or -errno as bolt_get(). Keys are not NUL-terminated. */
int bolt_each(const struct bolt *b, const char *const *keys, size_t n,
	      int (*each)(void *arg, const char *key, size_t len), void *arg);

/*
 * Loop devices that nobody has to clean up.
 *
 * Layer: sys. Linux 5.8 for LOOP_CONFIGURE(2); before it, two calls. The device is read-only and
 * has autoclear from the moment it is configured: it is detached by the kernel as soon as neither a
 * descriptor nor a mount holds it, whatever became of the process (kill -9 included).
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/err.h"

struct loop {
	int fd;	     /* the device, open for reading; -EBADF: none */
	unsigned nr; /* N of /dev/loopN */
	dev_t dev;   /* its device number, for mknod(2) where /dev has no such node */
};

#define LOOP_INIT      ((struct loop){.fd = -EBADF})
#define _cleanup_loop_ _cleanup_(loop_done)

/* Let go of the device; it lives on while it is mounted. */
void loop_done(struct loop *l);

/* Bind a free loop device to `size` bytes at `offset` (a multiple of 512) of `file_fd`; size 0: to
 * its end. Safe against others taking the same free device. The caller owns *out. Errors: -ENOENT
 * (no loop driver), -EPERM or -EACCES (not root), -EBUSY (lost every race), or -errno.
 * Before Linux 5.8 a kill -9 between the two calls leaves the device bound: the only such window.
 */
int loop_attach(int file_fd, uint64_t offset, uint64_t size, struct loop *out, struct err *e);

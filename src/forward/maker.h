/*
 * A process that makes sockets elsewhere: in the target's network namespace, below its root, with
 * the rights of its user namespace. A socket belongs where it was made; it is used from here.
 *
 * Layer: forward. It joins nothing but the network namespace (and the user namespace, where that is
 * not ours), answers one request after the other, and ends with us: also after kill -9 it takes
 * away the unix sockets it made, since it waits for nothing but us.
 */
#pragma once

#include <sys/types.h>

#include "base/err.h"
#include "target/target.h"

enum { MAKER_BATCH = 16 };

struct maker {
	int sock; /* -EBADF: does not run */
	int root; /* the root that its paths are below, O_PATH */
	pid_t pid;
	char *label; /* what to call the place, printable */
	struct {
		int fd[MAKER_BATCH];
		size_t n;
	} pool[4]; /* made, not yet asked for */
};

#define MAKER_INIT	((struct maker){.sock = -EBADF, .root = -EBADF})
#define _cleanup_maker_ _cleanup_(maker_stop)

/* Start it for a pinned target, or for our own side (NULL). 0 or -errno with `e`. */
int maker_start(struct maker *m, const struct target *t, struct err *e);

/* End it: unix sockets it made are removed. Waits. */
void maker_stop(struct maker *m);

/* A socket there, non-blocking: ours. Or -errno; -EMFILE our own limit, -EPIPE it was killed. */
int maker_socket(struct maker *m, int family, int type);

/* A stream connected to the unix socket at `path` there (never outside its root), or to an abstract
 * one ("@NAME"). Ours, or -errno; -EAGAIN its queue is full. */
int maker_connect_unix(struct maker *m, const char *path);

/* Listen at `path` there, which must not exist; removed at the end. `mode`: of the file. Ours, or
 * -errno (-EADDRINUSE). */
int maker_listen_unix(struct maker *m, const char *path, mode_t mode);

/*
 * The descriptors of a process: what each of them really is.
 *
 * Layer: watch. proc_pid_fd(5), proc_pid_fdinfo(5): looked at, never opened, but for a deleted file
 * that is to be recovered. Needs ptrace rights over the process.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define FDS_MAX 65536

enum fd_kind {
	FD_FILE,
	FD_DIR,
	FD_DEVICE,
	FD_PIPE, /* FIFOs too */
	FD_SOCKET,
	FD_OTHER, /* eventfd, epoll, timerfd, ... : what the kernel calls it is in `path` */
};

/* The other side of a pipe: a process that holds it. */
struct fd_peer {
	pid_t pid;
	char comm[16]; /* raw */
	int fd;
};

struct fd_info {
	int fd;
	enum fd_kind kind;
	bool reads, writes;
	bool deleted; /* a file without a name */
	char *path;   /* as the kernel calls it, seen from the process; raw */
	char *detail; /* socket: addresses and state; eventfd: its count; printable. NULL: none */
	uint64_t ino;
	uint64_t size, pos;  /* files: bytes */
	uint64_t held;	     /* files: bytes that the file takes on disk, or in memory */
	struct fd_peer peer; /* pipes; pid 0: none was found */
	bool closed;	     /* pipes: searched everywhere, and nobody holds the other side */
};

struct fds {
	struct fd_info *v;
	size_t n, size;
	bool more; /* there are more than FDS_MAX */
};

#define _cleanup_fds_ _cleanup_(fds_done)
void fds_done(struct fds *l);

/* Read them of the process behind `dir` (/proc/PID), in order of their numbers. 0 or -errno:
 * -EACCES without the rights, -ESRCH. */
int fds_read(int dir, struct fds *l);

/* Find who holds the other side of each pipe, among all processes of the host. 0 or -errno. */
int fds_find_peers(int proc_fd, pid_t pid, struct fds *l);

/* Addresses and states of its sockets, by the tables of its network namespace. */
void fds_find_sockets(int dir, struct fds *l);

/* "file", "pipe", ... */
const char *fd_kind_name(enum fd_kind k);

/* Copy what the file `fd` of the process holds, up to the size it has now, to `out`; with holes,
 * where `out` is an empty file. *bytes is its size. 0 or -errno with `e`: -ENOTSUP no regular file;
 * -EBADF no such descriptor. */
int fds_recover(int dir, int fd, int out, uint64_t *bytes, struct err *e);

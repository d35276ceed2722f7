/*
 * Who uses a file, a mount or a file system: every process of the host, whatever namespaces it is
 * in.
 *
 * Layer: watch (uses base and sys). proc_pid_fd(5), proc_pid_map_files(5), statx(2); nothing is
 * opened or waited for, only looked at. Needs root for the processes of others. Mounts are told
 * apart by their number (STATX_MNT_ID, Linux 5.8), which no two mounts of the host share; before
 * that all mounts of one file system count as one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "sys/proc.h"

enum use_how {
	USE_ROOT,    /* its / */
	USE_CWD,     /* its working directory */
	USE_PROGRAM, /* what it runs */
	USE_MAPPED,  /* a library, or another file in its memory */
	USE_OPEN,    /* a descriptor */
	USE_MOUNT,   /* the file system, or a part of it, is mounted in this process's namespace */
	USE_BELOW,   /* something is mounted below the mount */
	USE_LOOP,    /* a loop device has a file of it */
	USE_SWAP,    /* the kernel swaps to a file of it */
};

/* What is asked for. */
struct used {
	dev_t dev;	/* of its file system, as stat(2) tells it */
	uint64_t mount; /* number of the mount; 0: not known, every mount of `dev` counts */
	uint64_t ino;	/* only this file of it; 0: all of it */
};

struct use {
	pid_t pid; /* 0: the kernel, or a mount of our own namespace */
	char comm[PROC_COMM_MAX];
	enum use_how how;
	int fd;		 /* USE_OPEN: its number */
	uint64_t mnt_ns; /* inode of the process's mount namespace, 0: not known */
	bool same_mount; /* through the very mount asked for: it keeps that from being unmounted */
	char *path;	 /* as the kernel calls it, seen from the process; NULL: not known. Raw */
};

struct uses {
	struct use *v;
	size_t n, size;
	size_t unread; /* processes that could not be looked into: not ours to read */
	bool cut;      /* there were more than USES_MAX */
};

#define USES_MAX       100000
#define _cleanup_uses_ _cleanup_(uses_done)
void uses_done(struct uses *u);

/* What `path` is: fills *what with the file system, the mount and the inode, and *is_mount when
 * something is mounted there. The last link is followed. 0 or -errno with `e`. */
int used_of(const char *path, struct used *what, bool *is_mount, struct err *e);

/* Add what every process but ourselves uses, in the order of their numbers, each with at most one
 * row for each file. `proc_fd`: /proc. 0 or -ENOMEM. */
int uses_of_processes(int proc_fd, const struct used *what, struct uses *out);

/* Add the mounts of the same file system in every mount namespace that a process is in, but the
 * mount `what` itself; one row for each mount, with the first process of that namespace, 0 in our
 * own. Mounts below it are USE_BELOW. 0 or -ENOMEM; nothing where our own table does not have it.
 */
int uses_of_mounts(int proc_fd, const struct used *what, struct uses *out);

/* Add loop devices and swap files of the same file system. 0 or -ENOMEM. */
int uses_of_kernel(int proc_fd, const struct used *what, struct uses *out);

/*
 * What a process writes, read along: by ptrace(2), from outside.
 *
 * Layer: watch. PTRACE_SEIZE (Linux 3.4) and PTRACE_GET_SYSCALL_INFO (5.3). A process of ours
 * traces; we print. The kernel lets go of what is traced when the tracer ends, and the tracer ends
 * with us, however that comes about. What we are too slow to print is dropped and counted: nothing
 * traced ever waits for us.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

enum { TAP_FDS_MAX = 16, TAP_PIECE = 32768 };

enum tap_kind {
	TAP_DATA,    /* `data` was written */
	TAP_UNSEEN,  /* `more` bytes went there by splice(2) or its like, not through its memory */
	TAP_LOST,    /* `more` bytes were not read along: we were too slow */
	TAP_ENDED,   /* a process ended; `more`: its exit code by docker's contract */
	TAP_STARTED, /* from here on all is read along */
	TAP_FAILED,  /* private: `data` is a struct err */
};

struct tap_piece {
	enum tap_kind kind;
	pid_t pid;    /* of the process, in our pid namespace */
	pid_t inside; /* in the one of the process that is read along; 0: not known */
	int fd;
	uint64_t more; /* TAP_DATA: bytes of this write that were left out */
	size_t len;
	char data[TAP_PIECE];
};

struct tap_plan {
	pid_t pid;
	int proc_fd; /* /proc */
	int dir;     /* /proc/PID, held since it was chosen */
	int fds[TAP_FDS_MAX];
	size_t n_fds;
	bool follow; /* children too */
};

/* Until the process ends, and those that are followed; signals do what they do to us, once
 * nobody is traced any more. print() is given each piece. 0, or -errno with `e`: -EPERM with the
 * reason, -EBUSY it is traced already, -ESRCH. */
int tap_run(const struct tap_plan *p, void (*print)(void *data, const struct tap_piece *piece),
	    void *data, struct err *e);

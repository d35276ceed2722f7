/*
 * The system calls that write, by what they were given.
 *
 * Layer: watch, private to it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/types.h>

enum {
	TAP_WRITE_MAX = 4 << 20, /* bytes of one call that are read along */
	TAP_VECTORS = 64,	 /* of writev and sendmsg: pieces that are read along */
};

struct tap_call {
	int fd;		/* -1: none that writes */
	bool in_memory; /* else the kernel moves it from another descriptor */
	struct {
		uint64_t at, len;
	} piece[TAP_VECTORS];
	unsigned n;
	uint64_t messages; /* sendmmsg: where they are in its memory; 0: not that call */
};

/* A thread enters a call: what it writes, and where. False: it does not write, or its numbers are
 * not ours (a 32-bit program). */
bool tap_call_enter(pid_t tid, const struct __ptrace_syscall_info *info, struct tap_call *c);

/* How many bytes it wrote, of what it returned (> 0). */
uint64_t tap_call_took(pid_t tid, const struct tap_call *c, int64_t returned);

/* Copy at most `len` bytes from byte `at` on of what was to be written. Returns how many; 0 at the
 * end, or -errno. */
ssize_t tap_call_read(pid_t tid, const struct tap_call *c, uint64_t at, char *out, size_t len);

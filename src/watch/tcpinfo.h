/*
 * A TCP socket of another process, as the kernel sees it.
 *
 * Layer: watch. pidfd_getfd(2), Linux 5.6; needs ptrace rights. The socket is not disturbed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct tcpinfo {
	const char *state; /* static: "ESTABLISHED" */
	char local[72], remote[72];
	char congestion[16];
	bool listens;
	uint32_t backlog, waiting; /* `listens`: room for, and waiting to be accepted */
	uint32_t unread, unsent;   /* bytes in its queues */
	uint32_t rtt, rttvar, rto; /* microseconds */
	uint32_t cwnd, ssthresh;   /* segments; ssthresh 2147483647: none yet */
	uint32_t mss, pmtu;	   /* bytes */
	uint32_t unacked, lost, retrans, total_retrans; /* segments */
	uint32_t backoff, probes;
	uint32_t last_sent, last_received; /* milliseconds ago */
	uint64_t acked, received;	   /* bytes, of the connection's life */
	uint64_t delivery;		   /* bytes a second */
	uint32_t peer_window; /* bytes; 0 where the kernel does not tell (before 5.4) */
};

/* Of descriptor `fd` of the process behind `pidfd`. 0 or -errno with `e`: -EBADF no such
 * descriptor, -ENOTSUP no TCP socket, -EPERM, -ENOSYS. */
int tcpinfo_read(int pidfd, int fd, struct tcpinfo *out, struct err *e);

/* What stands out, in a sentence each, one after the other: at most `max` static strings into
 * `out`. Returns how many. */
unsigned tcpinfo_words(const struct tcpinfo *x, const char *out[], unsigned max);

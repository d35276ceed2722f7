/*
 * Ports from one network namespace to another: TCP, UDP, unix sockets, SOCKS.
 *
 * Layer: forward. One process, one thread, one epoll (edge-triggered); data goes through pipes by
 * splice(2) and is never copied to us. Sockets on the target's side are made by a process that has
 * joined its network namespace (maker.h); names, events and everything else stay outside.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "forward/spec.h"
#include "target/target.h"

/* One connection, or one UDP peer. */
struct fwd_conn {
	const struct fwd_rule *rule;
	uint64_t id;	   /* from 1 on */
	char who[64];	   /* who connected, printable */
	char to[96];	   /* what it is connected to, printable; "" while that is not known */
	int64_t since;	   /* clock_ms() */
	uint64_t bytes[2]; /* to `to`, and back */
	uint64_t last[2];  /* the same a second ago */
	struct fwd_conn *prev, *next;
};

enum fwd_event {
	FWD_OPENED,
	FWD_CLOSED,  /* `why` is NULL when both sides ended it */
	FWD_FAILED,  /* was never connected: `why` */
	FWD_LIMITED, /* no descriptors are left: new connections wait; `c` is NULL */
	FWD_TARGET_ENDED,
};

/* What forward tells; `c` and `why` live as long as the call. */
struct fwd_talk {
	void (*event)(void *data, enum fwd_event what, const struct fwd_conn *c, const char *why);
	void (*second)(void *data); /* once a second */
	void *data;
};

struct forward;

/* Hold the target's side. `t` is pinned and outlives it. NULL with `e` filled. */
struct forward *forward_open(const struct target *t, const struct fwd_talk *talk, struct err *e);

/* Listen. The rule outlives it; port 0 is replaced by the one that was free. 0 or -errno. */
int forward_add(struct forward *f, struct fwd_rule *rule, struct err *e);

/* Call back when `fd`, which stays the caller's, can be read. 0 or -errno. */
int forward_watch(struct forward *f, int fd, void (*ready)(void *data), void *data, struct err *e);

/* Until forward_stop(). 0, or -errno: -ESRCH the target ended (after FWD_TARGET_ENDED), -EPIPE the
 * process that makes sockets was killed. */
int forward_run(struct forward *f, struct err *e);
void forward_stop(struct forward *f);

/* The connections there are, oldest first; follow ->next. `n`: how many. */
const struct fwd_conn *forward_conns(const struct forward *f, size_t *n);

/* Everything is closed, and the socket files are removed. NULL is fine. */
void forward_close(struct forward *f);

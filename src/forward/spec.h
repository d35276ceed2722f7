/*
 * What a person asks for: -L, -R and -D in ssh's syntax. Bytes in, no I/O.
 *
 * Layer: forward.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* One end of a rule. */
struct fwd_point {
	char *host;    /* NULL: localhost; "*": every address (where one listens) */
	uint16_t port; /* 0: where one listens, any that is free */
	char *path;    /* of a unix socket, or "@NAME", an abstract one; NULL: host and port */
};

struct fwd_rule {
	char flag;    /* 'L', 'R', 'D' */
	bool reverse; /* listens in the target, and connects outside */
	bool socks;   /* where to connect to is said by whoever connects */
	bool udp;
	struct fwd_point from, to; /* `to` is empty with `socks` */
};

#define _cleanup_rule_ _cleanup_(fwd_rule_done)
void fwd_rule_done(struct fwd_rule *r);

/* Parse what follows the flag ('L', 'R' or 'D'): [ADDR:]PORT:[HOST:]PORT[/udp], where a path or
 * @NAME stands for either half; PORT alone is the same port on the other side for L, a proxy for R
 * and D. IPv6 addresses are in brackets. 0; -EINVAL with a sentence; -ENOMEM. */
int fwd_rule_parse(char flag, const char *text, struct fwd_rule *out, struct err *e);

/* "127.0.0.1:80", "[::1]:80", "/run/app.sock", printable: a new string the caller frees, NULL when
 * memory is out. */
char *fwd_point_text(const struct fwd_point *p);

/*
 * SOCKS 4, 4a and 5 (RFC 1928, no authentication, CONNECT only): bytes in, bytes out, no I/O.
 *
 * Layer: forward. What is read comes from anybody who can reach the port.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest message there is: a SOCKS4a request, both of its strings at most 255 bytes. */
#define SOCKS_MAX 520

enum socks_say {
	SOCKS_OK,
	SOCKS_FAILED,
	SOCKS_NO_HOST, /* the name is not known, or cannot be reached */
	SOCKS_REFUSED, /* nobody listens */
	SOCKS_NO_CMD,  /* BIND and UDP ASSOCIATE are not offered */
};

struct socks {
	int version;	/* 4 or 5; 0: not known yet */
	bool greeted;	/* 5: the methods were agreed upon */
	char host[256]; /* a number or a name; NUL-terminated, never with a NUL inside */
	uint16_t port;
};

/* Take one message off the front of `in`. Returns its length; 0 when there is more to come; or
 * -errno: -EBADMSG rubbish, -EACCES none of the methods is "none", -EOPNOTSUPP not CONNECT, -EPROTO
 * not SOCKS at all. `out` (SOCKS_REPLY_MAX bytes) is what to answer at once, *out_len bytes. The
 * host is complete when *done. */
#define SOCKS_REPLY_MAX 10
int socks_take(struct socks *s, const uint8_t *in, size_t len, uint8_t *out, size_t *out_len,
	       bool *done);

/* The answer to the request into `out`. Returns its length. */
size_t socks_reply(const struct socks *s, enum socks_say say, uint8_t *out);

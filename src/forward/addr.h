/*
 * Addresses of sockets: from names, and as text. No NSS: a static binary has none.
 *
 * Layer: forward.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/err.h"

#define FWD_ADDRS_MAX 8
#define FWD_ADDR_TEXT 128

union fwd_addr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
};

struct fwd_addrs {
	union fwd_addr v[FWD_ADDRS_MAX];
	size_t n;
};

/* The addresses of `host`: a number, "localhost" (NULL too: 127.0.0.1, then ::1), "*" (::, then
 * 0.0.0.0), or a name of the file /etc/hosts below `root_fd`, which may be hostile. 0, -ENOENT (a
 * sentence in `e`; `whose`: whose file it is, printable), -ENOMEM. */
int fwd_lookup(int root_fd, const char *host, uint16_t port, const char *whose,
	       struct fwd_addrs *out, struct err *e);

/* The numeric address only; the same without a file. 0 or -ENOENT. */
int fwd_number(const char *host, uint16_t port, union fwd_addr *out);

/* How many bytes bind(2) and connect(2) want. */
socklen_t fwd_addr_len(const union fwd_addr *a);

/* 0 for what has no port. */
uint16_t fwd_addr_port(const union fwd_addr *a);

/* Of 127.0.0.0/8, or ::1. */
bool fwd_addr_is_loopback(const union fwd_addr *a);

/* "127.0.0.1:80", "[::1]:80". Returns `out`. */
char *fwd_addr_text(const union fwd_addr *a, char out[FWD_ADDR_TEXT]);

/*
 * What a process in a container asks of the broker on its host: one packet, then signals.
 *
 * Layer: launch. The request is one message with up to three descriptors; what comes back, and
 * signals, are messages of session/wire.h: WIRE_NOTE, WIRE_READY (perhaps with a pty's master),
 * WIRE_FAIL, WIRE_ENDED. All that comes from the container is hostile.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum {
	HOSTWIRE_MAX = 128 << 10, /* bytes of a request */
	HOSTWIRE_TTY = 1,	  /* make a terminal; no descriptors are given */
	HOSTWIRE_TOOLS = 2,	  /* the command is the kit's */
	HOSTWIRE_CWD_ASKED = 4,	  /* the directory was typed: another will not do */
};

struct hostwire {
	uint32_t flags;
	uint16_t rows, cols;
	const char *user, *cwd; /* borrowed from the message; "": none */
	struct strv argv, env;	/* argv empty: a shell */
};

void hostwire_done(struct hostwire *h);
#define _cleanup_hostwire_ _cleanup_(hostwire_done)

/* Send a request with the descriptors fds[0..2] (negative: none). 0 or -errno; -E2BIG: larger than
 * HOSTWIRE_MAX. */
int hostwire_send(int sock, const struct hostwire *h, const int fds[3]);

/* Receive one without waiting, into buf[HOSTWIRE_MAX]. Returns its length, 0 at the end of file,
 * -EAGAIN, -EBADMSG: it is none (its descriptors are closed), or -errno. */
int hostwire_recv(int sock, char *buf, int fds[3]);

/* Take a received message apart. 0, -EBADMSG or -ENOMEM. */
int hostwire_parse(const char *buf, size_t len, struct hostwire *h);

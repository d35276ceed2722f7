/*
 * The process that keeps what a container in the background says, lets people attach to it, and
 * clears up last.
 *
 * Layer: launch, private to detach.c and attach.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define KEEPER_SOCKET "attach" /* beside the state: SOCK_SEQPACKET, a struct keeper_msg each */

enum {
	KEEPER_DATA = 16384,
	KEEPER_CLIENTS = 16,
	KEEPER_STALL_S = 5, /* who does not read for so long is let go of: nothing waits for him */
};

enum keeper_type {
	KEEPER_HELLO,  /* keeper: what it is like; it is sent first */
	KEEPER_OUTPUT, /* keeper: what the container says */
	KEEPER_INPUT,  /* client: what was typed */
	KEEPER_SIZE,   /* client: of his terminal */
	KEEPER_END,    /* keeper: it has ended */
};

/* Only as many bytes as are used are sent. */
struct keeper_msg {
	uint8_t type;
	bool tty, input;     /* HELLO: it has a terminal; it takes input */
	uint16_t rows, cols; /* SIZE, and HELLO: of its terminal */
	int32_t code;	     /* END: its exit code */
	char data[KEEPER_DATA];
};

/* What the supervisor says last; a text where it is an error's. */
struct keeper_end {
	int32_t code;
	char why[768];
};

struct keeper {
	int dir;  /* of the state */
	int from; /* what is said: a pipe, or the terminal's other side */
	int to;	  /* what is typed: a pipe, or a copy of the same; -EBADF: nothing can be */
	int end;  /* a struct keeper_end */
	bool tty;
	const char *name;
};

/* Until nobody is left to say anything. What is open but these descriptors is closed. */
_Noreturn void keeper_main(struct keeper *k);

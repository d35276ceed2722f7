/*
 * What supervisor and agent tell each other: one packet a message on a SOCK_SEQPACKET pair.
 *
 * Layer: session. The agent is the session's first process inside the target: it builds the view,
 * starts the command, reaps and kills what the command leaves. Each of the two notices at once when
 * the other is gone (end of file) and then clears up alone.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"

enum wire_type {
	WIRE_KIT = 1, /* supervisor -> agent: the kit's mount, as a descriptor; or `err`, when it
			 failed */
	WIRE_ROOT,    /* supervisor -> agent: the root's mount, as a descriptor (top.h); or `err` */
	WIRE_CGROUP,  /* supervisor -> agent: a cgroup.procs file to enter, as a descriptor */
	WIRE_GUARDED, /* supervisor -> agent: the command may start */
	WIRE_NS,   /* agent -> supervisor, guard: the session's mount namespace, as a descriptor */
	WIRE_LATE, /* agent -> supervisor: a descriptor whose end takes long */
	WIRE_DONE, /* agent -> guard: all is cleared up */
	WIRE_SCRATCH, /* agent -> supervisor: where a view that forgets writes, made inside */
	WIRE_NOTE,    /* agent -> supervisor: a sentence for the user, in `err` */
	WIRE_STARTED, /* agent -> supervisor: the command has been executed; where asked for */
	WIRE_AGENT,   /* steward -> supervisor: the agent is process `num`, not itself */
	WIRE_HAND,    /* steward -> agent: a descriptor, `num` tells which (lodge.c) */
	WIRE_READY,   /* agent -> supervisor: the view stands; maybe a pty master */
	WIRE_FAIL,    /* agent -> supervisor: `err` */
	WIRE_SIGNAL,  /* supervisor -> agent: pass signal `num` on to the command */
	WIRE_ASK, /* broker -> launcher: a question, in `err`; the answer goes to the descriptor */
	WIRE_SETTLE, /* broker -> launcher: a byte to the descriptor once what the host has mounted
			is so in the container, too */
	WIRE_ENDED,  /* broker -> who asked: the command has ended with exit code `num` */
};

struct wire_msg {
	uint32_t type;
	int32_t num;
	struct err err;
};

/* Send a message, with a descriptor when fd >= 0. 0 or -errno (-EPIPE: the other is gone). */
int wire_send(int sock, const struct wire_msg *m, int fd);

/* Wait for a message. 1, 0 at the end of file, or -errno. *fd is a new descriptor or -EBADF. A
 * message of another size, or with more descriptors than one, is -EBADMSG; texts end with NUL. */
int wire_recv(int sock, struct wire_msg *m, int *fd);

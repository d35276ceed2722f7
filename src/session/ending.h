/*
 * What the supervisor tells of a target's end while the session goes on (plan.outlive).
 *
 * Layer: session.
 */
#pragma once

#include "session/session.h"

struct ending {
	int target;   /* its pidfd until it has ended, borrowed; -EBADF: not looked at */
	int64_t next; /* ms of CLOCK_MONOTONIC: look whether its files are gone; 0: never */
};

/* Of `ms` to wait in poll(2), -1 for ever, so many. */
int ending_wait(const struct ending *x, int ms);

/* The time that the session was given is over. */
void ending_say_ttl(const struct plan *p, bool raw);

/* Whatever is to be told now; `now`: the target has ended. On a terminal in raw mode (`raw`) a line
 * of its own. */
void ending_look(struct ending *x, bool now, const struct session_talk *talk, bool raw);

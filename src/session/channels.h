/*
 * What lies between our descriptors 0 to 2 and the session's: pipes, a terminal, or nothing.
 *
 * Layer: session, private.
 */
#pragma once

#include "session/plan.h"
#include "session/relay.h"

struct channels {
	int stdio[3]; /* for the command; -EBADF: the pty */
	int master;   /* of the session's pty, once the agent has made it */
	struct relay relay[RELAY_MAX];
	size_t n;
	struct termios saved;
	bool raw;
};

#define CHANNELS_INIT ((struct channels){.stdio = {-EBADF, -EBADF, -EBADF}, .master = -EBADF})

/* Open what the command is given as its descriptors 0 to 2. 0 or -errno with `e`. */
int channels_open(struct channels *c, const struct plan *p, struct err *e);

/* The agent has its copies of stdio[]: close ours. */
void channels_handed(struct channels *c);

/* In the agent: close what is the supervisor's; a copy of it would keep a pipe of the command's
 * from ever ending. */
void channels_forget(struct channels *c);

/* The session stands: `c->master` is set, put our terminal into raw mode and relay it. */
void channels_start(struct channels *c, const struct plan *p);

/* Our terminal has another size. */
void channels_resize(const struct channels *c);

/* As relay_poll() and relay_move(), for all of them; fds[2 * RELAY_MAX]. channels_poll() returns
 * how many entries it filled. */
size_t channels_poll(const struct channels *c, struct pollfd *fds);
void channels_move(struct channels *c, const struct pollfd *fds);

/* The session is over: pass on what the command said last. */
void channels_drain(struct channels *c);

/* Give the terminal back as it was and close all. */
void channels_done(struct channels *c);

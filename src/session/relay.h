/*
 * Bytes between our own descriptors and the session's: terminal or pipes, never mixed up, never
 * waited for at one end while the other has something to say.
 *
 * Layer: session.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

enum { RELAY_BUF = 16384, RELAY_MAX = 3 };

/* One direction. */
struct relay {
	int from, to;	       /* borrowed, but for `own` */
	bool own_from, own_to; /* close at the end of that direction */
	bool tty_eof;	       /* at the end of input write ^D instead of closing */
	bool done;
	size_t start, len;
	char *buf; /* RELAY_BUF bytes, borrowed */
};

/* Add the descriptors this direction waits for to fds[2]; returns how many entries it used (always
 * 2, unused ones have fd -1). */
void relay_poll(const struct relay *r, struct pollfd fds[2]);

/* Move what can be moved after poll(2) filled fds[2]. */
void relay_move(struct relay *r, const struct pollfd fds[2]);

/* The session is over: pass on what is still in the pipe or terminal, without waiting for more. */
void relay_drain(struct relay *r);
void relay_done(struct relay *r);

/* Put the terminal behind `fd` into raw mode; `saved` gets what it was. 0 or -errno. */
int tty_raw(int fd, struct termios *saved);
void tty_restore(int fd, const struct termios *saved);
/* Copy the window size of the terminal `from` to the pty `to`. */
void tty_copy_size(int from, int to);

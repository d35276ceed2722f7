/*
 * Many sessions at once: each in a child process, so many at a time, their output heard line by
 * line.
 *
 * Layer: session. A child is in a process group of its own: what the terminal sends (Ctrl-C) comes
 * to us, and is passed on. When we are killed the children are too (PR_SET_PDEATHSIG), and their
 * agents clear up.
 */
#pragma once

#include <stddef.h>

#include "base/err.h"

enum { MANY_LINE = 64 << 10, MANY_MAX = 64 };

struct many {
	size_t n;	 /* how many there are */
	size_t parallel; /* at the same time: 1 to MANY_MAX */
	/* Called in a child, whose standard input is empty and whose output is heard: the exit
	 * code, or -errno with `e`. */
	int (*run)(void *data, size_t i, struct err *e);
	/* A line of its standard output (`fd` 1) or error (2), with its newline; without one at the
	 * end of the output, and where a line is longer than MANY_LINE. */
	void (*heard)(void *data, size_t i, int fd, const char *text, size_t len);
	/* It is over: the exit code, and why there was no session when e->num is set. */
	void (*ended)(void *data, size_t i, int code, const struct err *e);
	void *data;
};

/* Run them all, and wait. After SIGINT, SIGTERM, SIGHUP or SIGQUIT, which are passed on, no more
 * are started. 0 when each has ended, or -errno. */
int many_run(const struct many *m, struct err *e);

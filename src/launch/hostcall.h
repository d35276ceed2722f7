/*
 * Commands of a container that run on its host (porthole host exec): the side that asks.
 *
 * Layer: launch.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

struct hostcall {
	bool tty;	 /* a terminal of the host's, relayed to ours */
	bool stdin_open; /* our standard input goes to the command */
	bool with_tools; /* the command is the kit's, in the host's files */
	bool cwd_asked;
	const char *user, *cwd;		/* NULL: who we are; "/" */
	struct strv env;		/* NAME=VALUE, besides TERM, LANG and such */
	struct strv argv;		/* empty: a shell */
	void (*note)(const char *text); /* something to tell; printable */
};

/* Run it and wait for its end, through the socket at `path`. Returns its exit code, or -errno with
 * `e`, whose exit is by docker's contract; -ENOENT: there is no such socket. */
int hostcall_run(const char *path, const struct hostcall *c, struct err *e);

/* The path on the host of our own working directory, as far as it can be told: what is below $HOST,
 * /host or /media/root loses that. The caller frees; NULL when memory is out. */
char *hostcall_cwd(void);

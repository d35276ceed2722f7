/*
 * Commands of a container that run on its host (porthole host exec): the side that stays outside.
 *
 * Layer: launch. Linux 5.2 (a detached tmpfs holds the socket). Whoever launches the container
 * opens a broker, puts its mount into the container at BROKER_DIR, and looks after its descriptor
 * while the container runs. Nothing is started before somebody inside asks: then a process is, in
 * the namespaces that the launcher itself is in, which starts the commands and ends with the
 * launcher.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "launch/rules.h"

struct plan;

#define BROKER_DIR    "/.porthole" /* in the container; a directory of this name must be there */
#define BROKER_NAME   "host.sock"
#define BROKER_SOCKET BROKER_DIR "/" BROKER_NAME

#define BROKER_MARK "PORTHOLE_CALL" /* a variable by which a command's processes are found */

enum { BROKER_CALLS_MAX = 1024 }; /* at once; who comes then is told so */

struct broker_options {
	const struct rules *rules; /* outlive the broker */
	const char *container;	   /* its name, for the log and for questions */
	int log; /* every command is written there, a line of JSON at its start and one at its
		    end; O_APPEND, borrowed; -EBADF: no log */
};

struct broker {
	struct broker_options o;
	int mount;	/* a detached mount: the caller's to attach, and to take */
	int listener;	/* until the process runs */
	int link;	/* to the process, which ends when it is closed */
	pid_t pid;	/* 0: not started */
	uint32_t *live; /* shared with it: the numbers of commands that run */
	char *path;	/* PATH of the launcher: where commands are looked for */
	char cookie[17];
};

#define BROKER_INIT ((struct broker){.mount = -EBADF, .listener = -EBADF, .link = -EBADF})

/* Make room for the socket, a tmpfs that is mounted nowhere. 0 or -errno. */
int broker_open(struct broker *b, const struct broker_options *o, struct err *e);

/* Make the socket, before anything runs in the container. 0 or -errno. */
int broker_listen(struct broker *b, struct err *e);

/* What to wait for (POLLIN); -EBADF: nothing any more. */
int broker_watch(const struct broker *b);

/* There is something to read: starts the process when somebody asks for the first time, later asks
 * the launcher's terminal (and waits for the answer, a minute at most). `inside`: a process of the
 * container; only those with its root directory are served. */
void broker_attend(struct broker *b, pid_t inside);

/* End every command that runs, and the process; or give back what was only opened. */
void broker_done(struct broker *b);

/* --- between the files of the broker --- */

/* One command that is asked for, in a process of its own. */
struct broker_call {
	const struct broker *b;
	int sock;	/* to who asks */
	uint32_t id;	/* counted from 1 */
	dev_t root_dev; /* the container's root directory; 0: not known */
	ino_t root_ino;
	const char *msg; /* hostwire: what was received */
	size_t len;
	int fds[3];	 /* for the command; -EBADF: none given */
	uint64_t nofile; /* RLIMIT_NOFILE as the launcher's */
};

/* [the broker's process] Serve until `link` is closed. */
_Noreturn void broker_serve(struct broker *b, int link, int hold, pid_t inside);

/* [its child] Check who asks and what, and become the command; says why not. */
_Noreturn void broker_call_run(struct broker_call *c);

/* The command of `p` (words, user, directory, environment) as one of the kit, in the host's files:
 * becomes `porthole exec` of ourselves, which only the launcher's own user may (`owner`). 0 or
 * -errno. */
int broker_tools(struct plan *p, bool owner, struct err *e);

/* Show a question on the launcher's terminal. 'y', 'n', 't': there is no terminal. */
char broker_ask_terminal(const char *question);

/* End what is left of the commands in `live` (BROKER_CALLS_MAX numbers, 0: none). */
void broker_sweep(const char *cookie, const uint32_t *live);

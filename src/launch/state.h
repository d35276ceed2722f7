/*
 * What is written down of a container of ours that runs in the background: /run/porthole/NAME, for
 * as long as it runs (launch/ended.h: and then).
 *
 * Layer: launch. The directory holds `state` (JSON; the target layer's engine `porthole` reads it
 * too) and `log`. The first to have the directory has the name. Who is killed before he could
 * remove it is found out by the next look.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

enum { LAUNCH_NAME_MAX = 64, LAUNCH_LOG_MAX = 1 << 20 };

#define LAUNCH_TEMP_ROOT "root"

#define LAUNCH_STATE   "state"
#define LAUNCH_LOG     "log" /* what it says; at LAUNCH_LOG_MAX bytes it becomes the older one */
#define LAUNCH_LOG_OLD "log.1"

/* A process that cannot be mistaken for another. */
struct launch_proc {
	pid_t pid; /* 0: none */
	uint64_t start;
};

struct launch_state {
	char *name;
	char *id;     /* the session's cookie, which its processes have in their environment */
	char *image;  /* what its files are, for people */
	char *target; /* whom it is beside; NULL: nobody */
	pid_t target_pid;
	int64_t created;	       /* Unix seconds */
	struct launch_proc supervisor; /* while it is being started: who starts it */
	struct launch_proc agent;      /* none before it stands */
	struct launch_proc command;    /* the same; and none once it has ended */
	bool began;		       /* its command has been started */
	bool rm;		       /* nothing of it is kept when it has ended */
	bool by_engine; /* the agent is the first process of an engine's container: it is found by
			   that one, as the engine has it */
};

#define _cleanup_launch_state_ _cleanup_(launch_state_done)
void launch_state_done(struct launch_state *s);

/* This process now. */
struct launch_proc launch_proc_of(pid_t pid);
/* Whether it is there, and no zombie. */
bool launch_proc_runs(const struct launch_proc *p);

/* Whether a container may be called so. 0, or -EINVAL with `e`. */
int launch_name_check(const char *name, struct err *e);

/* Take the name s->name and write s down. Returns the open directory, the caller's; -EEXIST with
 * `e` when another has it. Leftovers of what was killed are removed first. */
int launch_reserve(const struct launch_state *s, struct err *e);

/* Write s into the directory `dir` again, at once. 0 or -errno. */
int launch_state_write(int dir, const struct launch_state *s, struct err *e);

/* Read what is written of `name`; the open directory, the caller's, or -errno; -ENOENT: nothing is
 * called so, -EBADMSG. `s` is zeroed by the caller. */
int launch_state_read(const char *name, struct launch_state *s, struct err *e);

/* The directory of all, the caller's, or -errno. */
int launch_top(void);

/* That the name is taken: e's words, and -EEXIST. */
int launch_taken(const char *name, struct err *e);

/* The same as launch_state_read() after launch_sweep(), with a sentence when nothing is called so.
 */
int launch_find(const char *name, struct launch_state *s, struct err *e);

/* Remove the directory `dir` of `name`; that of another which has the name since stays. */
void launch_forget(int dir, const char *name);

/* Make a directory beside them that has no name, for as long as this process runs, with the empty
 * directory LAUNCH_TEMP_ROOT in it: the caller frees *path. Somebody else's next look removes what
 * a killed one has left. 0 or -errno with `e`. */
int launch_temp(char **path, struct err *e);

/* Remove it with what of ours is in it. */
void launch_temp_remove(const char *path);

/* Clear up after all whose supervisor and agent were killed: what they had started, and what is
 * written of them. Costs one system call where there are none. */
void launch_sweep(void);

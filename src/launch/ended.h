/*
 * What is kept of containers in the background that have ended: what they said last, and how they
 * ended, in /run/porthole/.ended-NAME.
 *
 * Layer: launch. Of the last ENDED_MAX, for a day; less for one that porthole kill has ended, whose
 * name is taken again, or that never began.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"

enum { ENDED_MAX = 16, ENDED_S = 24 * 60 * 60, ENDED_LOG_MAX = 64 << 10 };

#define ENDED_PREFIX ".ended-"
#define ENDED_FILE   "ended" /* in the directory: how it ended */

#define ENDED_BY_KILL "Porthole's process that looked after it was killed"

struct launch_ended {
	int64_t at;    /* Unix seconds; 0: it has not ended, or nothing is kept of it */
	int code;      /* its exit code; -1: not known */
	char why[768]; /* what went wrong; "": nothing did */
};

/* The container `name`, whose directory is `dir`, has ended: it goes to those that have. `why` may
 * be NULL. Nothing is done when somebody else has seen to it, or for one that has not begun, which
 * is forgotten by who started it. */
void launch_ended(int dir, const char *name, int code, const char *why);

/* How the container ended whose directory is `dir`. */
void launch_ended_read(int dir, struct launch_ended *out);

/* NAME of what was typed: NAME or porthole://NAME. */
const char *launch_ended_name(const char *typed);

/* The directory of the one that was called so, the caller's, or -ENOENT. */
int launch_ended_open(const char *name);

/* Keep nothing of it. 0, -ENOENT: nothing was kept, or -EBUSY: it cannot be removed. */
int launch_ended_forget(const char *name);

/* Forget those that are too old, and too many, and all but the last of long logs. `top`: the
 * directory of all. */
void launch_ended_sweep(int top);

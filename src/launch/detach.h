/*
 * Containers of ours in the background: a supervisor that nobody waits for, and a process that
 * keeps what the container says and clears up last.
 *
 * Layer: launch.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "session/plan.h"
#include "session/session.h"

struct launch {
	const char *name;  /* as launch_name_check() takes it */
	const char *image; /* what its files are, for people */
	bool rm;	   /* keep nothing of what it has said when it has ended */
	bool input; /* it takes what whoever attaches types; with a terminal it always does */
	/* In place of session_run(), in the supervisor (an engine's). NULL: that */
	int (*run)(const struct plan *p, const char *name, struct session_talk *talk,
		   const void *data, struct err *e);
	const void *run_data;
	/* Called in the supervisor at the end of the target where the container goes on; a sentence
	 * for its log, which is freed, or NULL. */
	char *(*ended)(void *data);
	/* As of struct session_talk, in the supervisor. */
	int (*prepare)(void *data, struct err *e);
	int (*watch)(void *data);
	void (*attend)(void *data, pid_t agent);
	void (*over)(void *data); /* after that, before anybody hears that it has ended */
	void *data;
};

/* Start the plan in the background: returns 0 once its command runs (or has run), or -errno with
 * `e`: then nothing of it is left. What it says goes to its log, and to whoever attaches
 * (launch/attach.h). */
int launch_detached(const struct plan *p, const struct launch *l, struct err *e);

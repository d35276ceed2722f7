/*
 * How a target's first process ended.
 *
 * Layer: target.
 */
#pragma once

#include "target/target.h"

enum ended_how {
	ENDED_UNKNOWN = 0, /* nobody says */
	ENDED_STATUS,	   /* status, as wait(2) has it: from the kernel */
	ENDED_CODE,	   /* code alone, from the engine: 128+N may be a signal */
};

struct ended {
	enum ended_how how;
	int status;
	int code; /* always by docker's contract: 128+N for signal N; -1: not known */
};

/* Ask the kernel, then the engine's state, for at most `wait_ms`, since both take a moment after
 * the end of a pinned target. `out` is filled in any case. */
void ended_read(const struct target_roots *r, const struct target *t, int wait_ms,
		struct ended *out);

/* "ended with exit code 3", "was killed by signal 9 (KILL)", "ended" into `out`. Returns `out`. */
char *ended_words(const struct ended *x, char *out, size_t size);

/* What finds the target again after a restart: what the person typed, unless that was a process's
 * number: then ENGINE://ID. A new string; NULL when there is nothing, or memory is out. */
char *ended_spec(const struct target *t, const char *typed);

/*
 * When the command is asked to end, and when it is ended.
 *
 * Layer: session, private.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* ms of CLOCK_MONOTONIC; 0: none. */
struct asked {
	int64_t first;	/* when the first signal that asks for the end came */
	int64_t ttl_by; /* when it is asked for, whatever else */
	int64_t end_by; /* what was asked to end and still runs then is not asked again */
};

enum asked_what { ASKED_NOTHING, ASKED_TERM, ASKED_END };

/* The command starts: so many seconds (0: any number) until it is asked. */
void asked_start(struct asked *a, uint64_t ttl);

/* Whether this signal asks, later than as one with another, what was asked before. */
bool asked_again(struct asked *a, unsigned signo);

/* It has been asked to end, once and for all. */
void asked_to_end(struct asked *a);

/* What is to be done now: send it SIGTERM, or end it. `left`: how many ms from now on something may
 * have to be done; -1: nothing. */
enum asked_what asked_now(struct asked *a, int *left);

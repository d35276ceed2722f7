/*
 * What 'porthole forward' shows: a screen that updates, log lines, or JSON events.
 *
 * Layer: cmd.
 */
#pragma once

#include "cli/cli.h"
#include "forward/forward.h"
#include "out/text.h"

struct show {
	bool json, verbose, quiet; /* quiet: nothing but errors */
	bool live;		   /* standard output is a terminal and ours alone */
	FILE *out;		   /* standard error where a command has standard output */
	const char *label;	   /* the target, printable */
	struct out_style style;
	const struct forward *f;
	unsigned drawn;			/* lines of the screen that are there now */
	uint64_t total, sent, received; /* of connections that are over: what they carried */
	char last[512];			/* the last failure that was told, and when */
	int64_t last_at;
};

/* A rule that listens now. */
void show_listening(struct show *s, const struct fwd_rule *r);

/* struct fwd_talk's; `data` is the struct show. */
void show_event(void *data, enum fwd_event what, const struct fwd_conn *c, const char *why);
void show_second(void *data);

/* The screen goes, and a line of what was carried stays. */
void show_end(struct show *s);

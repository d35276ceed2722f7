/*
 * What `porthole catch` has to tell.
 *
 * Layer: cmd, private to the verb.
 */
#pragma once

#include "base/json.h"
#include "facts/last.h"
#include "out/text.h"
#include "session/rescue.h"
#include "target/ended.h"

struct caught {
	const struct target *t;
	const char *label; /* its name, printable */
	const struct last *last;
	const char *cwd; /* of its first process; NULL: unknown */
	struct ended how;
	int64_t at;		     /* Unix seconds: when it ended */
	int64_t seen;		     /* milliseconds before that of the last look */
	bool session;		     /* there is one on what is left */
	bool whole;		     /* its writable layer was copied, and no longer matters */
	size_t mounts;		     /* held */
	struct strv memory;	     /* tmpfs among them, where */
	const struct rescue *rescue; /* what was copied of its writable layer */
	bool removed;		     /* its writable layer was */
	bool restarted;		     /* it runs again */
};

/* The report for a person. 0 or -ENOMEM. */
int caught_text(FILE *out, const struct caught *c, const struct out_style *style);

/* The same as one object the caller owns; NULL when memory is out. */
json_t *caught_json(const struct caught *c);

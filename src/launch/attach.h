/*
 * At the terminal of a container in the background, or what it reads and writes where it has none.
 *
 * Layer: launch.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum { ATTACH_KEYS_MAX = 16 };

/* What, typed, leaves it. */
struct attach_keys {
	char v[ATTACH_KEYS_MAX];
	size_t n; /* 0: nothing does */
};

/* Parse keys as docker writes them: "ctrl-p,ctrl-q", "a", "ctrl-]"; "" is none. Bytes in, no I/O. 0
 * or -EINVAL with `e`. */
int attach_keys_parse(const char *text, struct attach_keys *out, struct err *e);

struct attach_ask {
	struct attach_keys keys;
	bool no_input; /* only look */
	bool signals;  /* pass those that we get on to its command */
	/* to standard error, where a person sits before it; NULL: nothing */
	const char *greeting;
	bool left; /* out: it goes on, we have left it */
};

/* Show what `name` says and pass on what is typed, until it ends or we leave. Returns its exit
 * code, 0 when we left; -ENOENT: nothing is called so; -EIO: it was killed; -ETIMEDOUT: we did not
 * read for too long; -errno with `e`. */
int launch_attach(const char *name, struct attach_ask *ask, struct err *e);

/*
 * TARGET:PATH as it is typed: bytes in, no I/O.
 *
 * Layer: files.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"

/* One argument of cp and its like. */
struct location {
	char *target; /* what target_resolve() and its like take; NULL: a path of the host's own */
	char *path;   /* never empty: "/" where only "TARGET:" was typed */
	bool stream;  /* "-": an archive on standard input or output; path is "-" */
};

void location_done(struct location *s);
#define _cleanup_location_ _cleanup_(location_done)

/* Take an argument apart. What starts with '/' or '.' is local, as is what has no colon, or a '/'
 * before its first colon and no ":/". Else the path starts at the first ":/" (that is not the "://"
 * of a scheme), and where there is none, after the first colon that is not part of "pid:N",
 * "ENGINE:NAME" or a scheme (of an image, only ":/" will do). So of "img.tar:app:1.0:/etc" and
 * "docker://web:/etc" all is right, and "web:etc" is "/etc", as with docker cp. 0, -EINVAL (empty,
 * or no PATH: said in `e`), -ENOMEM. */
int location_parse(const char *arg, struct location *out, struct err *e);

/* The same for what can only be in a target: an argument without a colon is a target, and its root
 * meant. */
int location_parse_target(const char *arg, struct location *out, struct err *e);

/*
 * HTTP over a daemon's unix socket, the last resort: half a second, and no more.
 *
 * Layer: target, private to it.
 */
#pragma once

#include "target/engine.h"

#define API_TIMEOUT_MS 500

/* GET `path` from the socket at `sock` below the root. 0 and the body in a new NUL-terminated
 * string; -ENOENT when there is no such socket, or the answer is 404; -ETIMEDOUT when nobody
 * answers in time; -EBADMSG for any other answer, or -errno. */
int api_get(struct look *l, const char *sock, const char *path, char **body, size_t *len);

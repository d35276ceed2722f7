/*
 * What a container in the background has said.
 *
 * Layer: launch.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"

/* Copy it to the descriptor `to`: the last 1 to 2 MiB; `follow`: and what comes, until the
 * container ends. 0, -ENOENT: nothing is called so, -EPIPE: nobody reads any more, or -errno. */
int launch_log(const char *name, bool follow, int to, struct err *e);

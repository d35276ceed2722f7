/*
 * What a container in the background has said.
 *
 * Layer: launch.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "launch/ended.h"

/* Copy it to the descriptor `to`: the last 1 to 2 MiB; `follow`: and what comes, until the
 * container ends. Of one that has ended, what is kept; `end` says how, if it has.
 * 0, -ENOENT: nothing is called so, -EPIPE: nobody reads any more, or -errno. */
int launch_log(const char *name, bool follow, int to, struct launch_ended *end, struct err *e);

/* Of one that has not begun, whose supervisor has ended and whose directory is `dir`: all of it. */
void launch_log_rest(int dir, int to);

/* One environment variable larger than execve(2) allows (128 KB). */
#pragma once

#include <stddef.h>

/* Make /proc/self/environ read as GOOD=yes, HUGE=xxx... of `bytes`, LAST=yes. Linux with
 * CONFIG_CHECKPOINT_RESTORE. 0 or -1 with errno. */
int bigenv(size_t bytes);

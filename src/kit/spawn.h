/*
 * Run one of Debian's own tools and hear what it says.
 *
 * Layer: kit (uses base). Children die with us (PR_SET_PDEATHSIG), get LC_ALL=C and no standard
 * input.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

/* Most output kept of one stream, in bytes; what comes after is read and dropped. */
#define SPAWN_OUTPUT_MAX ((size_t)4 << 20)

/* Start argv[0] (found in PATH) in directory `cwd` (NULL: ours). `out` and `errfd` become its
 * standard output and error (-1: /dev/null). Returns its pid, or -errno (-ENOENT: there is no such
 * program). */
pid_t spawn_start(char *const *argv, const char *cwd, int out, int errfd);

/* Wait for it. Returns its exit status, 128+N when signal N ended it, or -errno. */
int spawn_wait(pid_t pid);

/* Run to the end and keep what it printed (both may be NULL: dropped). Returns as spawn_wait(). */
int spawn_run(char *const *argv, const char *cwd, struct buf *out, struct buf *errs);

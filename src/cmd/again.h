/*
 * A target's end, and its next start: what exec --outlive and --follow, and catch, have in common.
 *
 * Layer: cmd.
 */
#pragma once

#include "target/target.h"

/* "'web' was killed by signal 9 (KILL) after 5 minutes", as far as it is known within a moment. A
 * new string, NULL when memory is out. `label`: its name made printable. */
char *again_ended(const struct target_roots *r, const struct target *t, const char *label);

/* Wait until `spec` names a running target, other than the process `old` (NULL: any), and pin it
 * into `out`, which holds what was seen of it before, if anything. SIGINT, SIGTERM, SIGHUP and
 * SIGQUIT end the waiting, whether they are blocked or not; they are blocked afterwards. `timeout`
 * in seconds, 0: for ever. One that starts and ends between two looks, 10 ms apart, is missed and
 * named: at once with `old` NULL and no restart to come. 0, -ETIMEDOUT, -EINTR with e->exit 128+N,
 * -ENOENT when `old` was removed and nothing has its name for 10 seconds, or -errno where waiting
 * cannot help. */
int again_wait(const struct target_roots *r, const char *spec, const struct target *old,
	       uint64_t timeout, struct target *out, struct err *e);

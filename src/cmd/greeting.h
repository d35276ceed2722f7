/*
 * The lines for a person who just came in, and words for the state of what does not run.
 *
 * Layer: cmd.
 */
#pragma once

#include "base/str.h"
#include "session/plan.h"

void greeting(const struct plan *p, bool color, struct buf *b);

/* "exited with code 137 (SIGKILL) 3 minutes ago", "was created and never started"; printable. A new
 * string, NULL when memory is out. */
char *state_words(const struct target *t);

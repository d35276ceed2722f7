/*
 * The lines for a person who just came in, and words for the state of what does not run.
 *
 * Layer: cmd.
 */
#pragma once

#include "base/str.h"
#include "session/plan.h"

void greeting(const struct plan *p, bool color, struct buf *b);

/* Where nobody is greeted: the line that tells whoever writes to a container's files that it does
 * not run. `keep`: where the changes are saved, or NULL. Nothing for what runs, nor for an image,
 * archive or directory, which was named as such. */
void greeting_forgets(const struct plan *p, const char *keep, struct buf *b);

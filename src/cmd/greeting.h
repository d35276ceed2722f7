/*
 * The lines for a person who just came in.
 *
 * Layer: cmd.
 */
#pragma once

#include "base/str.h"
#include "session/plan.h"

/* Append them: where that is, what is missing or stands still there, where the tools are. `color`:
 * for a terminal with colours. `b` tells when memory is out. */
void greeting(const struct plan *p, bool color, struct buf *b);

/* Where nobody is greeted: the line that tells whoever writes to a container's files that it does
 * not run. `keep`: where the changes are saved, or NULL. Nothing for what runs, nor for an image,
 * archive or directory, which was named as such. */
void greeting_forgets(const struct plan *p, const char *keep, struct buf *b);

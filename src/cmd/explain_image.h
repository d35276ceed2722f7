/*
 * How an image says that it is to be run.
 *
 * Layer: cmd.
 */
#pragma once

#include "profile/words.h"

/* `spec`: image://NAME. The words of its RUN label, filled in, to `words`; its labels as they are
 * written, NAME=VALUE, to `labels`. 0 or -errno with `e`; -ENODATA: it has no RUN label. */
int explain_image(const char *spec, struct words *words, struct strv *labels, struct err *e);

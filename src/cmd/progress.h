/*
 * How far a copy is, on a terminal, once it lasts; and Ctrl-C, which ends it without leaving
 * halves.
 *
 * Layer: cmd.
 */
#pragma once

#include <stdbool.h>

#include "files/meter.h"

/* A tick for meters: from its first second on it shows what was done, on standard error when that
 * is a terminal. -ECANCELED once SIGINT, SIGTERM or SIGHUP came. */
int progress_tick(struct meter *m);

/* Begin to take signals, and to count. `quiet`: nothing is shown. */
void progress_begin(bool quiet);

/* Take the line off the terminal, so that something else can be printed. */
void progress_hide(void);

/* The same for good. The signal that came, or 0. */
int progress_end(void);

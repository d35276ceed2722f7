/*
 * What a kit or an executable with one may be written over.
 *
 * Layer: kit.
 */
#pragma once

#include "base/err.h"

/* May `name` in the directory `dirfd` be replaced by a file that is renamed there? 0 when nothing
 * is there, or a regular file; -EISDIR, -EEXIST for a device, FIFO, socket or link, or -errno, with
 * `e`, which says `shown`. */
int output_may_replace(int dirfd, const char *name, const char *shown, struct err *e);

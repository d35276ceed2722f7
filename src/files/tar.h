/*
 * Trees as streams of tar: what `cp - TARGET:DIR` reads and `cp TARGET:PATH -` writes.
 *
 * Layer: files. libarchive reads, pax.h writes; ids are those inside.
 */
#pragma once

#include "files/transfer.h"

/* Write what `top` is to the descriptor `out`, under `name` ("." for what is in a directory). Of
 * `t`, from, keep, meter and failed hold, and its counts are filled in. 0 or -errno with `e`. */
int tar_write(struct transfer *t, int top, const char *name, int out, struct err *e);

/* Unpack the archive (gzip, bzip2, xz, zstd too) that is read from `in` into the directory `dir`.
 * Of `t`, to, keep (`give`, uid and gid; else an entry's own) and so on hold. Nothing is made
 * outside of `dir`, whatever names and links say. 0 or -errno with `e`; -EBADMSG: no archive, or a
 * broken one. */
int tar_read(struct transfer *t, int in, int dir, struct err *e);

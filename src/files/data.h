/*
 * The bytes of a file: shared where the file system can, else copied by the kernel; holes stay
 * holes.
 *
 * Layer: files. copy_file_range(2) between file systems: Linux 5.3; else they are read and written.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "files/meter.h"

/* What files without a size (of procfs) may hold. */
enum { DATA_SIZELESS_MAX = 256 << 20 };

/* Copy the regular file `in` from its start into the empty file `out`: as many bytes as it has now,
 * however it grows meanwhile. One that shrinks ends where it ends. Returns the bytes `out` has
 * then, or -errno; what failed is *reading, or writing (ENOSPC, EFBIG ...). */
int64_t data_copy(int in, int out, struct meter *m, bool *reading);

/* Write `in` from its start to the pipe, terminal or file `out`, holes as zeros; files without a
 * size to their end. Returns the bytes, or -errno as above. */
int64_t data_cat(int in, int out, struct meter *m, bool *reading);

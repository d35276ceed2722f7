/*
 * What is mounted below a directory, asked of the kernel without reading the whole table.
 *
 * Layer: sys. Linux 6.8: listmount(2), statmount(2).
 */
#pragma once

#include "base/str.h"

/* The last names of the paths on which something is mounted, below the mount that the directory
 * `dirfd` is of, are appended to `names` (the caller's). 0; -ENOSYS (an older kernel, or one that a
 * filter speaks for), -E2BIG: more than a few dozen, -ENOMEM, or another -errno: who asks has to
 * look for himself. */
int mountlist_names(int dirfd, struct strv *names);

/*
 * Whether two hostile files hold the same.
 *
 * Layer: files, private.
 */
#pragma once

#include <stdbool.h>

/* Two regular files below directories ("": O_PATH descriptors of themselves). No more is read than
 * the size that the first has now, holes are not read at all, and nothing that is no regular file
 * is opened. False also where one cannot be read. */
bool same_content(int dir_a, const char *a, int dir_b, const char *b);

/* Two links of one name lead to the same path. */
bool same_target(int dir_a, int dir_b, const char *name);

/*
 * A file in words and as JSON: what ls and find have in common.
 *
 * Layer: cmd.
 */
#pragma once

#include "base/json.h"
#include "files/listing.h"

/* "2026-11-22 07:33" of Unix seconds, local time. Returns `out`. */
char *file_time(int64_t seconds, char out[32]);

/* {path, type, mode, user, group, uid, gid, size, mtime, link, mount, ...}; the caller owns it;
 * NULL: memory is out. `path` is raw. */
json_t *file_json(struct owners *o, const char *path, const struct listed *l);

/*
 * JSON: jansson, with dotted look-ups and bounded files.
 *
 * Layer: base. Reading: a wrong type or a missing key is simply "not there", since state files of
 * engines are written by many versions. Writing: json_t objects, printed by out/.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/str.h"

/* Largest JSON file an engine may hand us, in bytes. */
#define JSON_FILE_MAX ((size_t)32 << 20)

static inline void cleanup_json(json_t **j)
{
	json_decref(*j);
}
#define _cleanup_json_ _cleanup_(cleanup_json)

/* Parse text, which may be changed by that. A new reference, or NULL. Engines write "no limit" as
 * the largest number of 64 bits, which is -1 here. */
json_t *json_parse(char *text, size_t len);

/* Parse a regular file below `dirfd`, at most `max` bytes, nesting bounded by jansson (2048).
 * Returns 0 and a reference the caller owns, or -errno; -EBADMSG when it is not JSON. */
int json_file_at(int dirfd, const char *path, size_t max, json_t **out);

/* The same below a root that is not to be trusted; at most JSON_FILE_MAX. */
int json_in_root(int rootfd, const char *path, json_t **out);

/* The value at a dotted path ("State.Pid"), borrowed; NULL when any step is missing. Keys that
 * contain dots themselves: use json_object_get(). */
json_t *json_at(json_t *j, const char *path);

/* Typed look-ups; the default when missing or of another type. Strings are borrowed from `j`. */
const char *json_str(json_t *j, const char *path, const char *dflt);
int64_t json_int(json_t *j, const char *path, int64_t dflt);
bool json_bool(json_t *j, const char *path, bool dflt);

/* A copy of the string at a path; NULL for "" and what is not there, or when memory is out. */
char *json_dup(json_t *j, const char *path);

/* Append a string, or the strings of an array (at most `max` elements are looked at). 0 or -ENOMEM.
 */
int json_strings(json_t *j, size_t max, struct strv *out);

/* A string value made of arbitrary bytes: invalid UTF-8 is escaped as \xNN text first (jansson
 * refuses it). Never NULL but on oom; NULL `s` yields JSON null. */
json_t *json_text(const char *s);

/* The same of `len` bytes, NULs and newlines included: what is no UTF-8 is escaped line by line. */
json_t *json_bytes(const char *data, size_t len);

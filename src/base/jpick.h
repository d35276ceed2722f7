/*
 * JSON values out of a text without building a tree: for state files read a hundred at a time.
 *
 * Layer: base (libc only). About 1 ns a byte, against 20 for a parser that allocates. Values are
 * slices of the text; nothing is copied before jpick_str().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A value as it stands in the text, quotes and brackets included. n 0: there is none. */
struct slice {
	const char *p;
	size_t n;
};

/* Between the keys of a path, since keys contain dots and slashes: "State>Pid". */
#define JPICK_SEP '>'

/* Find the values at `paths` (at most 32, at most 8 keys each) in the JSON object `doc`; out[i] is
 * the value at paths[i] or empty. Of repeated keys the last one holds. Returns 0, or -EBADMSG when
 * `doc` is no object, is cut off, has text after its end, or is nested deeper than 512. What lies
 * below keys nobody asked for is only checked for its brackets and strings. */
int jpick(struct slice doc, const char *const *paths, size_t n, struct slice *out);

/* Step through an array or object's members: *at starts as the value itself and is advanced;
 * *elem is the next element. `key` (NULL: an array) gets the member's key, quotes included. False
 * at the end, and when the text is broken there. */
bool jpick_next(struct slice *at, struct slice *key, struct slice *elem);

/* The string without quotes and escapes, NUL-terminated, the caller frees it. NULL when it is no
 * string, contains a NUL byte, is empty, or memory is out. Lone surrogates become '?'. */
char *jpick_str(struct slice v);

/* Whether it is exactly this string (of plain characters). */
bool jpick_is(struct slice v, const char *s);

/* An integer (also one in quotes), true/false; the default when it is anything else. */
int64_t jpick_int(struct slice v, int64_t dflt);
bool jpick_bool(struct slice v, bool dflt);

/* RFC 3339 time in quotes ("2024-05-06T07:08:09.123Z", "+02:00") as Unix seconds; 0 when it is none
 * or before 1971 (Go's zero time is the year 1). */
int64_t jpick_time(struct slice v);

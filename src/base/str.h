/*
 * Strings: a growable buffer, printable text, small parsers.
 *
 * Layer: base (libc only).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include "base/cleanup.h"

static inline bool str_eq(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

static inline bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* `s` ends with `suffix`; "" ends everything. */
bool str_ends(const char *s, const char *suffix);

/* `word` is one of the words of `list`, which blanks and newlines separate. */
bool str_has_word(const char *list, const char *word);

/* Copy `len` bytes of anything into `out` as text that is safe on a terminal: control bytes (also
 * DEL and C1 controls), bidirectional controls and invalid UTF-8 become \xNN, valid UTF-8 stays.
 * Always ends with NUL, cut to fit. Returns the bytes written without the NUL. */
size_t str_printable(const char *s, size_t len, char *out, size_t size);

/* The same in a new string the caller frees; NULL only when memory is out. */
char *str_printable_dup(const char *s);

/* What follows `start` in the first line of `text` that begins with it, to the end of the text;
 * NULL: there is no such line. */
const char *str_line(const char *text, const char *start);

/* The same without the blanks there: the value of "Key:\tvalue", by "Key:". */
const char *str_field(const char *text, const char *key);

/* Whole decimal number in [min, max], no sign, no blanks. 0, or -EINVAL, -ERANGE. */
int str_to_u64(const char *s, uint64_t min, uint64_t max, uint64_t *out);

/* Bytes with an optional unit, as docker takes them: 512, 64k, 1.5m, 2g, 1t (powers of 1024; also
 * 64kb and 64KiB). 0 or -EINVAL, -ERANGE. */
int str_to_size(const char *s, uint64_t *out);

/* Seconds of a time such as 90, 90s, 30m, 2h, 1d, 1h30m; not 0, at most a hundred years. 0 or
 * -EINVAL. */
int str_to_seconds(const char *s, uint64_t *out);

/* How many bytes are to be added, removed, changed, or swapped with their neighbour to make one
 * string of the other; at most 64 bytes of each are looked at. */
unsigned str_distance(const char *a, const char *b);

/* A growable byte buffer, always NUL-terminated once something was added. `oom` is set, and stays
 * set, when memory ran out: check it once at the end. */
struct buf {
	char *data;
	size_t len, size;
	bool oom;
};

#define _cleanup_buf_ _cleanup_(buf_done)

void buf_done(struct buf *b);
/* Append bytes, a string, one byte, or formatted text. Nothing happens once `oom` is set. */
void buf_add(struct buf *b, const void *data, size_t len);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The string inside, which the caller now owns; the buffer is empty afterwards. NULL on oom. An
 * empty buffer yields "". */
char *buf_take(struct buf *b);

/* asprintf that returns the string, or NULL when memory is out. */
char *str_fmt(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A copy of bytes, in which there may be NULs, with one behind them: *out is the caller's, *len
 * (which may be NULL) becomes `n`. 0 or -ENOMEM. */
int str_copy_bytes(const void *from, size_t n, char **out, size_t *len);

/* A NULL-terminated array of strings that owns them. */
struct strv {
	char **v;
	size_t n;
};

#define _cleanup_strv_ _cleanup_(strv_done)

void strv_done(struct strv *s);
/* Append a copy / the string itself (taken also on failure). 0 or -ENOMEM. */
int strv_add(struct strv *s, const char *str);
int strv_push(struct strv *s, char *str);
/* Append copies of all of `from`. */
int strv_add_all(struct strv *s, const struct strv *from);
/* Split at any byte of `seps`, empty pieces left out. 0 or -ENOMEM. */
int strv_split(struct strv *s, const char *str, const char *seps);
/* One of the strings is `str`. */
bool strv_has(const struct strv *s, const char *str);
/* Of an environment ("NAME=value" each): where the variable is that `name` begins with, which ends
 * there or at a '='; -1: nowhere. */
ssize_t strv_find_var(const struct strv *s, const char *name);
/* The value of the variable `name`, borrowed; NULL: it is not set. */
const char *strv_var(const struct strv *s, const char *name);

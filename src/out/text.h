/*
 * Text on a terminal: how wide it is, how it is cut, coloured and wrapped.
 *
 * Layer: out. Widths are our own table: a static binary has no locale to ask.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum out_color {
	OUT_PLAIN = 0,
	OUT_BOLD,
	OUT_DIM,
	OUT_RED,
	OUT_GREEN,
	OUT_YELLOW,
	OUT_BLUE,
	OUT_CYAN,
};

/* How one stream is written to. */
struct out_style {
	int width;  /* columns lines are cut or wrapped to; 0: never */
	bool color; /* escape sequences for colours may be used */
};

/* The style of a stream: its terminal's width (else $COLUMNS, else 0: no limit). */
struct out_style out_style_of(int fd, bool color);

/* The escape sequence that starts a colour, "" when `on` is false or the colour is OUT_PLAIN; and
 * the one that ends it. Static strings. */
const char *out_on(bool on, enum out_color c);
const char *out_off(bool on, enum out_color c);

/* Terminal columns of UTF-8 text; an invalid byte counts 1. */
int out_width(const char *s);

/* Bytes of the longest start of `s` that fits in `width` columns; never splits a character. *used
 * (may be NULL) is the columns they take. */
size_t out_fit(const char *s, int width, int *used);

/* Text wrapped at blanks to style->width (0: never), ending with a newline. The cursor stands at
 * column `col` already; further lines are indented by `indent` blanks. Words longer than a line are
 * not cut; newlines in `s` are kept. `s` must be printable. */
void out_para(FILE *f, const struct out_style *style, int col, int indent, const char *s);

/* "  label      value": the value, raw, is made printable, cut to `max` bytes (0: not) and wrapped
 * below itself, `width` columns behind the label's start. Nothing is printed for an empty one. 0 or
 * -ENOMEM. */
int out_labelled(FILE *f, const struct out_style *style, int width, size_t max, const char *label,
		 const char *value);

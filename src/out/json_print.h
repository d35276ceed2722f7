/*
 * JSON on standard output.
 *
 * Layer: out.
 */
#pragma once

#include "base/err.h"
#include "base/json.h"
#include "out/text.h"

/* Print `j` (borrowed; NULL is -ENOMEM: a json_pack that failed) and a newline. Indented by two,
 * with coloured keys where style->color. Code points a terminal acts upon (DEL, C1 controls,
 * bidirectional overrides) are written as \uXXXX, which is the same JSON. 0 or -errno with `e`. */
int out_json(FILE *f, json_t *j, const struct out_style *style, struct err *e);

/* The same on one line, never coloured: for streams of objects. */
int out_json_line(FILE *f, json_t *j, struct err *e);

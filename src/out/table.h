/*
 * Tables: columns are data, cells are added left to right, and the whole is printed once.
 *
 * Layer: out. Cells are made printable and measured in terminal columns, so names from containers
 * can be handed in as they are.
 */
#pragma once

#include "base/err.h"
#include "out/text.h"

enum col_flags {
	COL_RIGHT = 1 << 0, /* aligned right: numbers */
	COL_SHRINK =
		1 << 1,	   /* may be cut (with "...") where the table is wider than the terminal */
	COL_HIDE = 1 << 2, /* left out where no row has anything in it */
};

struct column {
	const char *name; /* header; NULL in all columns: no header line */
	unsigned flags;
	int min; /* narrowest a COL_SHRINK column becomes; 0: 8 */
	int max; /* cells wider than this are cut even where there is room; 0: no limit */
};

struct cell {
	char *text; /* printable */
	int width;
	enum out_color color;
};

/* A table that owns its cells; `oom` stays set once memory ran out. */
struct table {
	const struct column *cols;
	size_t n_cols;
	struct cell *cells;
	size_t n_cells, size;
	int indent; /* blanks before every line */
	enum out_color head;
	bool oom;
};

#define TABLE_INIT(columns)                                                                        \
	((struct table){.cols = (columns), .n_cols = ARRAY_LEN(columns), .head = OUT_BOLD})
#define _cleanup_table_ _cleanup_(table_done)

void table_done(struct table *t);

/* Add the next cell: raw text (NULL: empty), or formatted. Rows fill up by themselves. */
void table_add(struct table *t, enum out_color color, const char *text);
void table_addf(struct table *t, enum out_color color, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Print header and rows, cut to style->width where that is not 0. A last row that is not complete
 * is filled with empty cells. 0, or -ENOMEM when a cell could not be stored; `e` may be NULL. */
int table_print(FILE *f, struct table *t, const struct out_style *style, struct err *e);

/*
 * porthole ps: what a row knows, as columns, as template fields and as filter keys.
 *
 * Layer: cmd, shared by ps*.c.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "out/table.h"
#include "target/target.h"

struct ps_row {
	const struct target *t;
	char *label;	 /* what to type for it */
	char userns[32]; /* "host", "uid 100000+", "" when it does not run */
	int64_t now;
};

struct ps_rows {
	struct ps_row *v;
	size_t n;
};

void ps_rows_done(struct ps_rows *r);

/* A row for each target that passes the filters; pods' own containers only with `all`. `l` must
 * outlive them. 0 or -ENOMEM. */
int ps_rows_make(const struct target_roots *roots, bool all, const struct strv *filters,
		 const struct targets *l, struct ps_rows *rows);

/* How a filter's value is compared. */
enum ps_match {
	PS_NONE,  /* not a filter */
	PS_EXACT, /* or a pattern with * and ? */
	PS_PART,  /* anywhere in the value, or a pattern */
	PS_START,
};

struct ps_field {
	const char *name;   /* {{.Name}} */
	const char *header; /* of its column */
	const char *key;    /* --filter key=, and the name for people */
	enum ps_match match;
	unsigned flags; /* enum col_flags */
	int max;	/* widest column unless --no-trunc */
	void (*text)(const struct ps_row *row, struct buf *out);
};

/* All fields; the first PS_COLUMNS are the columns of the table. */
#define PS_COLUMNS 8
extern const struct ps_field ps_fields[];
extern const size_t ps_n_fields;

/* The colour of a row's STATE. */
enum out_color ps_color(const struct ps_row *row);

/* Whether a row passes all filters ("key=value"): of one key any, of different keys all. */
bool ps_passes(const struct ps_row *row, const struct strv *filters);
/* 0, or -EINVAL with `e` listing the keys. */
int ps_check_filters(const struct strv *filters, struct err *e);

/* Whether one of them asks for what does not run: its exit code, or a state of that kind. */
bool ps_asks_ended(const struct strv *filters);

/* Whether a template can be used. 0, or -EINVAL with `e` listing the fields. */
int ps_check_format(const char *format, struct err *e);

/* Print rows by a template: text, \t, \n and {{.Field}}; after "table " with a header, aligned. 0,
 * or -EINVAL with `e` listing the fields. */
int ps_print_format(const struct ps_row *rows, size_t n, const char *format, bool no_trunc,
		    struct err *e);

#include "out/table.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

enum { GAP = 2, MIN_SHRINK = 8 };

void table_done(struct table *t)
{
	for (size_t i = 0; i < t->n_cells; i++)
		free(t->cells[i].text);
	free(t->cells);
	t->cells = NULL;
	t->n_cells = t->size = 0;
}

void table_add(struct table *t, enum out_color color, const char *text)
{
	struct cell *c;

	if (t->n_cells == t->size) {
		size_t size = t->size ? t->size * 2 : 64;

		c = reallocarray(t->cells, size, sizeof(*c));
		if (!c) {
			t->oom = true;
			return;
		}
		t->cells = c;
		t->size = size;
	}
	c = &t->cells[t->n_cells];
	*c = (struct cell){.text = str_printable_dup(text ? text : ""), .color = color};
	if (!c->text) {
		t->oom = true;
		return;
	}
	c->width = out_width(c->text);
	t->n_cells++;
}

void table_addf(struct table *t, enum out_color color, const char *fmt, ...)
{
	_cleanup_free_ char *s = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0) {
		s = NULL;
		t->oom = true;
		return;
	}
	table_add(t, color, s);
}

/* Natural widths; -1 marks a column that is left out. */
static void measure(const struct table *t, int *width)
{
	for (size_t i = 0; i < t->n_cols; i++) {
		const struct column *c = &t->cols[i];
		int w = 0;

		for (size_t k = i; k < t->n_cells; k += t->n_cols)
			if (t->cells[k].width > w)
				w = t->cells[k].width;
		if (w == 0 && (c->flags & COL_HIDE)) {
			width[i] = -1;
			continue;
		}
		if (c->max && w > c->max)
			w = c->max;
		if (c->name && out_width(c->name) > w)
			w = out_width(c->name);
		width[i] = w;
	}
}

static int total(const struct table *t, const int *width)
{
	int sum = t->indent - GAP;

	for (size_t i = 0; i < t->n_cols; i++)
		if (width[i] >= 0)
			sum += width[i] + GAP;
	return sum;
}

/* Take one column after the other from whichever shrinkable one is widest, until it fits. */
static void shrink(const struct table *t, int *width, int max)
{
	for (int over = total(t, width) - max; over > 0; over--) {
		size_t best = SIZE_MAX;

		for (size_t i = 0; i < t->n_cols; i++) {
			int min = t->cols[i].min ? t->cols[i].min : MIN_SHRINK;

			if (!(t->cols[i].flags & COL_SHRINK) || width[i] <= min)
				continue;
			if (best == SIZE_MAX || width[i] > width[best])
				best = i;
		}
		if (best == SIZE_MAX)
			return;
		width[best]--;
	}
}

/* `owed`: blanks that go before the next text, if there is one, so that no line ends with any. */
static void print_cell(FILE *f, const struct column *col, const struct cell *c, int width,
		       const struct out_style *style, int *owed)
{
	const char *dots = c->width > width && width > 3 ? "..." : "";
	int used, n_dots = (int)strlen(dots);
	size_t bytes = out_fit(c->text, width - n_dots, &used);

	used += n_dots;
	if (col->flags & COL_RIGHT)
		*owed += width - used;
	if (used > 0) {
		for (; *owed > 0; --*owed)
			fputc_unlocked(' ', f);
		fputs_unlocked(out_on(style->color, c->color), f);
		fwrite_unlocked(c->text, 1, bytes, f);
		fputs_unlocked(dots, f);
		fputs_unlocked(out_off(style->color, c->color), f);
	}
	if (!(col->flags & COL_RIGHT))
		*owed += width - used;
	*owed += GAP;
}

static void print_header(FILE *f, const struct table *t, const int *width,
			 const struct out_style *style)
{
	int owed = t->indent;
	bool any = false;

	for (size_t i = 0; i < t->n_cols; i++)
		any = any || t->cols[i].name;
	if (!any)
		return;
	for (size_t i = 0; i < t->n_cols; i++) {
		const char *name = t->cols[i].name ? t->cols[i].name : "";
		struct cell c = {.text = (char *)name, .width = out_width(name), .color = t->head};

		if (width[i] >= 0)
			print_cell(f, &t->cols[i], &c, width[i], style, &owed);
	}
	fputc('\n', f);
}

int table_print(FILE *f, struct table *t, const struct out_style *style, struct err *e)
{
	_cleanup_free_ int *width = calloc(t->n_cols + 1, sizeof(int));

	while (width && !t->oom && t->n_cells % t->n_cols)
		table_add(t, OUT_PLAIN, "");
	if (!width || t->oom)
		return err_set(e, ENOMEM, "printing the table");
	measure(t, width);
	if (style->width)
		shrink(t, width, style->width);
	print_header(f, t, width, style);
	for (size_t row = 0; row < t->n_cells; row += t->n_cols) {
		int owed = t->indent;

		for (size_t i = 0; i < t->n_cols; i++)
			if (width[i] >= 0)
				print_cell(f, &t->cols[i], &t->cells[row + i], width[i], style,
					   &owed);
		fputc('\n', f);
	}
	return 0;
}

#include <errno.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cmd/ps.h"

enum { PIECES_MAX = 64 };

/* A template taken apart: text, or a field. */
struct piece {
	const struct ps_field *field; /* NULL: text */
	const char *text;
	size_t n;
};

struct pieces {
	struct piece v[PIECES_MAX];
	size_t n;
};

static int unknown_field(const char *name, size_t n, struct err *e)
{
	_cleanup_buf_ struct buf all = {};

	for (size_t i = 0; i < ps_n_fields; i++)
		buf_printf(&all, "%s.%s", i ? " " : "", ps_fields[i].name);
	err_say(e, EINVAL, "--format has no field '%.*s'", (int)n, name);
	err_hint(e, "fields are %s", all.data ? all.data : "");
	return -EINVAL;
}

/* What stands between {{ and }}. */
static int parse_field(struct piece *p, const char *s, size_t n, struct err *e)
{
	while (n && *s == ' ')
		s++, n--;
	while (n && s[n - 1] == ' ')
		n--;
	for (size_t i = 0; i < ps_n_fields && n > 1 && *s == '.'; i++)
		if (strlen(ps_fields[i].name) == n - 1 &&
		    strncasecmp(ps_fields[i].name, s + 1, n - 1) == 0) {
			p->field = &ps_fields[i];
			return 0;
		}
	return unknown_field(s, n, e);
}

static int parse(struct pieces *ps, const char *format, struct err *e)
{
	while (*format) {
		struct piece *p = &ps->v[ps->n];
		const char *end;
		int r;

		if (ps->n == PIECES_MAX)
			return err_say(e, EINVAL, "--format is too long");
		*p = (struct piece){.text = format};
		if (!str_starts(format, "{{")) {
			end = strstr(format, "{{");
			p->n = end ? (size_t)(end - format) : strlen(format);
			format += p->n;
			ps->n++;
			continue;
		}
		end = strstr(format, "}}");
		if (!end)
			return err_say(e, EINVAL, "--format has '{{' without '}}'");
		r = parse_field(p, format + 2, (size_t)(end - format - 2), e);
		if (r < 0)
			return r;
		ps->n++;
		format = end + 2;
	}
	return 0;
}

static void put_text(struct buf *out, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\\' && i + 1 < n && s[i + 1] == 't')
			buf_putc(out, '\t'), i++;
		else if (s[i] == '\\' && i + 1 < n && s[i + 1] == 'n')
			buf_putc(out, '\n'), i++;
		else
			buf_putc(out, s[i]);
	}
}

static void put_value(struct buf *out, const struct ps_field *f, const struct ps_row *row,
		      bool no_trunc)
{
	_cleanup_buf_ struct buf raw = {};
	_cleanup_free_ char *safe = NULL;

	f->text(row, &raw);
	safe = str_printable_dup(raw.data ? raw.data : "");
	if (safe && !no_trunc && str_eq(f->name, "ID"))
		safe[strnlen(safe, (size_t)f->max)] = '\0';
	buf_puts(out, safe ? safe : "");
}

/* A row as one line; a NULL row is the header. */
static void put_row(struct buf *out, const struct pieces *ps, const struct ps_row *row,
		    bool no_trunc)
{
	for (size_t i = 0; i < ps->n; i++) {
		const struct piece *p = &ps->v[i];

		if (!p->field)
			put_text(out, p->text, p->n);
		else if (row)
			put_value(out, p->field, row, no_trunc);
		else
			buf_puts(out, p->field->header);
	}
}

/* With "table ": the columns are what stands between tabs. */
static int print_table(const struct pieces *ps, const struct ps_row *rows, size_t n, bool no_trunc,
		       struct err *e)
{
	struct column cols[PIECES_MAX] = {};
	struct table t = {.cols = cols};
	struct out_style style = {};
	int r;

	for (size_t i = 0; i <= n; i++) {
		_cleanup_buf_ struct buf line = {};
		char *rest, *cell;
		size_t k = 0;

		put_row(&line, ps, i ? &rows[i - 1] : NULL, no_trunc);
		rest = line.data ? line.data : (char[]){""};
		while ((cell = strsep(&rest, "\t")) && k < PIECES_MAX) {
			if (i == 0)
				t.n_cols = k + 1;
			if (k++ < t.n_cols)
				table_add(&t, OUT_PLAIN, cell);
		}
	}
	r = table_print(stdout, &t, &style, e);
	table_done(&t);
	return r;
}

static bool is_table(const char **format)
{
	bool table = str_starts(*format, "table ");

	*format += table ? strlen("table ") : 0;
	return table;
}

int ps_check_format(const char *format, struct err *e)
{
	struct pieces ps = {};

	is_table(&format);
	return parse(&ps, format, e);
}

int ps_print_format(const struct ps_row *rows, size_t n, const char *format, bool no_trunc,
		    struct err *e)
{
	bool table = is_table(&format);
	struct pieces ps = {};
	int r = parse(&ps, format, e);

	if (r < 0)
		return r;
	if (table)
		return print_table(&ps, rows, n, no_trunc, e);
	for (size_t i = 0; i < n; i++) {
		_cleanup_buf_ struct buf line = {};

		put_row(&line, &ps, &rows[i], no_trunc);
		if (line.oom)
			return err_set(e, ENOMEM, "printing a row");
		printf("%s\n", line.data ? line.data : "");
	}
	return 0;
}

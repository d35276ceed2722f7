#include "cmd/find_top.h"

#include <stdlib.h>

#include "files/listing.h"
#include "out/human.h"
#include "out/json_print.h"
#include "out/table.h"

enum { TOP_MAX = 100000 };

void top_done(struct top *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->v[i].path);
	free(t->v);
	links_done(&t->links);
	*t = (struct top){};
}

static void swap(struct top_row *a, struct top_row *b)
{
	struct top_row c = *a;

	*a = *b;
	*b = c;
}

/* A heap with the smallest row first, which gives way to a larger one. */
static void sift_down(struct top *t)
{
	size_t i = 0, child;

	while ((child = 2 * i + 1) < t->n) {
		if (child + 1 < t->n && t->v[child + 1].bytes < t->v[child].bytes)
			child++;
		if (t->v[i].bytes <= t->v[child].bytes)
			return;
		swap(&t->v[i], &t->v[child]);
		i = child;
	}
}

static int keep(struct top *t, const char *path, char kind, uint64_t bytes)
{
	size_t limit = t->limit < TOP_MAX ? t->limit : TOP_MAX, i;
	char *copy;

	if (t->n == limit && bytes <= t->v[0].bytes)
		return 0;
	if (!t->v)
		t->v = calloc(limit, sizeof(*t->v));
	copy = t->v ? strdup(path) : NULL;
	if (!copy)
		return -ENOMEM;
	if (t->n == limit) {
		free(t->v[0].path);
		t->v[0] = (struct top_row){.bytes = bytes, .path = copy, .kind = kind};
		sift_down(t);
		return 0;
	}
	t->v[t->n] = (struct top_row){.bytes = bytes, .path = copy, .kind = kind};
	for (i = t->n++; i && t->v[(i - 1) / 2].bytes > t->v[i].bytes; i = (i - 1) / 2)
		swap(&t->v[i], &t->v[(i - 1) / 2]);
	return 0;
}

int top_entry(struct top *t, const struct walk_entry *e, bool is)
{
	uint64_t bytes = (uint64_t)e->st.st_blocks * 512;

	if (e->fd >= 0) {
		t->sum[e->depth] = bytes;
		return 0;
	}
	if (e->st.st_nlink > 1) {
		if (links_find(&t->links, e->st.st_dev, e->st.st_ino))
			return 0;
		links_add(&t->links, e->st.st_dev, e->st.st_ino, "");
	}
	if (e->depth)
		t->sum[e->depth - 1] += bytes;
	return is ? keep(t, e->path, kind_letter(e->st.st_mode), bytes) : 0;
}

int top_leave(struct top *t, const struct walk_entry *e, bool is)
{
	if (e->depth)
		t->sum[e->depth - 1] += t->sum[e->depth];
	return is ? keep(t, e->path, 'd', t->sum[e->depth]) : 0;
}

static int by_size(const void *a, const void *b)
{
	const struct top_row *x = a, *y = b;

	return x->bytes != y->bytes ? (x->bytes < y->bytes) - (x->bytes > y->bytes)
				    : strcmp(x->path, y->path);
}

static const struct column columns[] = {{.flags = COL_RIGHT}, {}, {}};

int top_print(struct top *t, struct ctx *ctx, const char *base, struct err *e)
{
	_cleanup_table_ struct table table = TABLE_INIT(columns);
	_cleanup_json_ json_t *list = json_array();
	struct out_style style = {.color = ctx->color};
	size_t n = strlen(base);
	char size[HUMAN_MAX];

	if (t->n)
		qsort(t->v, t->n, sizeof(*t->v), by_size);
	for (size_t i = 0; i < t->n; i++) {
		const struct top_row *row = &t->v[i];
		bool slash = *row->path && n && base[n - 1] != '/';
		_cleanup_free_ char *path = str_fmt("%s%s%s", base, slash ? "/" : "", row->path);
		char kind[2] = {row->kind};

		if (!path)
			return err_set(e, ENOMEM, "printing what was found");
		table_add(&table, OUT_PLAIN, human_size(row->bytes, size));
		table_add(&table, OUT_PLAIN, kind);
		table_add(&table, OUT_PLAIN, path);
		json_array_append_new(list,
				      json_pack("{s:o,s:s,s:I}", "path", json_text(path), "type",
						kind, "disk", (json_int_t)row->bytes));
	}
	return ctx->json ? out_json(stdout, list, &style, e)
			 : table_print(stdout, &table, &style, e);
}

#include "cmd/changes_report.h"

#include "out/json_print.h"

static const char *type_of(const struct change *c)
{
	switch (c->st.st_mode & S_IFMT) {
	case S_IFREG:
		return "file";
	case S_IFDIR:
		return "directory";
	case S_IFLNK:
		return "link";
	default:
		return "special";
	}
}

static json_t *change_json(const struct change *c)
{
	char kind[2] = {c->kind};

	if (c->kind == 'D')
		return json_pack("{s:s,s:o}", "kind", kind, "path", json_text(c->path));
	return json_pack("{s:s,s:o,s:s,s:I}", "kind", kind, "path", json_text(c->path), "type",
			 type_of(c), "size", (json_int_t)c->st.st_size);
}

static int report_json(const struct changes *c, struct err *e)
{
	json_t *list = json_array();
	_cleanup_json_ json_t *j = json_pack("{s:o,s:b}", "changes", list, "cut", c->cut);

	for (size_t i = 0; i < c->n; i++)
		json_array_append_new(list, change_json(&c->v[i]));
	return out_json_line(stderr, j, e);
}

int changes_report(const struct changes *c, struct ctx *ctx, struct err *e)
{
	if (ctx->json)
		return report_json(c, e);
	for (size_t i = 0; i < c->n; i++) {
		_cleanup_free_ char *path = str_printable_dup(c->v[i].path);

		fprintf(stderr, "%c %s\n", c->v[i].kind, path ? path : "?");
	}
	if (c->cut)
		fprintf(stderr,
			"porthole: there is more: no more than %d changes, and no directories "
			"deeper than %d, are listed\n",
			CHANGES_MAX, CHANGES_DEPTH);
	else if (!c->n)
		fprintf(stderr, "porthole: the session changed nothing\n");
	return 0;
}

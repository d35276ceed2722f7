#include "cmd/diff_report.h"

#include <stdio.h>
#include <unistd.h>

#include "out/human.h"
#include "out/json_print.h"

static const struct {
	unsigned what;
	const char *name;
} whats[] = {
	{COMPARE_KIND, "kind"},	    {COMPARE_MODE, "mode"}, {COMPARE_OWNER, "owner"},
	{COMPARE_DEVICE, "device"}, {COMPARE_SIZE, "size"}, {COMPARE_CONTENT, "content"},
	{COMPARE_TIME, "time"},
};

static const char *kind_of(const struct stat *st)
{
	static const struct {
		mode_t mode;
		const char *name;
	} kinds[] = {
		{S_IFREG, "file"},    {S_IFDIR, "directory"},	     {S_IFLNK, "link"},
		{S_IFIFO, "fifo"},    {S_IFCHR, "character device"}, {S_IFBLK, "block device"},
		{S_IFSOCK, "socket"},
	};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if ((st->st_mode & S_IFMT) == kinds[i].mode)
			return kinds[i].name;
	return "unknown";
}

static uint64_t bytes_of(const struct stat *st)
{
	return S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0;
}

static char *path_of(const struct diff_report *r, const struct difference *d)
{
	const char *below = d->kind == 'A' && r->b ? r->below_b : r->below_a;

	return *d->path || *below ? str_fmt("%s%s", below, d->path) : strdup("/");
}

/* --- JSON --- */

static json_t *side_json(const struct stat *st)
{
	char mode[8];

	if (!st->st_mode)
		return json_null();
	snprintf(mode, sizeof(mode), "%04o", st->st_mode & 07777);
	return json_pack("{s:s,s:s,s:I,s:I,s:I}", "type", kind_of(st), "mode", mode, "uid",
			 (json_int_t)st->st_uid, "gid", (json_int_t)st->st_gid, "size",
			 (json_int_t)st->st_size);
}

static json_t *what_json(const struct difference *d)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ARRAY_LEN(whats); i++)
		if (d->what & whats[i].what)
			json_array_append_new(list, json_string(whats[i].name));
	return list;
}

static int print_json(const struct diff_report *r, const struct ctx *ctx, struct err *e)
{
	struct out_style style = out_style_of(STDOUT_FILENO, ctx->color);
	json_t *list = json_array();
	_cleanup_json_ json_t *j = json_pack("{s:o,s:o,s:o,s:b}", "a", json_text(r->a), "b",
					     json_text(r->b), "changes", list, "cut", r->d->cut);

	for (size_t i = 0; i < r->d->n; i++) {
		const struct difference *d = &r->d->v[i];
		_cleanup_free_ char *path = path_of(r, d);
		char kind[2] = {d->kind};

		json_array_append_new(list, json_pack("{s:s,s:o,s:o,s:o,s:o}", "kind", kind, "path",
						      json_text(path), "differs", what_json(d), "a",
						      side_json(&d->a), "b", side_json(&d->b)));
	}
	return out_json(stdout, j, &style, e);
}

/* --- text --- */

/* "mode 644 -> 755, owner 0:0 -> 5:6, content" */
static void print_what(const struct difference *d)
{
	const struct stat *a = &d->a, *b = &d->b;
	const char *sep = "  ";

	if (d->what & COMPARE_KIND) {
		printf("  %s -> %s", kind_of(a), kind_of(b));
		sep = ", ";
	}
	if (d->what & COMPARE_MODE) {
		printf("%smode %o -> %o", sep, a->st_mode & 07777, b->st_mode & 07777);
		sep = ", ";
	}
	if (d->what & COMPARE_OWNER) {
		printf("%sowner %u:%u -> %u:%u", sep, a->st_uid, a->st_gid, b->st_uid, b->st_gid);
		sep = ", ";
	}
	if (d->what & COMPARE_DEVICE) {
		printf("%sdevice", sep);
		sep = ", ";
	}
	if (d->what & COMPARE_SIZE)
		printf("%ssize %lld -> %lld", sep, (long long)a->st_size, (long long)b->st_size);
	else if (d->what & COMPARE_CONTENT)
		printf("%scontent", sep);
}

static void print_size(const struct difference *d)
{
	char was[HUMAN_MAX], is[HUMAN_MAX];

	if (!S_ISREG(d->a.st_mode) && !S_ISREG(d->b.st_mode))
		return;
	human_size(bytes_of(&d->a), was);
	human_size(bytes_of(&d->b), is);
	if (d->kind == 'C')
		printf("  %s -> %s", was, is);
	else
		printf("  %s", d->kind == 'A' ? is : was);
}

static void print_line(const struct diff_report *r, const struct difference *d)
{
	_cleanup_free_ char *path = path_of(r, d), *safe = path ? str_printable_dup(path) : NULL;

	printf("%c %s", d->kind, safe ? safe : "?");
	if (r->b)
		print_what(d);
	else if (r->stat)
		print_size(d);
	putchar('\n');
}

static void print_sum(const struct differences *d)
{
	size_t added = 0, deleted = 0, changed = 0;
	uint64_t was = 0, is = 0;
	char size[HUMAN_MAX];

	for (size_t i = 0; i < d->n; i++) {
		*(d->v[i].kind == 'A' ? &added : d->v[i].kind == 'D' ? &deleted : &changed) += 1;
		was += bytes_of(&d->v[i].a);
		is += bytes_of(&d->v[i].b);
	}
	printf("%zu added, %zu changed, %zu deleted: %s %s in files\n", added, changed, deleted,
	       human_size(is > was ? is - was : was - is, size), is >= was ? "more" : "less");
}

int diff_report(const struct diff_report *r, const struct ctx *ctx, struct err *e)
{
	if (ctx->json)
		return print_json(r, ctx, e);
	for (size_t i = 0; i < r->d->n; i++)
		print_line(r, &r->d->v[i]);
	if (r->stat)
		print_sum(r->d);
	fflush(stdout);
	if (r->d->cut)
		fprintf(stderr,
			"porthole: there is more: no more than %d differences, and no directories "
			"deeper than %d, are told\n",
			COMPARE_MAX, COMPARE_DEPTH);
	return 0;
}

#include "kit/rules.h"

#include <fnmatch.h>

static void pairs_done(struct rules_pairs *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->v[i].where);
		free(p->v[i].from);
		free(p->v[i].to);
	}
	free(p->v);
	*p = (struct rules_pairs){};
}

void rules_done(struct rules *r)
{
	strv_done(&r->packages);
	strv_done(&r->optional);
	strv_done(&r->without);
	strv_done(&r->drop);
	strv_done(&r->keep);
	strv_done(&r->plain);
	strv_done(&r->blank);
	strv_done(&r->asis);
	strv_done(&r->bytes);
	pairs_done(&r->links);
	pairs_done(&r->strings);
	pairs_done(&r->exact);
	pairs_done(&r->subst);
	for (size_t i = 0; i < r->n_files; i++) {
		free(r->files[i].path);
		buf_done(&r->files[i].text);
	}
	free(r->files);
	*r = (struct rules){};
}

bool rules_match(const struct strv *globs, const char *path)
{
	for (size_t i = 0; i < globs->n; i++)
		if (fnmatch(globs->v[i], path, 0) == 0)
			return true;
	return false;
}

bool rules_is_package(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789+-.");

	return n >= 2 && n < 128 && !s[n] && s[0] != '+' && s[0] != '-' && s[0] != '.';
}

/* A directive: its word, how many words follow, and where they go. */
struct directive {
	const char *word;
	size_t args;
	size_t off;
};

static const struct directive directives[] = {
	{"drop", 1, offsetof(struct rules, drop)},   {"keep", 1, offsetof(struct rules, keep)},
	{"plain", 1, offsetof(struct rules, plain)}, {"blank", 1, offsetof(struct rules, blank)},
	{"asis", 1, offsetof(struct rules, asis)},   {"bytes", 1, offsetof(struct rules, bytes)},
	{"link", 2, offsetof(struct rules, links)},  {"string", 2, offsetof(struct rules, strings)},
	{"exact", 3, offsetof(struct rules, exact)}, {"subst", 3, offsetof(struct rules, subst)},
};

/* "\\s" in a word is a blank. */
static char *unescape(const char *s)
{
	char *out = strdup(s), *o = out;

	for (; out && *s; s++)
		if (s[0] == '\\' && s[1] == 's') {
			*o++ = ' ';
			s++;
		} else {
			*o++ = *s;
		}
	if (out)
		*o = '\0';
	return out;
}

static int pairs_add(struct rules_pairs *p, char *const *w, size_t n)
{
	struct rules_pair *v = reallocarray(p->v, p->n + 1, sizeof(*v));
	struct rules_pair *new;

	if (!v)
		return -ENOMEM;
	p->v = v;
	new = &v[p->n++];
	*new = (struct rules_pair){
		.where = n == 3 ? strdup(w[0]) : NULL,
		.from = unescape(w[n - 2]),
		.to = unescape(w[n - 1]),
	};
	return new->from &&new->to && (n < 3 || new->where) ? 0 : -ENOMEM;
}

static int file_add(struct rules *r, const char *path)
{
	struct rules_file *v;

	v = reallocarray(r->files, r->n_files + 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	r->files = v;
	v[r->n_files] = (struct rules_file){.path = strdup(path)};
	return v[r->n_files++].path ? 0 : -ENOMEM;
}

/* A kit path: relative, no "..", nothing that leads out. */
static bool kit_path_ok(const char *p)
{
	return *p && *p != '/' && !strstr(p, "..") && strlen(p) < 512;
}

static int directive(struct rules *r, struct strv *w, const char *where, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(directives); i++) {
		const struct directive *d = &directives[i];
		void *field = (char *)r + d->off;

		if (!str_eq(d->word, w->v[0]))
			continue;
		if (w->n != d->args + 1)
			return err_say(e, EINVAL, "%s: '%s' takes %zu words after it", where,
				       d->word, d->args);
		if (d->args == 1)
			return strv_add(field, w->v[1]);
		if (str_eq(d->word, "link") && !(kit_path_ok(w->v[1]) && kit_path_ok(w->v[2])))
			return err_say(e, EINVAL, "%s: a link needs two paths inside the kit",
				       where);
		return pairs_add(field, w->v + 1, d->args);
	}
	if (str_eq(w->v[0], "file") && w->n == 2 && kit_path_ok(w->v[1]))
		return file_add(r, w->v[1]);
	err_say(e, EINVAL, "%s: '%s' is neither a package nor a directive", where, w->v[0]);
	err_hint(e, "a list has one package a line; docs/KIT.md has the directives");
	return -EINVAL;
}

static bool is_directive(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(directives); i++)
		if (str_eq(directives[i].word, word))
			return true;
	return false; /* "file" is a package as well: it needs a second word */
}

static int add_package(struct rules *r, const char *name)
{
	return strv_has(&r->packages, name) ? 0 : strv_add(&r->packages, name);
}

static int line(struct rules *r, const char *name, size_t number, char *s, struct err *e)
{
	_cleanup_strv_ struct strv w = {};
	_cleanup_free_ char *where = str_fmt("%s, line %zu", name, number);
	int k;

	if (!where)
		return -ENOMEM;
	if (*s == '#')
		return 0;
	k = strv_split(&w, s, " \t\r");
	if (k < 0 || w.n == 0)
		return k;
	if (w.n == 1 && w.v[0][0] == '-' && rules_is_package(w.v[0] + 1))
		return strv_add(&r->without, w.v[0] + 1);
	if (w.n == 1 && w.v[0][0] == '?' && rules_is_package(w.v[0] + 1)) {
		k = strv_add(&r->optional, w.v[0] + 1);
		return k < 0 ? k : add_package(r, w.v[0] + 1);
	}
	if (w.n == 1 && rules_is_package(w.v[0]) && !is_directive(w.v[0]))
		return add_package(r, w.v[0]);
	return directive(r, &w, where, e);
}

int rules_parse(struct rules *r, const char *name, const char *text, struct err *e)
{
	struct buf *body = NULL; /* of the `file` directive just read */
	size_t number = 0;

	while (*text) {
		size_t len = strcspn(text, "\n"), files = r->n_files;
		_cleanup_free_ char *s = strndup(text, len);
		int k;

		number++;
		text += len + (text[len] == '\n');
		if (!s)
			return err_set(e, ENOMEM, "%s", name);
		if (body && *s == '\t') {
			buf_puts(body, s + 1);
			buf_putc(body, '\n');
			continue;
		}
		k = line(r, name, number, s, e);
		if (k == -ENOMEM)
			return err_set(e, ENOMEM, "%s", name);
		if (k < 0)
			return k;
		if (*s)
			body = r->n_files > files ? &r->files[r->n_files - 1].text : NULL;
	}
	return 0;
}

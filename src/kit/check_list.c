#include <fnmatch.h>
#include <stdlib.h>

#include "kit/check.h"
#include "kit/rules.h"

void checks_done(struct checks *c)
{
	for (size_t i = 0; i < c->n; i++) {
		strv_done(&c->v[i].programs);
		buf_done(&c->v[i].script);
		free(c->v[i].expect);
	}
	free(c->v);
	buf_done(&c->prelude);
	strv_done(&c->bad);
	strv_done(&c->fine);
	*c = (struct checks){};
}

/* "[a b] flags" */
static int head(struct checks *c, char *s, const char *where, struct err *e)
{
	struct check *v = reallocarray(c->v, c->n + 1, sizeof(*v));
	char *end = strchr(s, ']');
	_cleanup_strv_ struct strv flags = {};
	struct check *k;

	if (!v)
		return -ENOMEM;
	c->v = v;
	k = &v[c->n];
	*k = (struct check){};
	if (!end)
		return err_say(e, EINVAL, "%s: no ']' after the programs", where);
	c->n++;
	*end = '\0';
	if (strv_split(&k->programs, s + 1, " ") < 0 || strv_split(&flags, end + 1, " ") < 0)
		return -ENOMEM;
	if (k->programs.n == 0)
		return err_say(e, EINVAL, "%s: no program between '[' and ']'", where);
	for (size_t i = 0; i < flags.n; i++) {
		if (!str_eq(flags.v[i], "notrace"))
			return err_say(e, EINVAL, "%s: there is no flag '%s'", where, flags.v[i]);
		k->no_trace = true;
	}
	return 0;
}

static int expect(struct check *k, const char *s, const char *where, struct err *e)
{
	regex_t re;

	if (k->expect || regcomp(&re, s, REG_EXTENDED | REG_NEWLINE | REG_NOSUB) != 0)
		return err_say(e, EINVAL, "%s: not a regular expression", where);
	regfree(&re);
	k->expect = strdup(s);
	return k->expect ? 0 : -ENOMEM;
}

static int line(struct checks *c, char *s, const char *where, struct err *e)
{
	struct check *k = c->n ? &c->v[c->n - 1] : NULL;

	if (!*s || *s == '#')
		return 0;
	if (*s == '[')
		return head(c, s, where, e);
	if (str_starts(s, "bad "))
		return strv_add(&c->bad, s + 4);
	if (str_starts(s, "fine "))
		return strv_add(&c->fine, s + 5);
	if (*s == '\t') {
		struct buf *to = k ? &k->script : &c->prelude;

		if (k && !k->script.len && c->prelude.len)
			buf_puts(to, c->prelude.data);
		buf_puts(to, s + 1);
		buf_putc(to, '\n');
		return to->oom ? -ENOMEM : 0;
	}
	if (k && str_starts(s, "=> "))
		return expect(k, s + 3, where, e);
	if (k && str_eq(s, "status any")) {
		k->any_status = true;
		return 0;
	}
	return err_say(e, EINVAL, "%s: not understood: %s", where, s);
}

int checks_parse(struct checks *c, const char *name, const char *text, struct err *e)
{
	size_t number = 0;

	while (*text) {
		size_t len = strcspn(text, "\n");
		_cleanup_free_ char *s = strndup(text, len);
		_cleanup_free_ char *where = str_fmt("%s, line %zu", name, ++number);
		int r = s && where ? line(c, s, where, e) : -ENOMEM;

		if (r == -ENOMEM)
			return err_set(e, ENOMEM, "%s", name);
		if (r < 0)
			return r;
		text += len + (text[len] == '\n');
	}
	return 0;
}

bool checks_is_bad(const struct checks *c, const char *path)
{
	return rules_match(&c->bad, path) && !rules_match(&c->fine, path);
}

const char *checks_loader_error(const char *output)
{
	static const char *const words[] = {
		"error while loading shared libraries",
		"symbol lookup error",
		"Inconsistency detected by ld.so",
		"cannot execute: required file not found",
		"version `GLIBC_",
		"version `GLIBCXX_",
		"undefined symbol: ",
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		const char *at = strstr(output, words[i]);

		while (at && at > output && at[-1] != '\n')
			at--;
		if (at)
			return at;
	}
	return NULL;
}

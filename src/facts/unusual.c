#include "facts/unusual_rules.h"

#include <errno.h>

bool unusual_ns_is(const struct facts *f, unsigned flag, enum ns_kind kind)
{
	return facts_ns_get(f, flag)->kind == kind;
}

unsigned unusual_percent(uint64_t part, uint64_t whole)
{
	return whole ? (unsigned)((double)part * 100 / (double)whole) : 0;
}

void unusual_comma(struct buf *b, size_t i, size_t n)
{
	if (i)
		buf_puts(b, i + 1 == n ? " and " : ", ");
}

bool unusual_no_container(const struct facts *f)
{
	for (size_t i = 0; i < NS_COUNT; i++)
		if (f->ns.v[i].kind != NS_HOST && f->ns.v[i].kind != NS_ABSENT)
			return false;
	return true;
}

void unusuals_done(struct unusuals *u)
{
	for (size_t i = 0; i < u->n; i++)
		free(u->v[i].text);
	free(u->v);
	*u = (struct unusuals){};
}

/* Push the rule's sentence, with what the rule had to say in the place of '@'. */
static int push(struct unusuals *out, const struct unusual_rule *rule, const struct buf *what)
{
	_cleanup_buf_ struct buf text = {};
	const char *at = strchr(rule->sentence, '@');
	struct unusual *v = reallocarray(out->v, out->n + 1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	out->v = v;
	v += out->n;
	if (at) {
		buf_add(&text, rule->sentence, (size_t)(at - rule->sentence));
		buf_add(&text, what->data, what->len);
		buf_puts(&text, at + 1);
	} else {
		buf_puts(&text, rule->sentence);
	}
	*v = (struct unusual){.id = rule->id, .weight = rule->weight, .text = buf_take(&text)};
	if (!v->text)
		return -ENOMEM;
	out->n++;
	return 0;
}

int unusual_find(const struct target *t, const struct facts *f, struct unusuals *out)
{
	static const struct unusual_rule *const tables[] = {unusual_trouble, unusual_nature,
							    unusual_rights};

	*out = (struct unusuals){};
	if (t->proc_fd < 0)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		for (const struct unusual_rule *rule = tables[i]; rule->sentence; rule++) {
			_cleanup_buf_ struct buf what = {};
			bool applies = rule->is(t, f, &what);

			if (what.oom || (applies && push(out, rule, &what) < 0))
				return -ENOMEM;
		}
	return 0;
}

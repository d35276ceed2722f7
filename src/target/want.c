#include "target/engine.h"

#include <errno.h>

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Characters that no writer of JSON escapes. */
static bool is_plain(const char *s)
{
	for (; *s; s++)
		if (!is_alnum(*s) && *s != '_' && *s != '.' && *s != '-')
			return false;
	return true;
}

/* Whether `s` starts a word of the text (`whole`: and ends it); "one" is not in "none", which is
 * said of every container's network. */
static bool contains(struct slice text, const char *s, bool whole)
{
	const char *end = text.p + text.n;
	size_t n = s && is_plain(s) ? strlen(s) : 0;

	if (n == 0)
		return true;
	for (const char *p = text.p; (p = memmem(p, (size_t)(end - p), s, n)); p++)
		if ((p == text.p || !is_alnum(p[-1])) &&
		    (!whole || p + n == end || !is_alnum(p[n])))
			return true;
	return false;
}

bool want_maybe(const struct want *w, struct slice text)
{
	return w->how == WANT_ALL ||
	       (contains(text, w->pod, true) && contains(text, w->pod_ns, true) &&
		contains(text, w->text, w->how == WANT_EXACT));
}

bool id_is_full(const char *id)
{
	return strlen(id) == 64 && strspn(id, "0123456789abcdef") == 64;
}

bool want_id(const struct want *w, const char *id)
{
	switch (w->how) {
	case WANT_EXACT:
		return str_eq(id, w->text);
	case WANT_PREFIX: /* of ids only: what runc and others let people choose is a name */
		return id_is_full(id) && str_starts(id, w->text);
	case WANT_ALL:
		break;
	}
	return true;
}

/* POD/NAME and NS/POD/NAME; what has a namespace and no pods is NS/NAME. */
static bool pod_hit(const struct want *w, const struct target *t)
{
	if (!w->pod)
		return true;
	if (!t->pod && !w->pod_ns)
		return str_eq(w->pod, t->pod_ns);
	return str_eq(w->pod, t->pod) && (!w->pod_ns || str_eq(w->pod_ns, t->pod_ns));
}

/* Whether it is what is wanted: by id, name (or `alias`, may be NULL) and pod; a sandbox only by id
 * or as POD/NAME. */
static bool want_hit(const struct want *w, const struct target *t, const char *alias)
{
	if (w->how == WANT_ALL)
		return true;
	if (!pod_hit(w, t))
		return false;
	if (t->id && want_id(w, t->id))
		return true;
	if (w->ids)
		return false;
	if (w->how == WANT_EXACT)
		return str_eq(w->text, t->name) || str_eq(w->text, alias);
	return !w->pod && !t->sandbox && str_eq(w->text, t->pod);
}

int want_take(const struct want *w, struct targets *out, struct target *t, const char *alias)
{
	bool live = t->state == TARGET_RUNNING || t->state == TARGET_PAUSED;
	int r = 0;

	if ((live ? w->live : w->stopped) && want_hit(w, t, alias)) {
		if (!t->name)
			t->name = strdup(t->id ? t->id : "");
		r = t->name ? targets_push(out, t) : -ENOMEM;
	}
	target_done(t);
	return r;
}

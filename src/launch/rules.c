#include "launch/rules.h"

#include <fnmatch.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

void rules_program_done(struct rules_program *p)
{
	free(p->path);
	free(p->real);
	*p = (struct rules_program){};
}

bool rules_narrow(const struct rules *r)
{
	return r->closed || r->allow.n || r->ask.n || r->deny.n;
}

bool rules_closed(const struct rules *r)
{
	return r->closed || r->allow.n;
}

static int check_list(const struct strv *list, const char *option, struct err *e)
{
	for (size_t i = 0; i < list->n; i++)
		if (!list->v[i][strspn(list->v[i], " \t\n")]) {
			err_say(e, EINVAL, "%s takes a command of the host, not an empty word",
				option);
			err_hint(e, "such as %s systemctl, or %s 'systemctl restart *'", option,
				 option);
			return -EINVAL;
		}
	return 0;
}

int rules_check(const struct rules *r, struct err *e)
{
	int x = check_list(&r->allow, "--allow", e);

	if (x == 0)
		x = check_list(&r->ask, "--ask", e);
	return x < 0 ? x : check_list(&r->deny, "--deny", e);
}

/* `path` names a program: without the links in its directory, and without its own. */
static int look_at(const char *path, struct rules_program *out)
{
	const char *name = strrchr(path, '/') + 1;
	_cleanup_free_ char *dir = strndup(path, (size_t)(name - path)), *canon = NULL;
	_cleanup_rules_program_ struct rules_program p = {};
	struct stat st;

	if (!dir)
		return -ENOMEM;
	if (!*name || str_eq(name, ".") || str_eq(name, "..") || stat(path, &st) < 0 ||
	    !S_ISREG(st.st_mode) || !(st.st_mode & 0111))
		return -ENOENT;
	canon = realpath(dir, NULL);
	p.real = realpath(path, NULL);
	if (!canon || !p.real)
		return -ENOENT;
	p.path = str_fmt("%s/%s", str_eq(canon, "/") ? "" : canon, name);
	if (!p.path)
		return -ENOMEM;
	p.dev = st.st_dev;
	p.ino = st.st_ino;
	*out = p;
	p = (struct rules_program){};
	return 0;
}

int rules_find(const char *word, const char *path, struct rules_program *out)
{
	_cleanup_strv_ struct strv dirs = {};
	int r = -ENOENT;

	if (strchr(word, '/')) {
		_cleanup_free_ char *here = *word == '/' ? strdup(word) : str_fmt("./%s", word);

		return here ? look_at(here, out) : -ENOMEM;
	}
	if (!*word)
		return -ENOENT;
	if (strv_split(&dirs, path, ":") < 0)
		return -ENOMEM;
	for (size_t i = 0; i < dirs.n && r == -ENOENT; i++) {
		_cleanup_free_ char *full = str_fmt("%s/%s", dirs.v[i], word);

		/* what is relative in PATH is the caller's to fill */
		r = !full ? -ENOMEM : *full == '/' ? look_at(full, out) : -ENOENT;
	}
	return r;
}

static bool is_glob(const char *s)
{
	return s[strcspn(s, "*?[\\")];
}

static bool same_file(const struct rules_program *a, const struct rules_program *b)
{
	return (a->dev == b->dev && a->ino == b->ino) || str_eq(a->real, b->real);
}

/* `broad`: whatever else it is called; not broad: it, under this name. */
static bool program_fits(const char *word, const struct rules_program *p, const char *path,
			 bool broad)
{
	_cleanup_rules_program_ struct rules_program q = {};
	const char *base = strrchr(p->path, '/') + 1, *real = strrchr(p->real, '/') + 1;
	bool named = strchr(word, '/') ? fnmatch(word, p->path, FNM_PATHNAME) == 0
				       : fnmatch(word, base, 0) == 0;

	if (str_eq(word, "*"))
		return true;
	if (broad && (named || fnmatch(word, strchr(word, '/') ? p->real : real, 0) == 0))
		return true;
	if (is_glob(word)) {
		if (!named || strchr(word, '/'))
			return named;
		word = base; /* where PATH finds that name */
	}
	if (rules_find(word, path, &q) < 0)
		return false;
	return str_eq(q.path, p->path) || (broad && same_file(&q, p));
}

static bool args_fit(const struct strv *words, const struct strv *argv)
{
	size_t i;

	if (words->n == 1)
		return true;
	for (i = 1; i < words->n; i++) {
		if (i + 1 == words->n && str_eq(words->v[i], "*"))
			return true;
		if (i >= argv->n || fnmatch(words->v[i], argv->v[i], 0) != 0)
			return false;
	}
	return i == argv->n;
}

/* The first pattern that fits; NULL: none. When memory is out what is broad fits. */
static const char *first_fit(const struct strv *list, const struct rules_program *p,
			     const char *path, const struct strv *argv, bool broad)
{
	for (size_t i = 0; i < list->n; i++) {
		_cleanup_strv_ struct strv words = {};

		if (strv_split(&words, list->v[i], " \t\n") < 0 || !words.n) {
			if (broad)
				return list->v[i];
			continue;
		}
		if (program_fits(words.v[0], p, path, broad) && args_fit(&words, argv))
			return list->v[i];
	}
	return NULL;
}

enum rules_verdict rules_decide(const struct rules *r, const struct rules_program *p,
				const char *path, const struct strv *argv, const char **why)
{
	*why = first_fit(&r->deny, p, path, argv, true);
	if (*why)
		return RULES_REFUSE;
	*why = first_fit(&r->ask, p, path, argv, true);
	if (*why)
		return RULES_ASK;
	*why = first_fit(&r->allow, p, path, argv, false);
	return *why || !rules_closed(r) ? RULES_RUN : RULES_REFUSE;
}

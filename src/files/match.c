#include "files/match.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>

enum { DAY = 86400, MINUTE = 60 };

static uint64_t unit_of(char c)
{
	switch (c) {
	case 'c':
		return 1;
	case 'w':
		return 2;
	case '\0':
	case 'b':
		return 512;
	case 'k':
		return 1 << 10;
	case 'M':
		return 1 << 20;
	case 'G':
		return 1 << 30;
	default:
		return 0;
	}
}

int match_number_parse(const char *text, bool units, const char *what, struct match_number *out,
		       struct err *e)
{
	_cleanup_free_ char *digits = strdup(text + (*text == '+' || *text == '-'));
	size_t n = digits ? strspn(digits, "0123456789") : 0;
	char unit = n ? digits[n] : '?';

	*out = (struct match_number){.on = true,
				     .sign = *text == '+'   ? 1
					     : *text == '-' ? -1
							    : 0,
				     .unit = units ? unit_of(unit) : 1};
	if (!digits)
		return err_set(e, ENOMEM, "reading %s", what);
	if (n && out->unit && (units || !unit) && (!unit || !digits[n + 1])) {
		digits[n] = '\0';
		if (str_to_u64(digits, 0, UINT64_MAX >> 31, &out->v) == 0)
			return 0;
	}
	err_say(e, EINVAL, "%s takes a number, not '%s'", what, text);
	err_hint(e, units ? "such as +10M (more than that), -100k (less), 512c (bytes)"
			  : "such as +7 (more than that), -1 (less), 3");
	return -EINVAL;
}

int match_perm_parse(const char *text, struct match *m, struct err *e)
{
	const char *digits = text + (*text == '-' || *text == '/');
	char *end;
	long v = strtol(digits, &end, 8);

	if (!*digits || *end || v < 0 || v > 07777 || *digits == '+' || *digits == '-') {
		err_say(e, EINVAL, "--perm takes an octal mode, not '%s'", text);
		err_hint(e, "such as 644 (exactly), -222 (all of these bits), /6000 (any of them)");
		return -EINVAL;
	}
	m->perm = (int)v;
	m->perm_how = digits == text ? '\0' : *text;
	return 0;
}

int match_types_check(const char *types, struct err *e)
{
	size_t n = strlen(types);

	for (size_t i = 0; i < n; i++)
		if (i % 2 ? types[i] != ',' : !strchr("fdlpscb", types[i]))
			n = 0;
	if (n % 2)
		return 0;
	err_say(e, EINVAL, "--type takes letters such as f or d,l, not '%s'", types);
	err_hint(e, "f file, d directory, l link, p FIFO, s socket, c and b devices");
	return -EINVAL;
}

/* `v` counted in whole units, the last one however full. */
static bool number_is(const struct match_number *m, uint64_t v)
{
	if (!m->on)
		return true;
	return m->sign > 0 ? v > m->v : m->sign < 0 ? v < m->v : v == m->v;
}

static bool size_is(const struct match_number *m, uint64_t bytes)
{
	return !m->on || number_is(m, bytes / m->unit + !!(bytes % m->unit));
}

static bool age_is(const struct match_number *m, int64_t now, int64_t then, int64_t unit)
{
	int64_t age = now - then;

	return !m->on || number_is(m, age < 0 ? 0 : (uint64_t)(age / unit));
}

static bool any_glob(const struct strv *globs, const char *s, int flags)
{
	for (size_t i = 0; i < globs->n; i++)
		if (fnmatch(globs->v[i], s, flags) == 0)
			return true;
	return globs->n == 0;
}

static bool perm_is(const struct match *m, mode_t mode)
{
	int bits = (int)(mode & 07777);

	if (m->perm < 0)
		return true;
	return m->perm_how == '-'   ? (bits & m->perm) == m->perm
	       : m->perm_how == '/' ? !m->perm || bits & m->perm
				    : bits == m->perm;
}

static bool is_newer(const struct match *m, const struct stat *st)
{
	return !m->newer || st->st_mtim.tv_sec > m->newer_than.tv_sec ||
	       (st->st_mtim.tv_sec == m->newer_than.tv_sec &&
		st->st_mtim.tv_nsec > m->newer_than.tv_nsec);
}

bool match_is(const struct match *m, const char *name, const char *path, const struct stat *st,
	      uint32_t uid, uint32_t gid)
{
	if (m->types && !strchr(m->types, kind_letter(st->st_mode)))
		return false;
	if (!any_glob(&m->names, name, 0) || !any_glob(&m->inames, name, FNM_CASEFOLD) ||
	    !any_glob(&m->paths, path, 0))
		return false;
	if (!size_is(&m->size, (uint64_t)st->st_size) ||
	    !age_is(&m->mtime, m->now, st->st_mtim.tv_sec, DAY) ||
	    !age_is(&m->mmin, m->now, st->st_mtim.tv_sec, MINUTE) ||
	    !number_is(&m->links, st->st_nlink) || !is_newer(m, st) || !perm_is(m, st->st_mode))
		return false;
	if (m->empty && !S_ISDIR(st->st_mode) && !(S_ISREG(st->st_mode) && st->st_size == 0))
		return false;
	return (!m->user || uid == m->uid) && (!m->group || gid == m->gid);
}

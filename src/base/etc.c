#include "base/etc.h"

#include <errno.h>
#include <stdio.h>

#include "base/str.h"

enum { FIELDS_MAX = 7, ETC_NAME_MAX = 64, ID_DIGITS = 15 };

/* One line, as pieces of the text. */
struct line {
	struct {
		const char *p;
		size_t n;
	} f[FIELDS_MAX];
	size_t n;
};

/* Take the next line off *text. False at the end. */
static bool next_line(const char **text, struct line *l)
{
	const char *p = *text, *end = p + strcspn(p, "\n");

	if (!*p)
		return false;
	*l = (struct line){};
	while (l->n < FIELDS_MAX) {
		const char *colon = memchr(p, ':', (size_t)(end - p));

		l->f[l->n].p = p;
		l->f[l->n++].n = (size_t)((colon ? colon : end) - p);
		if (!colon)
			break;
		p = colon + 1;
	}
	*text = end + (*end == '\n');
	return true;
}

static bool field_is(const struct line *l, size_t i, const char *s)
{
	return strlen(s) == l->f[i].n && memcmp(l->f[i].p, s, l->f[i].n) == 0;
}

static bool field_id(const struct line *l, size_t i, uint32_t *id)
{
	char number[ID_DIGITS + 1];

	if (i >= l->n || l->f[i].n > ID_DIGITS)
		return false;
	memcpy(number, l->f[i].p, l->f[i].n);
	number[l->f[i].n] = '\0';
	return etc_id(number, id) == 0;
}

static bool is_absolute(const struct line *l, size_t i)
{
	return i < l->n && l->f[i].n && *l->f[i].p == '/';
}

int etc_id(const char *s, uint32_t *id)
{
	uint64_t v;
	int r = str_to_u64(s, 0, UINT32_MAX - 1, &v);

	if (r == 0)
		*id = (uint32_t)v;
	return r;
}

void etc_user_done(struct etc_user *u)
{
	free(u->name);
	free(u->home);
	free(u->shell);
	*u = (struct etc_user){};
}

int etc_user_find(const char *passwd, const char *name, uid_t uid, struct etc_user *out)
{
	struct line l;

	*out = (struct etc_user){};
	while (next_line(&passwd, &l)) {
		if (l.n < 6 || !field_id(&l, 2, &out->uid) || !field_id(&l, 3, &out->gid) ||
		    !(name ? field_is(&l, 0, name) : out->uid == uid))
			continue;
		out->name = strndup(l.f[0].p, l.f[0].n);
		out->home = is_absolute(&l, 5) ? strndup(l.f[5].p, l.f[5].n) : strdup("/");
		out->shell = is_absolute(&l, 6) ? strndup(l.f[6].p, l.f[6].n) : NULL;
		if (out->name && out->home && (out->shell || !is_absolute(&l, 6)))
			return 0;
		etc_user_done(out);
		return -ENOMEM;
	}
	*out = (struct etc_user){};
	return -ENOENT;
}

int etc_group_find(const char *group, const char *name, gid_t *gid)
{
	struct line l;

	while (next_line(&group, &l))
		if (l.n >= 3 && field_is(&l, 0, name) && field_id(&l, 2, gid))
			return 0;
	return -ENOENT;
}

/* Is `name` one of the comma-separated names of a field? */
static bool field_lists(const struct line *l, size_t i, const char *name)
{
	const char *p = l->f[i].p, *end = p + l->f[i].n;
	size_t n = strlen(name);

	while (p < end) {
		const char *comma = memchr(p, ',', (size_t)(end - p));
		size_t len = (size_t)((comma ? comma : end) - p);

		if (len == n && memcmp(p, name, n) == 0)
			return true;
		p += len + 1;
	}
	return false;
}

int etc_groups_of(const char *group, const char *user, int (*add)(void *data, gid_t gid),
		  void *data)
{
	struct line l;
	gid_t gid;
	int r = 0;

	while (r == 0 && next_line(&group, &l))
		if (l.n >= 4 && field_id(&l, 2, &gid) && field_lists(&l, 3, user))
			r = add(data, gid);
	return r;
}

char *etc_name(const char *text, uint32_t id)
{
	struct line l;
	uint32_t v;

	while (next_line(&text, &l))
		if (l.f[0].n && l.f[0].n <= ETC_NAME_MAX && field_id(&l, 2, &v) && v == id)
			return strndup(l.f[0].p, l.f[0].n);
	return NULL;
}

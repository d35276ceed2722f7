/* Which container a process is in, by the names that engines give their cgroups. */
#include "target/engine.h"

#include <stdlib.h>

#include "base/cleanup.h"

/* PREFIX id SUFFIX, where id is 64 hex digits, any hex digits, or any text. */
enum id_kind { ID_FULL, ID_HEX, ID_NAME, ID_UNIT };

static const struct rule {
	const char *engine, *prefix, *suffix;
	enum id_kind kind;
} rules[] = {
	{"docker", "docker-", ".scope", ID_FULL},
	{"podman", "libpod-payload-", "", ID_FULL},
	{"podman", "libpod-", ".scope", ID_FULL},
	{"podman", "libpod-", "", ID_FULL},
	{"cri", "cri-containerd-", ".scope", ID_FULL},
	{"crio", "crio-", ".scope", ID_FULL},
	{"crio", "crio-", "", ID_FULL},
	{"nerdctl", "nerdctl-", ".scope", ID_HEX},
	{"lxc", "lxc.payload.", "", ID_NAME},
	{"nspawn", "machine-", ".scope", ID_UNIT},
	{"nspawn", "systemd-nspawn@", ".service", ID_UNIT},
};

static bool all_hex(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f')))
			return false;
	return n > 0;
}

/* systemd's \x2d in a unit's name. */
static void unescape(char *s)
{
	char *o = s;

	while (*s) {
		if (*s == '\\' && s[1] == 'x' && all_hex(s + 2, 2)) {
			char hex[3] = {s[2], s[3]};

			*o++ = (char)strtol(hex, NULL, 16);
			s += 4;
		} else {
			*o++ = *s++;
		}
	}
	*o = '\0';
}

static bool fill(struct target *t, const char *engine, enum id_kind kind, const char *s, size_t n)
{
	char **to = kind == ID_FULL || kind == ID_HEX ? &t->id : &t->name;

	if (kind == ID_FULL ? n != 64 || !all_hex(s, n) : kind == ID_HEX ? !all_hex(s, n) : n == 0)
		return false;
	*to = strndup(s, n);
	if (*to && kind == ID_UNIT)
		unescape(*to);
	t->engine = engine;
	return *to;
}

static bool match_rule(struct target *t, const struct rule *r, const char *s, size_t n)
{
	size_t pre = strlen(r->prefix), suf = strlen(r->suffix);

	return n > pre + suf && memcmp(s, r->prefix, pre) == 0 &&
	       memcmp(s + n - suf, r->suffix, suf) == 0 &&
	       fill(t, r->engine, r->kind, s + pre, n - pre - suf);
}

/* SLICE:cri-containerd:ID, a systemd name used where cgroups are plain directories. */
static bool match_colons(struct target *t, const char *s, size_t n)
{
	static const struct {
		const char *mark, *engine;
	} marks[] = {{":cri-containerd:", "cri"},
		     {":docker:", "docker"},
		     {":libpod:", "podman"},
		     {":crio:", "crio"}};

	for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
		const char *p = memmem(s, n, marks[i].mark, strlen(marks[i].mark));

		if (!p)
			continue;
		p += strlen(marks[i].mark);
		return fill(t, marks[i].engine, ID_FULL, p, (size_t)(s + n - p));
	}
	return false;
}

/* One component at s; the path before it ends at s. */
static bool match_component(struct target *t, const char *path, const char *s, size_t n)
{
	size_t before = (size_t)(s - path);

	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (match_rule(t, &rules[i], s, n))
			return true;
	if (match_colons(t, s, n))
		return true;
	if (n != 64 || !all_hex(s, n))
		return false;
	if (memmem(path, before, "/kubepods", 9))
		return fill(t, "cri", ID_FULL, s, n);
	/* a --cgroup-parent can be anything: which engine has the id decides */
	if (before >= 8 && memcmp(s - 8, "/docker/", 8) == 0)
		return fill(t, "docker", ID_FULL, s, n);
	return fill(t, "none", ID_FULL, s, n);
}

static bool is_monitor(const char *path, size_t n)
{
	static const char *const marks[] = {"libpod-conmon-", "crio-conmon-",
					    "/libpod_parent/conmon", "lxc.monitor."};

	for (size_t i = 0; i < ARRAY_LEN(marks); i++)
		if (memmem(path, n, marks[i], strlen(marks[i])))
			return true;
	return n > 11 && memcmp(path + n - 11, "/supervisor", 11) == 0;
}

/* The innermost container of a path: from its end, since containers nest. */
static bool match_path(struct target *t, const char *path, size_t n)
{
	const char *end = path + n;

	if (is_monitor(path, n))
		return false;
	while (end > path) {
		const char *s = end;

		while (s > path && s[-1] != '/')
			s--;
		if (s < end && match_component(t, path, s, (size_t)(end - s)))
			return true;
		end = s > path ? s - 1 : path;
	}
	return false;
}

bool cgroup_match(const char *text, struct target *out)
{
	/* any line: on version 1 they differ */
	while (*text) {
		size_t n = strcspn(text, "\n");
		const char *path = memchr(text, ':', n);

		path = path ? memchr(path + 1, ':', n - (size_t)(path + 1 - text)) : NULL;
		if (path && match_path(out, path + 1, (size_t)(text + n - path - 1)))
			return true;
		text += n + (text[n] == '\n');
	}
	return false;
}

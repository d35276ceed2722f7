/* What a command line gives: which tool's line it is, and its options one by one. */
#include "profile/grants.h"

#include <ctype.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sys/caps.h"

void grants_done(struct grants *g)
{
	struct strv *lists[] = {&g->joined, &g->devices, &g->ports, &g->env,
				&g->cmd,    &g->unknown, &g->masks};

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		strv_done(lists[i]);
	for (size_t i = 0; i < g->n_mounts; i++) {
		free(g->mounts[i].host);
		free(g->mounts[i].inside);
		free(g->mounts[i].propagation);
	}
	free(g->mounts);
	free(g->image);
	free(g->user);
	free(g->gpus);
	*g = (struct grants){};
}

/* "/proc/" is "/proc", "//" is "/". */
static char *without_slashes(const char *path)
{
	size_t n = strlen(path);

	while (n > 1 && path[n - 1] == '/')
		n--;
	return strndup(path, n);
}

int grants_mount(struct grants *g, const char *host, const char *inside, bool ro, bool deep_ro,
		 const char *propagation)
{
	struct grant_mount *v = reallocarray(g->mounts, g->n_mounts + 1, sizeof(*v));
	struct grant_mount m = {.ro = ro, .deep_ro = deep_ro, .volume = !strchr("/.$~`", *host)};

	if (!v)
		return -ENOMEM;
	g->mounts = v;
	m.host = without_slashes(host);
	m.inside = without_slashes(inside);
	m.propagation = propagation ? strdup(propagation) : NULL;
	g->mounts[g->n_mounts++] = m;
	return m.host && m.inside && (m.propagation || !propagation) ? 0 : -ENOMEM;
}

int grants_text(char **at, const char *value)
{
	free(*at);
	*at = strdup(value);
	return *at ? 0 : -ENOMEM;
}

int grants_caps(struct grants *g, const char *list, bool drop, struct err *e)
{
	uint64_t mask;
	int r = caps_parse(list, &mask, e);

	if (r == 0)
		g->caps = drop ? g->caps & ~mask : g->caps | mask;
	return r;
}

/* --- options --- */

/* The long name of a letter; 0 when there is none. */
static size_t long_name(const struct line_opts *o, char letter, const char **name)
{
	for (const char *p = o->letters; p && *p; p += strcspn(p, " "), p += strspn(p, " "))
		if (*p == letter && p[1] == '=') {
			*name = p + 2;
			return strcspn(p + 2, " ");
		}
	return 0;
}

static bool is_valued(const struct line_opts *o, const char *name)
{
	return str_has_word(o->valued, name);
}

static int take_value(const struct strv *words, size_t *at, struct line_opt *out, struct err *e)
{
	if (*at >= words->n)
		return err_say(e, EINVAL, "the line ends where --%s should have a value",
			       out->name);
	out->value = words->v[(*at)++];
	return 1;
}

static int next_long(const struct strv *words, const struct line_opts *o, size_t *at, char *name,
		     size_t size, struct line_opt *out, bool *known, struct err *e)
{
	const char *w = words->v[(*at)++] + 2, *eq = strchr(w, '=');

	snprintf(name, size, "%.*s", (int)(eq ? eq - w : (int)strlen(w)), w);
	out->value = eq ? eq + 1 : NULL;
	*known = is_valued(o, name) || str_has_word(o->flags, name);
	return eq || !is_valued(o, name) ? 1 : take_value(words, at, out, e);
}

static int next_letter(const struct strv *words, const struct line_opts *o, size_t *at,
		       size_t *letter, char *name, size_t size, struct line_opt *out, bool *known,
		       struct err *e)
{
	const char *w = words->v[*at], *full = NULL, *rest;
	size_t i = *letter ? *letter : 1, n = long_name(o, w[i], &full);

	if (n)
		snprintf(name, size, "%.*s", (int)n, full);
	else
		snprintf(name, size, "%c", w[i]);
	*known = n > 0;
	rest = w + i + 1;
	*letter = *rest ? i + 1 : 0;
	*at += *rest == '\0';
	if (!is_valued(o, name))
		return 1;
	if (!*rest)
		return take_value(words, at, out, e);
	out->value = rest + (*rest == '=');
	*letter = 0;
	(*at)++;
	return 1;
}

int line_next(const struct strv *words, const struct line_opts *o, size_t *at, size_t *letter,
	      struct line_opt *out, bool *known, struct err *e)
{
	static char name[64];
	const char *w = *at < words->n ? words->v[*at] : "";

	*out = (struct line_opt){.name = name};
	if (*w != '-' || !w[1])
		return 0;
	if (str_eq(w, "--")) {
		(*at)++;
		return 0;
	}
	if (w[1] == '-')
		return next_long(words, o, at, name, sizeof(name), out, known, e);
	return next_letter(words, o, at, letter, name, sizeof(name), out, known, e);
}

/* --- whose line --- */

static bool is_assignment(const char *w)
{
	size_t n = 0;

	while (isalnum((unsigned char)w[n]) || w[n] == '_')
		n++;
	return n > 0 && w[n] == '=';
}

/* Words that run what follows: sudo with its options, env, exec. */
static size_t skip_before(const struct strv *words, struct grants *g)
{
	static const struct {
		const char *name;
		unsigned flags;
	} shares[] = {{"SYSTEMD_NSPAWN_SHARE_SYSTEM=", CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS},
		      {"SYSTEMD_NSPAWN_SHARE_NS_PID=", CLONE_NEWPID},
		      {"SYSTEMD_NSPAWN_SHARE_NS_IPC=", CLONE_NEWIPC},
		      {"SYSTEMD_NSPAWN_SHARE_NS_UTS=", CLONE_NEWUTS}};
	static const char before[] = "sudo doas env exec command nohup time";
	size_t at = 0;
	bool sudo = false;

	for (; at < words->n; at++) {
		const char *w = words->v[at];

		if (is_assignment(w)) {
			for (size_t i = 0; i < ARRAY_LEN(shares); i++)
				if (str_starts(w, shares[i].name) && strcspn(w, "1yt") < strlen(w))
					g->host_ns |= shares[i].flags;
			continue;
		}
		g->by_root |= str_has_word("sudo doas", w);
		if (str_has_word(before, w))
			sudo = true;
		else if (!(sudo && *w == '-'))
			break;
	}
	return at;
}

int grants_of_line(const struct strv *words, struct grants *out, struct err *e)
{
	size_t at;
	const char *name, *base;

	*out = (struct grants){};
	at = skip_before(words, out);
	if (at >= words->n)
		return err_say(e, EINVAL, "there is no command in this line");
	base = strrchr(words->v[at], '/');
	name = base ? base + 1 : words->v[at];
	if (str_eq(name, "docker") || str_eq(name, "podman") || str_eq(name, "nerdctl")) {
		out->tool = str_eq(name, "podman") ? TOOL_PODMAN : TOOL_DOCKER;
		return grants_docker(words, at + 1, out, e);
	}
	out->tool = str_eq(name, "bwrap") ? TOOL_BWRAP : TOOL_NSPAWN;
	if (str_eq(name, "systemd-nspawn"))
		return grants_nspawn(words, at + 1, out, e);
	if (str_eq(name, "bwrap"))
		return grants_bwrap(words, at + 1, out, e);
	err_say(e, EINVAL, "'%s' is no command that starts a container", words->v[at]);
	err_hint(e, "'porthole explain' reads docker run, podman run, systemd-nspawn and bwrap "
		    "lines");
	return -EINVAL;
}

bool grants_has_root(const struct grants *g)
{
	const char *user = g->user ? g->user : "root";
	size_t n = strcspn(user, ":");

	return !g->userns && g->tool != TOOL_BWRAP &&
	       ((n == 1 && *user == '0') || (n == 4 && str_starts(user, "root")));
}

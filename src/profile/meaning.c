/* What grants mean: a table of questions and their sentences. */
#include "profile/meaning.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "profile/meaning_rules.h"
#include "sys/caps.h"

void meanings_done(struct meanings *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->v[i].text);
	free(m->v);
	*m = (struct meanings){};
}

/* The sentence with the rule's words in the place of '@'. */
static char *fill(const char *sentence, const struct buf *words)
{
	_cleanup_buf_ struct buf b = {};
	const char *at = strchr(sentence, '@');

	buf_add(&b, sentence, at ? (size_t)(at - sentence) : strlen(sentence));
	if (at) {
		buf_puts(&b, words->data ? words->data : "");
		buf_puts(&b, at + 1);
	}
	return buf_take(&b);
}

static int add(struct meanings *out, const struct meaning_rule *rule, const struct buf *words)
{
	struct meaning *v = reallocarray(out->v, out->n + 1, sizeof(*v));
	char *text = fill(rule->sentence, words);

	if (v)
		out->v = v;
	if (!v || !text) {
		free(text);
		return -ENOMEM;
	}
	v[out->n++] = (struct meaning){.id = rule->id, .kind = rule->kind, .text = text};
	return 0;
}

int meanings_of(const struct grants *g, struct meanings *out)
{
	*out = (struct meanings){};
	for (const struct meaning_rule *rule = meaning_rules; rule->sentence; rule++) {
		_cleanup_buf_ struct buf words = {};

		if (rule->is(g, &words) && (words.oom || add(out, rule, &words) < 0))
			return -ENOMEM;
	}
	return 0;
}

/* --- enough --- */

/* /var/run is /run, on every system of this decade. */
static const char *plain_path(const char *path)
{
	return path_below(path, "/var/run") ? path + 4 : path;
}

static bool has_mount(const struct grants *g, const struct grant_mount *m)
{
	for (size_t i = 0; i < g->n_mounts; i++)
		if (path_below(plain_path(m->host), plain_path(g->mounts[i].host)) &&
		    (m->ro || !g->mounts[i].ro))
			return true;
	return false;
}

/* Of what the line has none of, a smaller set has none either: a profile's engine socket would be
 * more than --privileged. */
static bool adds_nothing(const struct grants *p, const struct grants *g)
{
	if (p->host_ns & ~g->host_ns)
		return false;
	for (size_t i = 0; i < p->n_mounts; i++) {
		const struct grant_mount *m = &p->mounts[i];

		if (!has_mount(g, m) && !(g->privileged && m->ro && !str_ends(m->host, ".sock")))
			return false;
	}
	return g->privileged || !(p->caps & ~g->caps);
}

static bool has_devices(const struct grants *p, const struct strv *devices)
{
	for (size_t i = 0; i < devices->n; i++) {
		size_t k = 0;

		while (k < p->n_mounts && !path_below(devices->v[i], p->mounts[k].host))
			k++;
		if (k == p->n_mounts)
			return false;
	}
	return true;
}

static bool covers(const struct grants *p, const struct grants *g)
{
	if (g->host_ns & ~p->host_ns || !has_devices(p, &g->devices))
		return false;
	for (size_t i = 0; i < g->n_mounts; i++)
		if (!g->mounts[i].volume && strchr("/", *g->mounts[i].host) &&
		    !has_mount(p, &g->mounts[i]))
			return false;
	/* rights that were asked for one by one are wanted; all of them seldom are */
	return g->privileged || g->caps == caps_all() || !(g->caps & ~p->caps);
}

bool meaning_enough(const struct grants *g, struct profile *out)
{
	_cleanup_strv_ struct strv names = {};
	struct err e = {};

	if (profile_names(&names) < 0)
		return false;
	for (size_t i = 0; i < names.n; i++) {
		if (profile_find(names.v[i], out, &e) == 0 && covers(&out->g, g) &&
		    adds_nothing(&out->g, g) &&
		    (g->caps & ~out->g.caps || (g->seccomp_off && !out->g.seccomp_off)))
			return true;
		profile_done(out);
	}
	return false;
}

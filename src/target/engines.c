#include "target/engine.h"

#include <errno.h>

#include "target/scan.h"

const struct engine *const engines[] = {
	&engine_porthole, /* first: what it had another engine make is its own, too */
	&engine_docker,
	&engine_podman,
	&engine_containerd,
	&engine_lxc,
	&engine_nspawn,
	&engine_runc,
	&engine_crun,
	&engine_flatpak,
	&engine_bwrap,
	&engine_none, /* last: what no other has */
	NULL,
};

bool engine_is(const struct engine *en, const char *word)
{
	if (str_eq(en->name, word))
		return true;
	for (size_t i = 0; en->others && en->others[i]; i++)
		if (str_eq(en->others[i], word))
			return true;
	return false;
}

size_t engine_rank(const char *word)
{
	size_t i = 0;

	while (engines[i] && !engine_is(engines[i], word))
		i++;
	return i;
}

/* Those from `n` on were found by the root that is looked at now. */
static void mark_root(const struct look *l, struct targets *out, size_t n)
{
	for (; n < out->n; n++)
		out->v[n].of_host = l->root_fd != l->roots->root_fd;
}

int engines_ask(struct look *l, const struct want *w, struct targets *out)
{
	int r = 0;

	for (int k = 0; r == 0 && look_next_root(l, &k);) {
		size_t had = out->n;

		for (size_t i = 0; engines[i] && r == 0; i++)
			if (engines[i]->ask)
				r = engines[i]->ask(l, w, out);
		mark_root(l, out, had);
	}
	return r;
}

int engines_find(struct look *l, const struct want *w, const char *word, struct targets *out)
{
	int r = 0;

	for (int k = 0; r == 0 && look_next_root(l, &k);) {
		size_t had = out->n;

		for (size_t i = 0; engines[i] && r == 0; i++)
			if (engines[i]->find && (!word || engine_is(engines[i], word)))
				r = engines[i]->find(l, w, out);
		mark_root(l, out, had);
	}
	if (r < 0 || !l->scan)
		return r;
	r = scan_look(l, out);
	for (size_t i = 0; engines[i] && r == 0; i++)
		for (int k = 0; r == 0 && engines[i]->more && look_next_root(l, &k);) {
			size_t had = out->n;

			if (!word || engine_is(engines[i], word))
				r = engines[i]->more(l, w, out);
			mark_root(l, out, had);
		}
	return r;
}

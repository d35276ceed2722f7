#include "entry/entry.h"

#include <errno.h>
#include <stdio.h>

void entry_done(struct entry *en)
{
	strv_done(&en->entrypoint);
	strv_done(&en->cmd);
	strv_done(&en->argv);
	strv_done(&en->env);
	strv_done(&en->mounts);
	strv_done(&en->unseen);
	for (size_t i = 0; i < en->n_gone; i++) {
		free(en->gone[i].dest);
		free(en->gone[i].source);
	}
	free(en->gone);
	free(en->user);
	free(en->cwd);
	free(en->os);
	free(en->arch);
	*en = (struct entry){};
}

void entry_idmap_parse(const char *text, struct idmap *m)
{
	m->n = 0;
	for (; text && *text && m->n < ARRAY_LEN(m->r); text += strcspn(text, "\n")) {
		struct idmap_range *r = &m->r[m->n];

		text += strspn(text, "\n");
		if (sscanf(text, "%u %u %u", &r->inside, &r->outside, &r->count) == 3)
			m->n++;
	}
}

static int add_all(struct strv *to, const struct strv *from, size_t at)
{
	int r = 0;

	for (size_t i = at; r == 0 && i < from->n; i++)
		r = strv_add(to, from->v[i]);
	return r;
}

static int copy(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return from && !*to ? -ENOMEM : 0;
}

/* Does `v` start with all of `start`? */
static bool leads(const struct strv *v, const struct strv *start)
{
	if (start->n > v->n)
		return false;
	for (size_t i = 0; i < start->n; i++)
		if (!str_eq(v->v[i], start->v[i]))
			return false;
	return true;
}

static bool same(const struct strv *a, const struct strv *b)
{
	return a->n == b->n && leads(a, b);
}

static bool same_text(const char *a, const char *b, const char *dflt)
{
	return str_eq(a && *a ? a : dflt, b && *b ? b : dflt);
}

/* "1000" of the image is "1000:1000" or "1000:0" in the container's bundle. */
static bool same_user(const char *a, const char *image)
{
	size_t n = image ? strlen(image) : 0;

	if (!n || str_eq(image, "root") || str_eq(image, "0"))
		return !a || !*a || str_eq(a, "root") || str_eq(a, "0") || str_eq(a, "0:0");
	return a && strncmp(a, image, n) == 0 && (!a[n] || a[n] == ':');
}

/* Who said what; and, where the engine keeps only the whole command, which part the image's entry
 * point is. */
static int origins(struct entry *en, const struct store_config *image)
{
	struct strv whole = {};
	int r;

	if (!image)
		return 0;
	if (!en->entrypoint.n && image->entrypoint.n && leads(&en->cmd, &image->entrypoint)) {
		whole = en->cmd;
		en->cmd = (struct strv){};
		r = add_all(&en->entrypoint, &image->entrypoint, 0)
			    ?: add_all(&en->cmd, &whole, image->entrypoint.n);
		strv_done(&whole);
		if (r < 0)
			return r;
	}
	en->entrypoint_from =
		same(&en->entrypoint, &image->entrypoint) ? ENTRY_IMAGE : ENTRY_CONTAINER;
	en->cmd_from = same(&en->cmd, &image->cmd) ? ENTRY_IMAGE : ENTRY_CONTAINER;
	en->user_from = same_user(en->user, image->user) ? ENTRY_IMAGE : ENTRY_CONTAINER;
	en->cwd_from = same_text(en->cwd, image->cwd, "/") ? ENTRY_IMAGE : ENTRY_CONTAINER;
	return 0;
}

/* Engines whose runtime makes the working directory of a container that has none. */
static bool makes_cwd(const char *engine)
{
	static const char *const makers[] = {"docker", "containerd", "cri", "runc"};

	for (size_t i = 0; i < ARRAY_LEN(makers); i++)
		if (str_eq(makers[i], engine))
			return true;
	return engine == NULL;
}

/* The whole command, and whether it is one string for a shell. */
static int finish(struct entry *en, const struct store_config *image)
{
	int r = origins(en, image);

	if (r == 0)
		r = add_all(&en->argv, &en->entrypoint, 0) ?: add_all(&en->argv, &en->cmd, 0);
	if (r == 0 && en->argv.n == 3 && str_eq(en->argv.v[0], "/bin/sh") &&
	    str_eq(en->argv.v[1], "-c"))
		en->shell_form = true;
	return r;
}

static int take_config(const struct store_config *c, struct entry *en)
{
	en->shell_form = c->shell_form;
	en->caps_known = c->caps_known;
	en->caps = c->caps;
	en->no_new_privs = c->no_new_privs;
	en->root_ro = c->root_ro;
	en->memory = c->memory;
	en->pids = c->pids;
	en->cpus = c->cpus;
	return add_all(&en->entrypoint, &c->entrypoint, 0)
		       ?: add_all(&en->cmd, &c->cmd, 0)
		       ?: add_all(&en->env, &c->env, 0)
		       ?: copy(&en->user, c->user)
		       ?: copy(&en->cwd, c->cwd)
		       ?: copy(&en->os, c->os)
		       ?: copy(&en->arch, c->arch);
}

static int take_gone(const struct store *s, struct entry *en)
{
	en->gone = s->n_mounts ? calloc(s->n_mounts, sizeof(*en->gone)) : NULL;
	if (s->n_mounts && !en->gone)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_mounts; i++) {
		const struct store_mount *m = &s->mounts[i];
		struct entry_gone *g = &en->gone[en->n_gone];

		if (!m->gone)
			continue;
		en->n_gone++;
		g->remade = m->remade;
		if (copy(&g->dest, m->dest) < 0 || copy(&g->source, m->source) < 0)
			return -ENOMEM;
	}
	return 0;
}

int entry_of_store(const struct store *s, const struct store *image, const char *engine,
		   struct entry *en)
{
	int r = take_config(&s->config, en) ?: take_gone(s, en);

	for (size_t i = 0; r == 0 && i < s->n_mounts; i++)
		r = strv_add(&en->mounts, s->mounts[i].dest);
	en->made = engine != NULL;
	en->makes_cwd = makes_cwd(engine);
	entry_idmap_parse(s->uid_map, &en->uids);
	entry_idmap_parse(s->gid_map, &en->gids);
	if (!en->made)
		en->entrypoint_from = en->cmd_from = en->user_from = en->cwd_from = ENTRY_IMAGE;
	return r < 0 ? r : finish(en, image ? &image->config : NULL);
}

/* A map that is not the whole of ids one to one. */
static void take_map(const struct idmap *m, struct idmap *out)
{
	*out = *m;
	if (m->n == 1 && !m->r[0].inside && !m->r[0].outside && m->r[0].count == UINT32_MAX)
		out->n = 0;
}

static int take_env(const struct facts_env *env, struct entry *en)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < env->n; i++)
		r = strv_push(&en->env, str_fmt("%s=%s", env->v[i].key, env->v[i].value));
	return r;
}

/* What its engine was told, without a store: the command from its files, the rest as it runs. */
static int take_engine(const struct facts *f, struct entry *en)
{
	const struct facts_engine *n = &f->engine;
	int r;

	if (n->entrypoint.n || n->cmd.n)
		r = add_all(&en->entrypoint, &n->entrypoint, 0) ?: add_all(&en->cmd, &n->cmd, 0);
	else
		r = add_all(&en->cmd, &f->init.argv, 0);
	if (!n->entrypoint.n && !n->cmd.n)
		en->cmd_from = ENTRY_PROCESS;
	if (r == 0 && n->file) {
		r = copy(&en->user, n->user) ?: copy(&en->cwd, n->workdir);
	} else if (r == 0) {
		if (f->rights.known)
			en->user = str_fmt("%u:%u", f->rights.uid, f->rights.gid);
		r = copy(&en->cwd, f->init.cwd);
		en->user_from = en->cwd_from = ENTRY_PROCESS;
	}
	return r < 0 ? r : take_env(&f->env, en);
}

int entry_of_target(const struct target *t, const struct facts *f, const struct store *s,
		    const struct store *image, struct entry *en)
{
	int r = s ? take_config(&s->config, en) : take_engine(f, en);

	for (size_t i = 0; r == 0 && i < f->files.n; i++)
		if (f->files.v[i].class == MOUNT_OTHER)
			r = strv_add(&en->mounts, f->files.v[i].row->target);
	en->made = en->live = true;
	en->makes_cwd = makes_cwd(t->engine);
	en->root_ro = f->files.root_ro;
	if (f->rights.known) {
		en->caps_known = true;
		en->caps = f->rights.cred.cap_bnd;
		en->no_new_privs = f->rights.cred.no_new_privs;
		take_map(&f->rights.uid_map, &en->uids);
		take_map(&f->rights.gid_map, &en->gids);
	}
	return r < 0 ? r : finish(en, image ? &image->config : NULL);
}

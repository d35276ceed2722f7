/* All the facts, in the order in which they need each other. */
#include "facts/facts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static void ns_done(struct facts_ns *ns)
{
	for (size_t i = 0; i < NS_COUNT; i++)
		strv_done(&ns->v[i].with);
	free(ns->outsiders);
}

static void init_done(struct facts_init *i)
{
	strv_done(&i->argv);
	free(i->exe);
	free(i->interp);
	free(i->cwd);
}

static void rights_done(struct facts_rights *g)
{
	free(g->user);
	free(g->group);
	strv_done(&g->groups);
}

static void limits_done(struct facts_limits *l)
{
	for (size_t i = 0; i < l->n_paths; i++) {
		free(l->paths[i].names);
		free(l->paths[i].path);
	}
	free(l->paths);
	free(l->memory.at);
	free(l->pids.at);
}

static void files_done(struct facts_files *files)
{
	for (size_t i = 0; i < files->n; i++)
		free(files->v[i].host_path);
	free(files->v);
	free(files->upper);
	free(files->os);
	free(files->shell);
	mountinfo_done(&files->table);
}

static void engine_done(struct facts_engine *n)
{
	char *const all[] = {n->file,	 n->user,    n->workdir,     n->hostname, n->restart,
			     n->network, n->runtime, n->stop_signal, n->health};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		free(all[i]);
	strv_done(&n->entrypoint);
	strv_done(&n->cmd);
	strv_done(&n->ports);
	strv_done(&n->labels);
}

void facts_done(struct facts *f)
{
	ns_done(&f->ns);
	for (size_t i = 0; i < f->procs.n; i++)
		strv_done(&f->procs.v[i].argv);
	free(f->procs.v);
	init_done(&f->init);
	rights_done(&f->rights);
	limits_done(&f->limits);
	files_done(&f->files);
	free(f->net.v);
	strv_done(&f->net.addresses);
	strv_done(&f->net.links);
	strv_done(&f->net.dns);
	for (size_t i = 0; i < f->env.n; i++) {
		free(f->env.v[i].key);
		free(f->env.v[i].value);
	}
	free(f->env.v);
	engine_done(&f->engine);
	strv_done(&f->unread);
	*f = (struct facts){};
}

static const struct {
	int (*read)(const struct target_roots *r, const struct target *t, struct facts *f);
	const char *what;
	bool live; /* needs the process */
} subjects[] = {
	{facts_ns_read, "its namespaces", true},
	{facts_procs_read, "its processes", true},
	{facts_ns_share, "who shares its namespaces", true},
	{facts_rights_read, "its rights", true},
	{facts_init_read, "its first process", true},
	{facts_limits_read, "its limits", true},
	{facts_files_read, "its files", true},
	{facts_net_read, "its network", true},
	{facts_env_read, "its environment", true},
	{facts_engine_read, "what its engine knows", false},
};

int facts_read(const struct target_roots *r, const struct target *t, struct facts *f, struct err *e)
{
	bool live = t->proc_fd >= 0;

	*f = (struct facts){};
	for (size_t i = 0; i < ARRAY_LEN(subjects); i++) {
		int err = subjects[i].live && !live ? 0 : subjects[i].read(r, t, f);

		if (err < 0 && err != -ENOMEM)
			err = strv_push(&f->unread,
					str_fmt("%s: %s", subjects[i].what, strerror(-err)));
		if (err < 0)
			return err_set(e, ENOMEM, "looking at '%s'", t->name);
	}
	if (live && faccessat(t->proc_fd, "stat", F_OK, 0) < 0)
		return err_say(e, ESRCH, "'%s' ended while it was looked at", t->name);
	return 0;
}

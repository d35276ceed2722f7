/* porthole sidekick --engine: a container that the engine knows. */
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/kit_shown.h"
#include "cmd/sidekick.h"
#include "launch/client.h"
#include "launch/lines.h"
#include "out/json_print.h"
#include "session/view.h"
#include "sys/ns.h"
#include "sys/proc.h"
#include "target/client.h"

/* What is made, and how. */
struct order {
	const struct sidekick_opts *o;
	const struct target *t;
	bool docker;
	struct strv client, argv;
};

static void order_done(struct order *c)
{
	strv_done(&c->client);
	strv_done(&c->argv);
}

/* Which namespaces, by the option of both clients'; docker has only the first of them. */
static const struct {
	unsigned flag;
	const char *option, *word;
	bool docker;
} spaces[] = {
	{CLONE_NEWNET, "--network", "net", true},
	{CLONE_NEWPID, "--pid", "pid", true},
	{CLONE_NEWIPC, "--ipc", "ipc", true},
	{CLONE_NEWUTS, "--uts", "uts", false},
	{CLONE_NEWCGROUP, "--cgroupns", "cgroup", false},
	{CLONE_NEWUSER, "--userns", "user", false},
};

/* A container of docker's has an ipc namespace that others may not join, unless it was made so. */
static unsigned share_by_default(const struct order *c)
{
	return CLONE_NEWNET | CLONE_NEWPID | (c->docker ? 0 : CLONE_NEWIPC);
}

static int read_share(const struct order *c, unsigned *want, struct err *e)
{
	const struct strv *share = &c->o->share;
	int r = 0;

	*want = share_by_default(c);
	if (share->n == 1 && str_eq(share->v[0], "none"))
		*want = 0;
	else if (share->n)
		r = ns_parse(share, want, e);
	if (r < 0)
		return err_exit(e, EXIT_PORTHOLE);
	for (size_t i = 0; i < ARRAY_LEN(spaces); i++) {
		if (!c->docker || spaces[i].docker || !(*want & spaces[i].flag) ||
		    strv_has(share, "all"))
			continue;
		err_say(e, ENOTSUP,
			"docker can share net, pid and ipc with a container, and not %s",
			spaces[i].word);
		err_hint(e, "leave it out of --share, or leave out --engine");
		return -ENOTSUP;
	}
	if (*want & (CLONE_NEWNS | CLONE_NEWTIME) && !strv_has(share, "all"))
		return err_say(e, ENOTSUP,
			       "no engine shares mnt or time: a sidekick has files of its own");
	return 0;
}

static int add(struct order *c, const char *option, const char *value)
{
	return strv_push(&c->argv, str_fmt("%s=%s", option, value));
}

static int add_list(struct order *c, const char *option, const struct strv *list)
{
	int r = 0;

	for (size_t i = 0; i < list->n && r == 0; i++)
		r = add(c, option, list->v[i]);
	return r;
}

static int add_spaces(struct order *c, unsigned want)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(spaces) && r == 0; i++)
		if (want & spaces[i].flag && (!c->docker || spaces[i].docker))
			r = strv_push(&c->argv,
				      str_fmt("%s=container:%s", spaces[i].option, c->t->id));
	if (r == 0 && !(want & CLONE_NEWNET)) /* none is what a sidekick of ours has, too */
		r = add(c, "--network", "none");
	return r;
}

static int add_limits(struct order *c)
{
	const struct sidekick_opts *o = c->o;
	int r = 0;

	if (o->memory)
		r = strv_push(&c->argv, str_fmt("--memory=%llu", (unsigned long long)o->memory));
	if (r == 0 && o->pids)
		r = strv_push(&c->argv, str_fmt("--pids-limit=%llu", (unsigned long long)o->pids));
	return r == 0 && o->cpus ? add(c, "--cpus", o->cpus) : r;
}

/* HOST:PATH[:ro], HOST made absolute: a plain name would be a volume of the engine's own. */
static int add_volume(struct order *c, const char *spec, struct err *e)
{
	const char *colon = strchr(spec, ':');
	_cleanup_free_ char *host = colon ? strndup(spec, (size_t)(colon - spec)) : NULL;
	_cleanup_free_ char *full = host ? realpath(host, NULL) : NULL;

	if (!colon || colon[1] != '/') {
		err_say(e, EINVAL, "-v takes HOST:PATH or HOST:PATH:ro, not '%s'", spec);
		err_hint(e, "PATH is absolute, such as -v ./dumps:/dumps");
		return -EINVAL;
	}
	if (!full)
		return err_set(e, errno, "opening '%s' for -v", host ? host : spec);
	return strv_push(&c->argv, str_fmt("--volume=%s%s", full, colon)) < 0 ? -ENOMEM : 0;
}

/* Options that mean the same there. */
static int add_options(struct order *c, struct err *e)
{
	const struct sidekick_opts *o = c->o;
	const struct {
		bool on;
		const char *option;
	} flags[] = {
		{o->detach, "--detach"},
		{o->interactive, "--interactive"},
		{o->tty, "--tty"},
		{o->read_only, "--read-only"},
	};
	const struct {
		const char *value, *option;
	} values[] = {
		{o->name, "--name"},
		{o->user, "--user"},
		{o->cwd, "--workdir"},
		{o->entrypoint, "--entrypoint"},
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(flags) && r == 0; i++)
		r = flags[i].on ? strv_add(&c->argv, flags[i].option) : 0;
	for (size_t i = 0; i < ARRAY_LEN(values) && r == 0; i++)
		r = values[i].value ? add(c, values[i].option, values[i].value) : 0;
	r = r ?: add_list(c, "--env", &o->env);
	r = r ?: add_list(c, "--env-file", &o->env_files);
	r = r ?: add_list(c, "--cap-add", &o->cap_add);
	r = r ?: add_list(c, "--cap-drop", &o->cap_drop);
	r = r ?: add_limits(c);
	for (size_t i = 0; i < o->volumes.n && r == 0; i++)
		r = add_volume(c, o->volumes.v[i], e);
	return r;
}

/* The kit as a directory of the host's: read-only, and none is made where it is missing. */
static int add_kit(struct order *c, struct ctx *ctx, struct err *e)
{
	_cleanup_kit_ struct kit k = KIT_INIT;
	int r;

	if (c->o->image && !c->o->kit)
		return 0;
	if (!c->o->image && str_eq(c->o->kit, "none"))
		return err_say(e, EINVAL,
			       "a sidekick without --image has the kit's files, and so "
			       "--kit none leaves it without any");
	r = kit_find(c->o->kit, &k, e);
	if (r == 0 && k.kind == KIT_NONE)
		return 0;
	if (r == 0)
		r = c->o->explain ? kit_cache_name(&k, e) : kit_from_cache_shown(&k, ctx, e);
	if (r < 0)
		return r;
	if (strpbrk(k.path, ",\"\n"))
		return err_say(e, EINVAL,
			       "the kit is in %s, and --engine cannot name a path with a comma or "
			       "a quotation mark",
			       k.path);
	return strv_push(&c->argv, str_fmt("--mount=type=bind,src=%s,dst=" KIT_PREFIX "%s", k.path,
					   c->docker ? ",readonly" : ",ro=true"));
}

static int add_command(struct order *c, int argc, char **argv)
{
	const struct sidekick_opts *o = c->o;
	int r = strv_add(&c->argv, o->image ? o->image : CLIENT_IMAGE);

	for (int i = 0; i < argc && r == 0; i++)
		r = strv_add(&c->argv, argv[i]);
	if (argc || o->image || o->entrypoint)
		return r;
	if (o->detach)
		return r ?: strv_add(&c->argv, "sleep") ?: strv_add(&c->argv, "infinity");
	return r ?: strv_add(&c->argv, "bash");
}

/* Asked for by nobody, and wanted by whoever types no command. */
static int add_terminal(struct order *c, int argc)
{
	const struct sidekick_opts *o = c->o;

	if (argc || o->detach || o->tty || o->interactive || !isatty(STDIN_FILENO) ||
	    !isatty(STDOUT_FILENO))
		return 0;
	return strv_add(&c->argv, "--interactive") ?: strv_add(&c->argv, "--tty");
}

static int fill(struct order *c, struct ctx *ctx, int argc, char **argv, struct err *e)
{
	unsigned want;
	int r = read_share(c, &want, e);

	if (r < 0)
		return r;
	r = strv_add_all(&c->argv, &c->client);
	r = r ?: strv_add(&c->argv, "run") ?: strv_add(&c->argv, "--rm");
	r = r ?: add(c, "--pull", "never");
	r = r ?: strv_push(&c->argv, str_fmt("--label=porthole.target=%s", c->t->id));
	r = r ?: add_spaces(c, want);
	r = r ?: add_options(c, e);
	r = r ?: add_terminal(c, argc);
	r = r ?: add_kit(c, ctx, e);
	r = r ?: add_command(c, argc, argv);
	return r == -ENOMEM ? err_set(e, ENOMEM, "planning the sidekick") : r;
}

static int check(const struct order *c, struct err *e)
{
	const struct sidekick_opts *o = c->o;
	_cleanup_free_ char *label = str_printable_dup(c->t->name);

	if (!str_eq(o->engine, c->t->engine)) {
		err_say(e, EINVAL,
			"'%s' is a container of %s, and %s cannot share what is not its own",
			label ? label : "?",
			str_eq(c->t->engine, "none") ? "no engine" : c->t->engine, o->engine);
		err_hint(e, "without --engine a sidekick needs no engine at all");
		return -EINVAL;
	}
	if (o->cgroup)
		return err_say(e, EINVAL,
			       "with --engine the engine chooses the cgroup: leave out --cgroup");
	if (o->image && (*o->image == '-' || !*o->image))
		return err_say(e, EINVAL, "'%s' is no image's name", o->image);
	return 0;
}

static int need_image(const struct order *c, struct err *e)
{
	int r = client_has_image(&c->client, c->o->image ? c->o->image : CLIENT_IMAGE, e);

	if (r != 0)
		return r < 0 ? r : 0;
	if (!c->o->image)
		return client_make_image(&c->client, e);
	err_say(e, ENOENT, "%s has no image '%s', and Porthole fetches none", c->o->engine,
		c->o->image);
	err_hint(e, "%s pull it first", c->o->engine);
	return -ENOENT;
}

static int explain(const struct order *c, struct ctx *ctx, struct err *e)
{
	_cleanup_buf_ struct buf b = {};
	_cleanup_free_ char *line = NULL;

	if (ctx->json) {
		struct out_style style = {.color = ctx->color};
		json_t *words = json_array();
		_cleanup_json_ json_t *j = NULL;

		for (size_t i = 0; i < c->argv.n; i++)
			json_array_append_new(words, json_text(c->argv.v[i]));
		j = json_pack("{s:s,s:o}", "engine", c->o->engine, "argv", words);
		return out_json(stdout, j, &style, e);
	}
	line_text(&c->argv, &b);
	line = b.oom ? NULL : str_printable_dup(b.data);
	if (!line)
		return err_set(e, ENOMEM, "explaining the plan");
	puts(line);
	return 0;
}

/* Neither docker nor podman can mount them; a process that is shared leads to them. */
static void greet(const struct order *c)
{
	_cleanup_free_ char *label = str_printable_dup(c->t->name);
	struct proc_status st;

	if (c->o->quiet || c->o->detach || !isatty(STDERR_FILENO) ||
	    proc_status_read(c->t->proc_fd, &st) < 0 || !st.nspids)
		return;
	fprintf(stderr,
		"porthole: beside %s, a container of %s's own. Where pid is shared the target's "
		"files are at /proc/%d/root.\n",
		label ? label : "?", c->o->engine, (int)st.nspid[st.nspids - 1]);
}

int sidekick_by_engine(struct ctx *ctx, const struct sidekick_opts *o,
		       const struct target_roots *roots, const struct target *t, int argc,
		       char **argv, struct err *e)
{
	_cleanup_(order_done) struct order c = {
		.o = o, .t = t, .docker = str_eq(o->engine, "docker")};
	int r = check(&c, e);

	if (r == 0)
		r = target_client(roots, t, &c.client, e);
	if (r == 0 && !o->explain)
		r = need_image(&c, e);
	if (r == 0)
		r = fill(&c, ctx, argc, argv, e);
	if (r < 0)
		return r;
	if (o->explain)
		return explain(&c, ctx, e);
	greet(&c);
	return client_exec(&c.argv, e);
}

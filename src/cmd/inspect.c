/* porthole inspect: what one needs to know about a container before debugging it. */
#include "cmd/inspect.h"

#include <unistd.h>

#include "cli/cli.h"
#include "out/json_print.h"

struct inspect_opts {
	bool json, all, env, secrets;
	struct strv sections;
};

static const struct {
	const char *name;
	unsigned flag;
} sections[] = {
	{"process", SECTION_PROCESS},
	{"rights", SECTION_RIGHTS},
	{"namespaces", SECTION_NAMESPACES},
	{"limits", SECTION_LIMITS},
	{"files", SECTION_FILES},
	{"network", SECTION_NETWORK},
	{"environment", SECTION_ENVIRONMENT},
	{"engine", SECTION_ENGINE},
	{"unusual", SECTION_UNUSUAL},
};

static unsigned parse_sections(const struct strv *names)
{
	unsigned flags = 0;

	for (size_t i = 0; i < names->n; i++)
		for (size_t k = 0; k < ARRAY_LEN(sections); k++)
			if (str_eq(sections[k].name, names->v[i]))
				flags |= sections[k].flag;
	return names->n ? flags : SECTION_ALL;
}

static int show(const struct ctx *ctx, const struct inspection *in, struct err *e)
{
	struct out_style style = out_style_of(STDOUT_FILENO, ctx->color);
	_cleanup_json_ json_t *j = NULL;

	if (!ctx->json)
		return inspect_text(stdout, in, &style) < 0
			       ? err_set(e, ENOMEM, "printing what was found")
			       : 0;
	j = inspect_json(in);
	return out_json(stdout, j, &style, e);
}

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	const struct inspect_opts *o = opts;
	_cleanup_roots_ struct target_roots roots = {.root_fd = -EBADF, .proc_fd = -EBADF};
	_cleanup_target_ struct target t = TARGET_INIT;
	_cleanup_facts_ struct facts f = {};
	_cleanup_unusuals_ struct unusuals u = {};
	struct inspection in = {
		.t = &t, .f = &f, .unusual = &u, .sections = parse_sections(&o->sections)};
	int r = target_roots_open(&roots, e);

	(void)argc;
	if (r == 0)
		r = target_resolve(&roots, argv[0], &t, e);
	in.live = t.state == TARGET_RUNNING || t.state == TARGET_PAUSED;
	if (r == 0 && in.live) /* what does not run still has what its engine knows */
		r = target_pin(&roots, &t, e);
	if (r == 0)
		r = facts_read(&roots, &t, &f, e);
	if (r == 0 && unusual_find(&t, &f, &u) < 0)
		r = err_set(e, ENOMEM, "judging what was found");
	if (r < 0)
		return r;
	in.all = o->all;
	in.env = o->env || o->all || o->secrets;
	in.secrets = o->secrets;
	return show(ctx, &in, e);
}

static const struct opt options[] = {
	{OPT_CSV, offsetof(struct inspect_opts, sections), 's', "section", "LIST",
	 "only these: process, rights, namespaces, limits, files, network, environment, engine, "
	 "unusual",
	 OPT_WORDS("process", "rights", "namespaces", "limits", "files", "network", "environment",
		   "engine", "unusual")},
	{OPT_FLAG, offsetof(struct inspect_opts, all), 'a', "all", NULL,
	 "every mount, process, socket and variable, not only the telling ones", NULL},
	{OPT_FLAG, offsetof(struct inspect_opts, env), 'e', "env", NULL,
	 "every variable of the environment, secrets hidden", NULL},
	{OPT_FLAG, offsetof(struct inspect_opts, secrets), 0, "show-secrets", NULL,
	 "every variable as it is, passwords and tokens too", NULL},
	{OPT_FLAG, offsetof(struct inspect_opts, json), 0, "json", NULL, "print JSON", NULL},
	{},
};

const struct verb verb_inspect = {
	.name = "inspect",
	.args = "TARGET",
	.summary = "Show what to know about a container before debugging it",
	.details = "Reads the container from outside and tells what it runs, as whom and with "
		   "which rights,\n"
		   "which namespaces are its own, its limits and what is used of them, its files "
		   "and mounts,\n"
		   "who listens on which port, its environment, and what its engine was told. The "
		   "last part\n"
		   "says in plain words what is unusual about it.\n\n"
		   "Nothing is started, stopped or written, and nothing is asked of the engine: "
		   "the facts come\n"
		   "from the kernel and from the engine's own files, also when its daemon is dead. "
		   "Values in\n"
		   "the environment and in command lines that look like passwords, keys or tokens "
		   "are hidden\n"
		   "unless --show-secrets is given.\n\n"
		   "TARGET is a container's name or id, POD/CONTAINER, ENGINE://NAME, or a PID. Of "
		   "one that\n"
		   "does not run, what its engine still knows is shown.",
	.examples = "  porthole inspect web                      everything worth knowing\n"
		    "  porthole inspect -s unusual,limits web    two parts of it\n"
		    "  porthole inspect --env web                the whole environment\n"
		    "  porthole inspect --json web | jq .rights  for programs\n",
	.opts = options,
	.opts_size = sizeof(struct inspect_opts),
	.complete = COMPLETE_TARGET,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};

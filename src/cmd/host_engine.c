/* porthole host run --engine: what is asked of the engine. */
#include "cmd/host_engine.h"

#include <stdio.h>
#include <stdlib.h>

#include "out/json_print.h"

static int refuse(const struct host_run_opts *o, enum grant_tool tool, struct err *e)
{
	if (o->cgroup)
		return err_say(e, EINVAL,
			       "with --engine the engine chooses the cgroup: leave out --cgroup");
	if ((o->memory || o->pids || o->cpus) && tool != TOOL_DOCKER && tool != TOOL_PODMAN) {
		err_say(e, ENOTSUP,
			"--memory, --cpus and --pids are passed on to docker and podman, "
			"and not to %s",
			o->engine);
		err_hint(e,
			 "leave them out, or leave out --engine: then they are kept by Porthole");
		return -ENOTSUP;
	}
	return 0;
}

int host_engine_plan(struct host_engine *g, const struct host_run_opts *o, const struct profile *p,
		     const struct strv *env, const struct plan *plan, const char *name,
		     struct err *e)
{
	int r = engine_tool(o->engine, &g->tool, e);

	if (r == 0)
		r = refuse(o, g->tool, e);
	if (r < 0)
		return r;
	/* other shells of the same profile may be there, and engines take a name once */
	if (!o->name && !o->detach)
		g->own_name = str_fmt("%s-%.6s", name, plan->cookie);
	if (!o->name && !o->detach && !g->own_name)
		return err_set(e, ENOMEM, "naming the container");
	g->limits = (struct line_run){.memory = o->memory, .pids = o->pids, .cpus = o->cpus};
	g->line = (struct line_of){
		.g = &p->g,
		.env = env,
		.name = g->own_name ? g->own_name : name,
		.run = &g->limits,
	};
	if (plan->guests && !o->quiet)
		fprintf(stderr,
			"porthole: %s ends all that runs in its container with it, the virtual "
			"machines too\n",
			o->engine);
	return 0;
}

int host_engine_explain(const struct host_engine *g, const struct plan *p, struct ctx *ctx,
			struct err *e)
{
	_cleanup_strv_ struct strv words = {};
	_cleanup_buf_ struct buf text = {};
	_cleanup_json_ json_t *bundle = NULL, *all = NULL;
	const struct out_style style = {.color = ctx->color};
	json_t *argv;
	int r = engine_words(p, &g->line, g->tool, &words, &bundle, e);

	if (r < 0)
		return r;
	if (ctx->json) {
		argv = json_array();
		for (size_t i = 0; i < words.n; i++)
			json_array_append_new(argv, json_text(words.v[i]));
		all = json_pack("{s:o,s:O?}", "argv", argv, "bundle", bundle);
		return out_json(stdout, all, &style, e);
	}
	line_text(&words, &text);
	if (text.oom)
		return err_set(e, ENOMEM, "explaining the plan");
	puts(text.data);
	return bundle ? out_json(stdout, bundle, &style, e) : 0;
}

int host_engine_run(const struct plan *p, const char *name, struct session_talk *talk,
		    const void *data, struct err *e)
{
	const struct host_engine *g = data;
	struct line_of line = g->line;

	line.name = name;
	return engine_run(p, &line, g->tool, talk, e);
}

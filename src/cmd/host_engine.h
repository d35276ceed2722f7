/*
 * porthole host run --engine: a container of the host's that an engine makes.
 *
 * Layer: cmd.
 */
#pragma once

#include "cmd/host_run.h"
#include "launch/engine.h"
#include "profile/profile.h"

/* Borrows what it is planned from. */
struct host_engine {
	enum grant_tool tool;
	struct line_run limits;
	struct line_of line;
	char *own_name; /* of the container, where the person has given none */
};

/* Fill it; says on standard error what will not be as without an engine. 0 or -errno. */
int host_engine_plan(struct host_engine *g, const struct host_run_opts *o, const struct profile *p,
		     const struct strv *env, const struct plan *plan, const char *name,
		     struct err *e);

/* --explain: the line that would be run, and the bundle's config.json. */
int host_engine_explain(const struct host_engine *g, const struct plan *p, struct ctx *ctx,
			struct err *e);

/* For struct launch; `data` is the struct host_engine. */
int host_engine_run(const struct plan *p, const char *name, struct session_talk *talk,
		    const void *data, struct err *e);

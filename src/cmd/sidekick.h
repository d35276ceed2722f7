/*
 * What `porthole sidekick` was told.
 *
 * Layer: cmd.
 */
#pragma once

#include "cli/cli.h"
#include "target/target.h"

struct sidekick_opts {
	bool interactive, tty, detach, explain, json, quiet, rm, read_only;
	const char *user, *cwd, *kit, *cgroup, *cpus, *image, *entrypoint, *name, *engine;
	struct strv env, env_files, share, volumes, cap_add, cap_drop;
	uint64_t memory, pids;
};

/* --engine: have the engine of `t` (pinned) make the container, by its own client, which this
 * process becomes. Returns 0 after --explain, else only with -errno. */
int sidekick_by_engine(struct ctx *ctx, const struct sidekick_opts *o,
		       const struct target_roots *roots, const struct target *t, int argc,
		       char **argv, struct err *e);

/*
 * What `porthole host run` was told.
 *
 * Layer: cmd.
 */
#pragma once

#include "cli/cli.h"
#include "cmd/host_back.h"

#define HOST_DEFAULT_PROFILE "admin"

struct host_run_opts {
	bool interactive, tty, detach, explain, json, quiet, rm, read_only, ro;
	const char *profile, *user, *cwd, *kit, *cgroup, *cpus, *image, *entrypoint, *name, *ttl,
		*engine;
	struct strv env, env_files, ns, volumes, masks, cap_add, cap_drop;
	uint64_t memory, pids;
	struct host_back_opts back;
};

/* porthole logs: what a container of ours has said. */
#include <unistd.h>

#include "cli/cli.h"
#include "launch/log.h"
#include "target/target.h"

struct logs_opts {
	bool follow, json;
};

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	const struct logs_opts *o = opts;
	_cleanup_roots_ struct target_roots roots = {.root_fd = -EBADF, .proc_fd = -EBADF};
	_cleanup_target_ struct target t = TARGET_INIT;
	int r = target_roots_open(&roots, e);

	(void)ctx, (void)argc;
	if (r == 0)
		r = target_resolve(&roots, argv[0], &t, e);
	if (r < 0)
		return r;
	if (str_eq(t.engine, "porthole"))
		return launch_log(t.name, o->follow, STDOUT_FILENO, e);
	err_say(e, EINVAL, "'%s' is %s's, which has what it said", argv[0], t.engine);
	if (str_eq(t.engine, "docker") || str_eq(t.engine, "podman"))
		err_hint(e, "type: %s logs %s", t.engine, t.name);
	return -EINVAL;
}

static const struct opt options[] = {
	{OPT_FLAG, offsetof(struct logs_opts, follow), 'f', "follow", NULL, "go on until it ends",
	 NULL},
	{OPT_FLAG, offsetof(struct logs_opts, json), 0, "json", NULL, "print errors as JSON", NULL},
	{},
};

const struct verb verb_logs = {
	.name = "logs",
	.args = "NAME",
	.summary = "Print what a container that Porthole started has said",
	.details = "NAME is a container of 'porthole sidekick -d' or 'host run -d'. Its standard "
		   "output and error\n"
		   "are kept while it runs, the last megabyte of them at least; they go with it.",
	.examples = "  porthole logs web-sidekick       what it has said\n"
		    "  porthole logs -f web-sidekick    and what it says, until it ends\n",
	.opts = options,
	.opts_size = sizeof(struct logs_opts),
	.complete = COMPLETE_TARGET,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};

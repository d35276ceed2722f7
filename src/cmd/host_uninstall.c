/* porthole host uninstall: the unit of 'host install' goes again. */
#include <stdio.h>

#include "cli/cli.h"
#include "launch/state.h"
#include "launch/unit.h"

struct host_uninstall_opts {
	bool force;
};

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	const struct host_uninstall_opts *o = opts;
	int r = launch_name_check(argv[0], e);

	(void)ctx;
	(void)argc;
	if (r < 0)
		return err_exit(e, EXIT_USAGE);
	r = unit_remove(argv[0], o->force, e);
	if (r == 0)
		printf("Removed " UNIT_DIR "/porthole-%s.service. Now: systemctl daemon-reload\n",
		       argv[0]);
	return r;
}

static const struct opt options[] = {
	{OPT_FLAG, offsetof(struct host_uninstall_opts, force), 0, "force", NULL,
	 "also when it was changed since", NULL},
	{},
};

const struct verb verb_host_uninstall = {
	.name = "host uninstall",
	.args = "NAME",
	.summary = "Remove the unit that 'host install' wrote",
	.details = "Removes " UNIT_DIR
		   "/porthole-NAME.service and nothing else, where Porthole wrote it and\n"
		   "nobody has changed it since, and it is not enabled any more.",
	.examples = "  systemctl disable --now porthole-agent && porthole host uninstall agent\n",
	.opts = options,
	.opts_size = sizeof(struct host_uninstall_opts),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};

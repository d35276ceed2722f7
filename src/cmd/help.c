#include "cli/cli.h"

struct help_opts {
	bool scdoc, names;
};

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	struct help_opts *o = opts;
	const struct verb *v;
	int used;

	(void)ctx;
	if (o->names) {
		for (size_t i = 0; cli_verbs[i]; i++)
			if (!(cli_verbs[i]->flags & VERB_HIDDEN))
				puts(cli_verbs[i]->name);
		return 0;
	}
	if (argc == 0) {
		cli_help_all(stdout);
		return 0;
	}
	v = cli_find(argc, argv, &used);
	if (!v && argc == 1 && cli_is_group(argv[0]) && !o->scdoc) {
		cli_help_group(stdout, argv[0]);
		return 0;
	}
	if (!v)
		return cli_unknown(argc, argv, e);
	if (used < argc) {
		err_say(e, EINVAL, "'porthole help %s' does not take '%s'", v->name, argv[used]);
		return err_exit(e, EXIT_USAGE);
	}
	if (o->scdoc)
		cli_help_scdoc(stdout, v);
	else
		cli_help(stdout, v);
	return 0;
}

static const struct opt options[] = {
	{OPT_FLAG, offsetof(struct help_opts, scdoc), 0, "scdoc", NULL,
	 "print the options as the man page's OPTIONS section", NULL},
	{OPT_FLAG, offsetof(struct help_opts, names), 0, "names", NULL,
	 "print the verbs' names only", NULL},
	{},
};

const struct verb verb_help = {
	.name = "help",
	.args = "[VERB]",
	.summary = "Show help, for all verbs or for one",
	.examples = "  porthole help exec\n",
	.opts = options,
	.opts_size = sizeof(struct help_opts),
	.complete = COMPLETE_VERB,
	.max_args = 2,
	.run = run,
};

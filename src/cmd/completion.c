#include "cli/cli.h"

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	(void)ctx, (void)opts, (void)argc;
	if (cli_completion(stdout, argv[0]) == 0)
		return 0;
	err_say(e, EINVAL, "no completion for the shell '%s': it takes one of bash, zsh, fish",
		argv[0]);
	return err_exit(e, EXIT_USAGE);
}

const struct verb verb_completion = {
	.name = "completion",
	.args = "bash|zsh|fish",
	.summary = "Print a completion script for your shell",
	.examples = "  source <(porthole completion bash)\n",
	.min_args = 1,
	.max_args = 1,
	.run = run,
};

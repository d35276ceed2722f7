#include "cli/cli.h"

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	(void)opts, (void)argc, (void)argv, (void)e;
	if (ctx->json)
		printf("{\"version\":\"%s\"}\n", PORTHOLE_VERSION);
	else
		printf("porthole %s\n", PORTHOLE_VERSION);
	return 0;
}

static const struct opt options[] = {
	{OPT_FLAG, 0, 0, "json", NULL, "print JSON", NULL},
	{},
};

const struct verb verb_version = {
	.name = "version",
	.args = "",
	.summary = "Print the version",
	.examples = "  porthole version\n",
	.opts = options,
	.opts_size = sizeof(bool),
	.run = run,
};

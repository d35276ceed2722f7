#include "cli/cli.h"

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	(void)ctx, (void)opts, (void)argc, (void)argv;
	return err_say(e, ENOSYS, "not there yet");
}

const struct verb verb_kit_info = {
	.name = "kit info",
	.args = "",
	.summary = "",
	.max_args = -1,
	.run = run,
};

/* porthole begin: the first process of a container that an engine makes for 'host run --engine'. */
#include "cli/cli.h"
#include "launch/lines.h"
#include "session/lodge.h"

struct begin_opts {
	bool json;
};

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	(void)ctx, (void)opts, (void)argc, (void)argv; /* the command, for who lists processes */
	return lodge_begin(LINE_DIR "/" LODGE_SOCKET, e);
}

const struct verb verb_begin = {
	.name = "begin",
	.args = "[CMD [ARG...]]",
	.summary = "Begin in a container that an engine makes for 'host run --engine'",
	.examples = "  porthole begin sleep 1h\n",
	.opts_size = sizeof(struct begin_opts),
	.flags = VERB_HIDDEN | VERB_STOP_AT_ARG | VERB_RUNS_CMD,
	.max_args = -1,
	.run = run,
};

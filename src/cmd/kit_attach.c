#include "cli/cli.h"
#include "kit/kit.h"

struct kit_attach_opts {
	const char *kit, *output;
};

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	struct kit_attach_opts *o = opts;
	_cleanup_kit_ struct kit k = KIT_INIT;
	int r;

	if (!o->output) {
		err_say(e, EINVAL, "'porthole kit attach' needs -o FILE");
		return err_exit(e, EXIT_USAGE);
	}
	r = kit_find(o->kit, &k, e);
	if (r == 0)
		r = kit_attach(&k, o->output, e);
	return r;
}

static const struct opt options[] = {
	{OPT_STR, offsetof(struct kit_attach_opts, kit), 0, "kit", "FILE",
	 "the image to append; 'none' writes the executable without one", NULL},
	{OPT_STR, offsetof(struct kit_attach_opts, output), 'o', "output", "FILE",
	 "where to write the executable", NULL},
	{},
};

const struct verb verb_kit_attach = {
	.name = "kit attach",
	.args = "",
	.summary = "Write one executable that carries a kit with it",
	.details = "Copies this executable, without any kit it carries already, and appends a "
		   "kit's image.\n"
		   "The result mounts the kit from its own file: copy it to a host, and it works "
		   "there.",
	.examples = "  porthole kit attach --kit kit.erofs -o porthole-full\n"
		    "  scp porthole-full host:porthole\n",
	.opts = options,
	.opts_size = sizeof(struct kit_attach_opts),
	.run = run,
};

/* porthole profile list: what there is to choose from. */
#include <unistd.h>

#include "cli/cli.h"
#include "out/json_print.h"
#include "out/table.h"
#include "profile/profile.h"

struct profile_list_opts {
	bool json;
};

static const struct column columns[] = {
	{.name = "PROFILE"},
	{.name = "WHAT FOR", .flags = COL_SHRINK},
	{.name = "FILE", .flags = COL_HIDE},
};

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	struct out_style style = out_style_of(STDOUT_FILENO, ctx->color);
	_cleanup_strv_ struct strv names = {};
	_cleanup_table_ struct table table = TABLE_INIT(columns);
	_cleanup_json_ json_t *all = json_array();
	int r = profile_names(&names) < 0 ? err_set(e, ENOMEM, "listing the profiles") : 0;

	(void)opts;
	(void)argc;
	(void)argv;
	for (size_t i = 0; i < names.n && r == 0; i++) {
		_cleanup_profile_ struct profile p = {};

		r = profile_find(names.v[i], &p, e);
		if (r < 0)
			break;
		table_add(&table, OUT_PLAIN, p.name);
		table_add(&table, OUT_PLAIN, p.summary);
		table_add(&table, OUT_PLAIN, p.file);
		json_array_append_new(all, json_pack("{s:o,s:o,s:o}", "name", json_text(p.name),
						     "summary", json_text(p.summary), "file",
						     json_text(p.file)));
	}
	if (r < 0)
		return r;
	return ctx->json ? out_json(stdout, all, &style, e)
			 : table_print(stdout, &table, &style, e);
}

static const struct opt options[] = {
	{OPT_FLAG, offsetof(struct profile_list_opts, json), 0, "json", NULL, "print JSON", NULL},
	{},
};

const struct verb verb_profile_list = {
	.name = "profile list",
	.args = "",
	.summary = "List the profiles of host containers",
	.details = "A profile says what a container gets of the host: namespaces, paths, "
		   "capabilities. Your own are\n" PROFILE_DIR
		   "/NAME.profile; one of the name of Porthole's own replaces it.",
	.examples = "  porthole profile list\n"
		    "  porthole profile show inspect\n",
	.opts = options,
	.opts_size = sizeof(struct profile_list_opts),
	.run = run,
};

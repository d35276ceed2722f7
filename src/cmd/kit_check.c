#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "cli/cli.h"
#include "kit/check.h"
#include "kit/rules.h"
#include "out/json_print.h"
#include "out/table.h"

struct kit_check_opts {
	struct strv only;
	bool verbose, json;
};

static void show(void *arg, const char *what, size_t done, size_t total)
{
	const bool *on = arg;

	if (!*on)
		return;
	fprintf(stderr, "\r\033[K%s (%zu of %zu)", what, done, total);
	fflush(stderr);
}

static int print_json(const struct check_report *r, struct err *e)
{
	_cleanup_json_ json_t *j = NULL;
	json_t *list = json_array();

	for (size_t i = 0; i < r->n; i++) {
		const struct check_result *k = &r->v[i];

		json_array_append_new(
			list, json_pack("{s:o, s:b, s:s, s:i, s:i, s:o}", "program",
					json_text(k->name), "ok", k->verdict == CHECK_OK, "check",
					k->deep ? "function" : "help", "status", k->status, "ms",
					(int)k->ms, "why", json_text(k->why[0] ? k->why : NULL)));
	}
	j = json_pack("{s:b, s:I, s:I, s:I, s:s, s:o}", "ok", r->failed == 0, "checks",
		      (json_int_t)r->n, "failed", (json_int_t)r->failed, "functions",
		      (json_int_t)r->deep, "mounted_by", kit_rung_name(r->rung), "results", list);
	return out_json(stdout, j, &(struct out_style){}, e);
}

static int print_text(struct ctx *ctx, const struct check_report *r, bool verbose, struct err *e)
{
	static const struct column columns[] = {
		{"PROGRAM"}, {"CHECK"}, {"RESULT"}, {"TIME", COL_RIGHT}, {"WHY", COL_SHRINK}};
	_cleanup_table_ struct table t = TABLE_INIT(columns);
	struct out_style style = out_style_of(STDOUT_FILENO, ctx->color);
	int k = 0;

	for (size_t i = 0; i < r->n; i++) {
		const struct check_result *c = &r->v[i];
		bool bad = c->verdict == CHECK_FAILED;

		if (!bad && !verbose)
			continue;
		table_add(&t, OUT_PLAIN, c->name);
		table_add(&t, OUT_PLAIN, c->deep ? "function" : "--help");
		table_add(&t, bad ? OUT_RED : OUT_GREEN, bad ? "failed" : "ok");
		table_addf(&t, OUT_PLAIN, "%u ms", c->ms);
		table_add(&t, OUT_PLAIN, c->why);
	}
	if (t.n_cells)
		k = table_print(stdout, &t, &style, e);
	printf("%s%zu checks, %zu of them of what the program does; %zu failed\n",
	       t.n_cells ? "\n" : "", r->n, r->deep, r->failed);
	return k;
}

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	struct kit_check_opts *o = opts;
	_cleanup_checks_ struct checks checks = {};
	_cleanup_report_ struct check_report report = {};
	bool progress = isatty(STDERR_FILENO) && !ctx->json;
	struct kit_progress p = {show, &progress};
	int r = checks_parse(&checks, "kits/check.list", rules_text_check, e);

	if (r == 0)
		r = kit_check(argc ? argv[0] : NULL, &checks, &o->only, &p, &report, e);
	if (progress)
		fprintf(stderr, "\r\033[K");
	if (r == 0)
		r = ctx->json ? print_json(&report, e) : print_text(ctx, &report, o->verbose, e);
	return r < 0 ? r : report.failed > 0;
}

static const struct opt options[] = {
	{OPT_LIST, offsetof(struct kit_check_opts, only), 'p', "program", "NAME",
	 "only checks with this program (may be repeated)", NULL},
	{OPT_FLAG, offsetof(struct kit_check_opts, verbose), 'v', "verbose", NULL,
	 "list the checks that passed as well", NULL},
	{OPT_FLAG, offsetof(struct kit_check_opts, json), 0, "json", NULL, "print JSON", NULL},
	{},
};

const struct verb verb_kit_check = {
	.name = "kit check",
	.args = "[KIT]",
	.summary = "Run every program of a kit with nothing but the kit around it",
	.details = "Starts a container of its own whose root holds only the kit, and runs every "
		   "program there: those of kits/check.list do what they are for, others print "
		   "their help. A check fails when the program does not do its job, when the "
		   "loader complains, and when it so much as tries to open a library, loader, "
		   "terminfo, certificate, magic or locale file outside the kit. Exit status 1: "
		   "at least one failed.",
	.examples = "  porthole kit check\n"
		    "  porthole kit check mine.erofs\n"
		    "  porthole kit check -v -p gdb -p vim\n",
	.opts = options,
	.opts_size = sizeof(struct kit_check_opts),
	.complete = COMPLETE_FILE,
	.max_args = 1,
	.run = run,
};

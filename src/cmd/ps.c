/* porthole ps: every container of every engine on the host. */
#include "cmd/ps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/cli.h"
#include "out/json_print.h"

struct ps_opts {
	bool all, quiet, no_trunc, json;
	const char *format;
	struct strv filter;
};

static json_t *time_json(int64_t t)
{
	return t ? json_integer(t) : json_null();
}

static json_t *row_json(const struct ps_row *row)
{
	const struct target *t = row->t;
	bool ended = t->state == TARGET_EXITED || t->state == TARGET_RESTARTING;

	return json_pack(
		"{s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
		"s:b, "
		"s:o, s:o}",
		"name", json_text(t->name), "target", json_text(row->label), "engine", t->engine,
		"id", json_text(t->id), "image", json_text(t->image), "image_id",
		json_text(t->image_id), "pid", t->pid ? json_integer(t->pid) : json_null(), "state",
		target_state_name(t->state), "exit_code",
		ended && t->exit_code >= 0 ? json_integer(t->exit_code) : json_null(), "created",
		time_json(t->created), "started", time_json(t->started), "finished",
		time_json(t->finished), "userns", json_text(row->userns[0] ? row->userns : NULL),
		"pod", json_text(t->pod), "namespace", json_text(t->pod_ns), "user",
		json_text(t->owner ? t->owner : "root"), "sandbox", t->sandbox, "bundle",
		json_text(t->bundle), "state_file", json_text(t->state_file));
}

static int print_json(const struct ps_rows *rows, const struct out_style *style, struct err *e)
{
	_cleanup_json_ json_t *all = json_array();

	for (size_t i = 0; i < rows->n; i++)
		if (json_array_append_new(all, row_json(&rows->v[i])) < 0)
			return err_set(e, ENOMEM, "printing the list");
	return out_json(stdout, all, style, e);
}

static int print_json_lines(const struct ps_rows *rows, struct err *e)
{
	for (size_t i = 0; i < rows->n; i++) {
		_cleanup_json_ json_t *j = row_json(&rows->v[i]);
		int r = out_json_line(stdout, j, e);

		if (r < 0)
			return r;
	}
	return 0;
}

static int print_table(const struct ps_rows *rows, bool no_trunc, struct out_style *style,
		       struct err *e)
{
	struct column cols[PS_COLUMNS];
	struct table t = {.cols = cols, .n_cols = PS_COLUMNS, .head = OUT_BOLD};
	int r;

	for (size_t i = 0; i < PS_COLUMNS; i++)
		cols[i] = (struct column){.name = ps_fields[i].header,
					  .flags = no_trunc ? ps_fields[i].flags &
								      ~(unsigned)COL_SHRINK
							    : ps_fields[i].flags,
					  .max = no_trunc ? 0 : ps_fields[i].max};
	if (no_trunc)
		style->width = 0;
	for (size_t i = 0; i < rows->n; i++)
		for (size_t k = 0; k < PS_COLUMNS; k++) {
			_cleanup_buf_ struct buf text = {};
			bool state = str_eq(ps_fields[k].key, "state");

			ps_fields[k].text(&rows->v[i], &text);
			table_add(&t, state ? ps_color(&rows->v[i]) : OUT_PLAIN, text.data);
		}
	r = table_print(stdout, &t, style, e);
	table_done(&t);
	return r;
}

static int print_rows(struct ctx *ctx, const struct ps_opts *o, const struct ps_rows *rows,
		      struct err *e)
{
	struct out_style style = out_style_of(STDOUT_FILENO, ctx->color);

	if (ctx->json)
		return print_json(rows, &style, e);
	if (o->quiet) {
		for (size_t i = 0; i < rows->n; i++)
			printf("%s\n", rows->v[i].label);
		return 0;
	}
	if (o->format && str_eq(o->format, "json"))
		return print_json_lines(rows, e);
	if (o->format && *o->format)
		return ps_print_format(rows->v, rows->n, o->format, o->no_trunc, e);
	return print_table(rows, o->no_trunc, &style, e);
}

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	const struct ps_opts *o = opts;
	_cleanup_roots_ struct target_roots roots = {.root_fd = -EBADF, .proc_fd = -EBADF};
	_cleanup_targets_ struct targets list = {};
	_cleanup_strv_ struct strv warnings = {};
	_cleanup_(ps_rows_done) struct ps_rows rows = {};
	int r = ps_check_filters(&o->filter, e);

	(void)argc, (void)argv;
	/* a template is checked before anything is looked at */
	if (r == 0 && o->format && !str_eq(o->format, "json"))
		r = ps_check_format(o->format, e);
	if (r < 0)
		return err_exit(e, EXIT_USAGE);
	r = target_roots_open(&roots, e);
	if (r == 0)
		r = target_list(&roots, o->all || ps_asks_ended(&o->filter), &list, &warnings, e);
	if (r == 0 && ps_rows_make(&roots, o->all, &o->filter, &list, &rows) < 0)
		r = err_set(e, ENOMEM, "listing containers");
	if (r < 0)
		return r;
	for (size_t i = 0; i < warnings.n; i++)
		fprintf(stderr, "porthole: warning: %s\n", warnings.v[i]);
	return print_rows(ctx, o, &rows, e);
}

static const struct opt options[] = {
	{OPT_FLAG, offsetof(struct ps_opts, all), 'a', "all", NULL,
	 "also those that do not run, and pods' own containers", NULL},
	{OPT_LIST, offsetof(struct ps_opts, filter), 'f', "filter", "KEY=VALUE",
	 "only those that match: name, engine, image, state, pod, id, user, ...", NULL},
	{OPT_STR, offsetof(struct ps_opts, format), 0, "format", "TEMPLATE",
	 "print each as '{{.Name}}\\t{{.PID}}'; 'table ...' with a header; or json", NULL},
	{OPT_FLAG, offsetof(struct ps_opts, no_trunc), 0, "no-trunc", NULL, "do not cut anything",
	 NULL},
	{OPT_FLAG, offsetof(struct ps_opts, quiet), 'q', "quiet", NULL,
	 "only what to type for each", NULL},
	{OPT_FLAG, offsetof(struct ps_opts, json), 0, "json", NULL, "print JSON", NULL},
	{},
};

const struct verb verb_ps = {
	.name = "ps",
	.args = "",
	.summary = "List every container of every engine",
	.details =
		"Lists the containers of docker, podman, containerd, nerdctl, Kubernetes (CRI), "
		"CRI-O,\n"
		"runc, crun, LXC, Incus, systemd-nspawn, bubblewrap and flatpak, of root and of "
		"every\n"
		"user, and the processes that have namespaces of their own without any engine. It\n"
		"reads the engines' files and /proc and asks no daemon, so it also works where "
		"none\n"
		"runs or answers. What cannot be read is skipped with a warning.\n\n"
		"AGE is how long a container has been running, or how long ago it ended. USERNS "
		"is\n"
		"host, or the host's uid that the container's first uid is mapped to. POD is a "
		"pod, or\n"
		"a compose project.\n\n"
		"Filters on the same key add up, those on different keys all have to match. name,\n"
		"image, pod and userns match a part; id its start; the others the whole. * and ? "
		"are\n"
		"wildcards. Fields for --format are .Name .Engine .Image .PID .State .Age .Userns\n"
		".Pod .ID .Target .User .Namespace .ImageID .ExitCode .Bundle and .StateFile.",
	.examples = "  porthole ps                                what runs\n"
		    "  porthole ps -f state=exited                what has ended, and how\n"
		    "  porthole ps -f engine=podman -f user=ann   one user's podman\n"
		    "  porthole ps --format '{{.Target}}\\t{{.PID}}'\n"
		    "  porthole ps --json | jq '.[].pid'          for programs\n",
	.opts = options,
	.opts_size = sizeof(struct ps_opts),
	.max_args = 0,
	.run = run,
};

/* porthole host mount: paths of the host's in a container that runs. */
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

#include "cli/cli.h"
#include "out/json_print.h"
#include "out/table.h"
#include "session/graft.h"

struct host_mount_opts {
	bool explain, json, quiet;
};

static const struct column columns[] = {
	{.name = "HOST", .flags = COL_SHRINK},
	{.name = "INSIDE", .flags = COL_SHRINK},
	{.name = "MODE"},
	{.name = "PROPAGATION"},
	{.name = "TYPE"},
};

static const char *way_of(const struct mount_row *m)
{
	return m->shared && !m->master ? "shared" : m->master ? "slave" : "private";
}

static int list(struct ctx *ctx, const struct graft *g, struct err *e)
{
	struct out_style style = out_style_of(STDOUT_FILENO, ctx->color);
	_cleanup_table_ struct table t = TABLE_INIT(columns);
	_cleanup_json_ json_t *all = json_array();
	const struct mount_row *m;
	size_t at = 0;
	char *host;

	while ((m = graft_next(g, &at, &host))) {
		bool ro = mountinfo_has(m->opts, "ro");
		json_t *j = json_pack("{s:o,s:o,s:b,s:s,s:o}", "host", json_text(host), "inside",
				      json_text(m->target), "read_only", ro, "propagation",
				      way_of(m), "type", json_text(m->fstype));

		table_add(&t, OUT_PLAIN, host);
		table_add(&t, OUT_PLAIN, m->target);
		table_add(&t, OUT_PLAIN, ro ? "ro" : "rw");
		table_add(&t, OUT_PLAIN, way_of(m));
		table_add(&t, OUT_PLAIN, m->fstype);
		free(host);
		if (json_array_append_new(all, j) < 0)
			return err_set(e, ENOMEM, "listing the mounts of '%s'", g->label);
	}
	if (ctx->json)
		return out_json(stdout, all, &style, e);
	if (!json_array_size(all))
		printf("'%s' has no path of the host.\n", g->label);
	else
		return table_print(stdout, &t, &style, e);
	return 0;
}

static int bad_spec(const char *spec, struct err *e)
{
	err_say(e, EINVAL,
		"'porthole host mount' takes SRC, SRC:DST or SRC:DST:ro, with DST absolute, not "
		"'%s'",
		spec);
	return err_exit(e, EXIT_USAGE);
}

/* SRC[:DST][:OPTIONS] as volume_parse() takes it: DST is SRC where it is not said. */
static int parse(const char *spec, char **copy, struct volume *v, struct err *e)
{
	const char *colon = strchr(spec, ':'), *rest = colon ? colon + 1 : "";
	size_t n = colon ? (size_t)(colon - spec) : strlen(spec);
	_cleanup_free_ char *whole = NULL;

	if (*rest != '/')
		whole = str_fmt("%.*s:%.*s%s%s", (int)n, spec, (int)n, spec, *rest ? ":" : "",
				rest);
	else
		whole = strdup(spec);
	if (!whole)
		return err_set(e, ENOMEM, "mounting '%s'", spec);
	return volume_parse(whole, copy, v, e) < 0 ? bad_spec(spec, e) : 0;
}

static int add(struct ctx *ctx, const struct host_mount_opts *o, const struct graft *g,
	       const char *spec, struct err *e)
{
	struct out_style style = out_style_of(STDOUT_FILENO, ctx->color);
	_cleanup_free_ char *copy = NULL, *host = NULL, *inside = NULL;
	struct volume v;
	int r = parse(spec, &copy, &v, e);

	if (r == 0 && !o->explain)
		r = graft_add(g, &v, e);
	if (r < 0)
		return r;
	if (ctx->json) {
		_cleanup_json_ json_t *j = json_pack(
			"{s:o,s:o,s:o,s:b}", "target", json_text(g->t->name), "host",
			json_text(v.host), "inside", json_text(v.inside), "read_only", v.ro);

		return out_json(stdout, j, &style, e);
	}
	host = str_printable_dup(v.host);
	inside = str_printable_dup(v.inside);
	if (host && inside && o->explain)
		printf("%s of the host would be mounted at %s of '%s', %s, for all its "
		       "processes.\n",
		       host, inside, g->label, v.ro ? "read-only" : "to be written to, too");
	else if (host && inside && !o->quiet)
		printf("%s of the host is at %s of '%s' now%s.\n", host, inside, g->label,
		       v.ro ? ", read-only" : "");
	return 0;
}

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	const struct host_mount_opts *o = opts;
	_cleanup_roots_ struct target_roots roots = {.root_fd = -EBADF, .proc_fd = -EBADF};
	_cleanup_target_ struct target t = TARGET_INIT;
	_cleanup_graft_ struct graft g = GRAFT_INIT;
	int r = target_open(&roots, argv[0], &t, e);

	if (r == 0)
		r = graft_open(&t, &g, e);
	if (r < 0)
		return r;
	return argc > 1 ? add(ctx, o, &g, argv[1], e) : list(ctx, &g, e);
}

static const struct opt options[] = {
	{OPT_FLAG, offsetof(struct host_mount_opts, explain), 0, "explain", NULL,
	 "print what would be done, and do nothing", NULL},
	{OPT_FLAG, offsetof(struct host_mount_opts, quiet), 'q', "quiet", NULL,
	 "say nothing on success", NULL},
	{OPT_FLAG, offsetof(struct host_mount_opts, json), 0, "json", NULL, "print JSON", NULL},
	{},
};

const struct verb verb_host_mount = {
	.name = "host mount",
	.args = "NAME [SRC[:DST][:ro|rw]]",
	.summary = "Add a path of the host to a container that runs, or list those it has",
	.details =
		"Mounts the file or directory SRC of the host at DST of the container, for all its "
		"processes; without\n"
		"DST at the same path. What is mounted below SRC comes too. DST is made where it "
		"is "
		"not there and lies\n"
		"in the container's own files; nothing is ever made on the host. The options are "
		"those of -v: ro, rw,\n"
		"rslave (the default), rprivate, rshared.\n\n"
		"NAME is a container of 'host run -d', or any other of any engine; the number of a "
		"process will do.\n"
		"Without SRC, what it has of the host is listed. 'porthole host unmount' takes a "
		"path away again; all go\n"
		"with the container. Nothing is written down anywhere.",
	.examples = "  porthole host mount box /srv/data          at /srv/data inside\n"
		    "  porthole host mount box /var/log:/logs:ro\n"
		    "  porthole host mount box                    what does it have of the host?\n"
		    "  porthole host unmount box /logs\n",
	.opts = options,
	.opts_size = sizeof(struct host_mount_opts),
	.complete = COMPLETE_TARGET,
	.min_args = 1,
	.max_args = 2,
	.run = run,
};

/* porthole unmount: what 'porthole mount' did, undone. */
#include <fcntl.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cmd/users.h"
#include "out/json_print.h"
#include "session/visible.h"

struct unmount_opts {
	bool explain, json, quiet;
};

static int print_json(struct ctx *ctx, const struct visible *v, const struct users *u,
		      struct err *e)
{
	struct out_style style = out_style_of(STDOUT_FILENO, ctx->color);
	_cleanup_json_ json_t *j = NULL;

	j = json_pack("{s:o,s:s,s:i,s:b,s:o,s:o,s:I,s:o}", "target", json_text(v->target->name),
		      "engine", v->target->engine, "pid", (int)v->target->pid, "found", v->there,
		      "path", json_text(v->there ? v->path : NULL), "host_path",
		      json_text(v->there ? v->host_path : NULL), "in_use_by", (json_int_t)u->n,
		      "processes", users_json(u));
	return out_json(stdout, j, &style, e);
}

static int report(struct ctx *ctx, const struct unmount_opts *o, const struct visible *v,
		  const struct users *u, struct err *e)
{
	_cleanup_buf_ struct buf who = {};

	if (ctx->json)
		return print_json(ctx, v, u, e);
	if (o->quiet)
		return 0;
	users_name(u, &who);
	if (!v->there)
		printf("There is no kit in '%s'.\n", v->label);
	else if (o->explain)
		printf("The kit at %s in '%s' would be taken away%s%s%s.\n", v->path, v->label,
		       v->host_path ? ", by unmounting " : "", v->host_path ? v->host_path : "",
		       v->host_path ? " on the host" : "");
	else
		printf("The kit is gone from %s in '%s'.\n", v->path, v->label);
	if (u->n)
		printf("It is %sin use by %s: what %s stays, unseen by others, until %s.\n",
		       o->explain ? "" : "still ", who.data, u->n == 1 ? "it uses" : "they use",
		       u->n == 1 ? "it ends" : "the last of them ends");
	return 0;
}

static int unmount_one(struct ctx *ctx, const struct unmount_opts *o, const char *name,
		       struct err *e)
{
	_cleanup_roots_ struct target_roots roots = {.root_fd = -EBADF, .proc_fd = -EBADF};
	_cleanup_target_ struct target t = TARGET_INIT;
	_cleanup_visible_ struct visible v = VISIBLE_INIT;
	struct err why = {}; /* why one could not be mounted is not asked here */
	struct users u = {};
	int r = target_open(&roots, name, &t, e);

	if (r < 0)
		return r;
	if (!o->explain)
		visible_lock(&t, &v);
	if (visible_look(&t, NULL, &v, &why) < 0 && v.root < 0) {
		*e = why;
		return -e->num;
	}
	if (v.there)
		r = o->explain ? 1 : visible_unmount(&v, e);
	/* every descriptor and map of every process: only where one of them is known to be there */
	if (r > 0 && (!o->quiet || ctx->json))
		r = users_find(roots.proc_fd, &(struct used){.dev = v.fs}, &u, e);
	return r < 0 ? r : report(ctx, o, &v, &u, e);
}

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	const struct unmount_opts *o = opts;
	int r;

	(void)argc;
	if (argv[0][0] != '/')
		return unmount_one(ctx, o, argv[0], e);
	r = visible_unmount_host(argv[0], e);
	if (r == 0 && !o->quiet && !ctx->json)
		printf("The kit is gone from %s on the host.\n", argv[0]);
	return r;
}

static const struct opt options[] = {
	{OPT_FLAG, offsetof(struct unmount_opts, explain), 0, "explain", NULL,
	 "print what would be done, and do nothing", NULL},
	{OPT_FLAG, offsetof(struct unmount_opts, quiet), 'q', "quiet", NULL,
	 "say nothing on success", NULL},
	{OPT_FLAG, offsetof(struct unmount_opts, json), 0, "json", NULL, "print JSON", NULL},
	{},
};

const struct verb verb_unmount = {
	.name = "unmount",
	.args = "TARGET|/PATH",
	.summary = "Take the visible kit away from a container again",
	.details = "Undoes 'porthole mount': mount and mountpoint go, and the container is as it "
		   "was before. A kit\n"
		   "that is in use goes too: nobody sees it any more, and the kernel drops it "
		   "when the last process\n"
		   "that uses it ends; those are named. Without a kit there, nothing is done.\n\n"
		   "/PATH is for a kit on the host itself that was mounted to reach a container "
		   "which is gone.",
	.examples =
		"  porthole unmount web\n"
		"  porthole mount --list         who has one?\n"
		"  porthole unmount /tmp/tools   left on the host of a container that is gone\n",
	.opts = options,
	.opts_size = sizeof(struct unmount_opts),
	.complete = COMPLETE_TARGET,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};

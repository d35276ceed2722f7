/* porthole host unmount: a path of the host's is taken from a container that runs. */
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cmd/users.h"
#include "out/json_print.h"
#include "session/graft.h"

struct host_unmount_opts {
	bool lazy, json, quiet;
};

/* Who uses it, or what is mounted below it. */
static int find_users(int proc_fd, const struct graft *g, const struct mount_row *m,
		      struct users *u, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < g->theirs.n && r == 0; i++) {
		const struct mount_row *row = &g->theirs.v[i];
		const struct used what = {.dev = makedev(row->major, row->minor),
					  .mount = (uint64_t)row->id};

		if (graft_is_below(g, row, m))
			r = users_find(proc_fd, &what, u, e);
	}
	return r;
}

static int busy(const struct graft *g, const struct mount_row *m, const struct users *u,
		struct err *e)
{
	_cleanup_buf_ struct buf who = {};

	users_name(u, &who);
	err_say(e, EBUSY, "%s of '%s' is in use%s%s", m->target, g->label, u->n ? " by " : "",
		u->n && who.data ? who.data : "");
	err_hint(e, "end %s, or take it away with --lazy: who uses it keeps it, unseen",
		 u->n == 1 ? "that one" : "those");
	return -EBUSY;
}

static int report(struct ctx *ctx, const struct host_unmount_opts *o, const struct graft *g,
		  const struct mount_row *m, const struct users *u, struct err *e)
{
	struct out_style style = out_style_of(STDOUT_FILENO, ctx->color);
	_cleanup_free_ char *inside = str_printable_dup(m->target);
	_cleanup_buf_ struct buf who = {};

	if (ctx->json) {
		_cleanup_json_ json_t *j =
			json_pack("{s:o,s:o,s:I,s:o}", "target", json_text(g->t->name), "inside",
				  json_text(m->target), "in_use_by", (json_int_t)u->n, "processes",
				  users_json(u));

		return out_json(stdout, j, &style, e);
	}
	users_name(u, &who);
	if (!o->quiet)
		printf("%s is gone from '%s'%s%s.\n", inside ? inside : "?", g->label,
		       u->n ? "; unseen by others, it is still in use by " : "",
		       u->n && who.data ? who.data : "");
	return 0;
}

static int take_away(struct ctx *ctx, const struct host_unmount_opts *o, int proc_fd,
		     const struct graft *g, const char *path, struct err *e)
{
	const struct mount_row *m;
	struct users u = {};
	int r;

	if (*path != '/') {
		err_say(e, EINVAL,
			"'porthole host unmount' takes an absolute path inside, not '%s'", path);
		return err_exit(e, EXIT_USAGE);
	}
	r = graft_find(g, path, &m, e);
	if (r == 0)
		r = find_users(proc_fd, g, m, &u, e);
	if (r < 0)
		return r;
	if (u.n && !o->lazy)
		return busy(g, m, &u, e);
	r = graft_remove(g, m, o->lazy, e);
	if (r == -EBUSY)
		return busy(g, m, &u, e);
	return r < 0 ? r : report(ctx, o, g, m, &u, e);
}

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	_cleanup_roots_ struct target_roots roots = {.root_fd = -EBADF, .proc_fd = -EBADF};
	_cleanup_target_ struct target t = TARGET_INIT;
	_cleanup_graft_ struct graft g = GRAFT_INIT;
	int r = target_open(&roots, argv[0], &t, e);

	(void)argc;
	if (r == 0)
		r = graft_open(&t, &g, e);
	return r < 0 ? r : take_away(ctx, opts, roots.proc_fd, &g, argv[1], e);
}

static const struct opt options[] = {
	{OPT_FLAG, offsetof(struct host_unmount_opts, lazy), 'l', "lazy", NULL,
	 "also while it is in use: who uses it keeps it, unseen by others", NULL},
	{OPT_FLAG, offsetof(struct host_unmount_opts, quiet), 'q', "quiet", NULL,
	 "say nothing on success", NULL},
	{OPT_FLAG, offsetof(struct host_unmount_opts, json), 0, "json", NULL, "print JSON", NULL},
	{},
};

const struct verb verb_host_unmount = {
	.name = "host unmount",
	.args = "NAME DST",
	.summary = "Take a path of the host away from a container that runs",
	.details =
		"Undoes 'porthole host mount', and takes away any other path of the host that the "
		"container has, with\n"
		"what is mounted below it. One that is in use stays, and who uses it is named. A "
		"directory that was\n"
		"made for it stays too, empty, and goes with the container.",
	.examples = "  porthole host unmount box /logs\n"
		    "  porthole host unmount --lazy box /srv/data\n"
		    "  porthole host mount box                    what is left?\n",
	.opts = options,
	.opts_size = sizeof(struct host_unmount_opts),
	.complete = COMPLETE_TARGET,
	.min_args = 2,
	.max_args = 2,
	.run = run,
};

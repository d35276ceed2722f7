/* porthole mount: the kit in the container itself, for all its processes. */
#include <unistd.h>

#include "cli/cli.h"
#include "out/json_print.h"
#include "out/table.h"
#include "session/visible.h"

struct mount_opts {
	bool list, explain, json, quiet;
	const char *kit;
};

static const char *way_name(enum visible_way way)
{
	return way == VISIBLE_DIRECT ? "direct" : "propagated";
}

static json_t *place_json(const struct target *t, const struct visible *v)
{
	return json_pack("{s:o,s:s,s:i,s:o,s:s,s:o}", "target", json_text(t->name), "engine",
			 t->engine, "pid", (int)t->pid, "path", json_text(v->path), "way",
			 way_name(v->way), "host_path", json_text(v->host_path));
}

/* --- mount --list --- */

static const struct column columns[] = {
	{.name = "TARGET", .flags = COL_SHRINK},
	{.name = "ENGINE"},
	{.name = "PID", .flags = COL_RIGHT},
	{.name = "PATH"},
	{.name = "TYPE"},
	{.name = "ON THE HOST", .flags = COL_HIDE},
};

static int add_row(struct table *t, json_t *all, const struct targets *l, size_t i,
		   const struct visible *v)
{
	_cleanup_free_ char *label = target_label(l, i);
	json_t *j = place_json(&l->v[i], v);

	if (!label || !j)
		return -ENOMEM;
	table_add(t, OUT_PLAIN, label);
	table_add(t, OUT_PLAIN, l->v[i].engine);
	table_addf(t, OUT_PLAIN, "%d", (int)l->v[i].pid);
	table_add(t, OUT_PLAIN, v->path);
	table_add(t, OUT_PLAIN, v->fstype);
	table_add(t, OUT_PLAIN, v->host_path);
	json_object_set_new(j, "type", json_string(v->fstype));
	return json_array_append_new(all, j) < 0 ? -ENOMEM : 0;
}

static int list(struct ctx *ctx, struct err *e)
{
	struct out_style style = out_style_of(STDOUT_FILENO, ctx->color);
	_cleanup_roots_ struct target_roots roots = {.root_fd = -EBADF, .proc_fd = -EBADF};
	_cleanup_targets_ struct targets l = {};
	_cleanup_table_ struct table table = TABLE_INIT(columns);
	_cleanup_json_ json_t *all = json_array();
	int r = target_roots_open(&roots, e);

	if (r == 0)
		r = target_list(&roots, false, &l, NULL, e);
	for (size_t i = 0; i < l.n && r == 0; i++) {
		_cleanup_visible_ struct visible v = VISIBLE_INIT;
		struct err why = {};

		/* what goes meanwhile, or may not be read, has no kit to tell of */
		if (target_pin(&roots, &l.v[i], &why) == 0)
			visible_look(&l.v[i], NULL, &v, &why);
		if (v.there && add_row(&table, all, &l, i, &v) < 0)
			r = err_set(e, ENOMEM, "listing the kits");
	}
	if (r < 0)
		return r;
	return ctx->json ? out_json(stdout, all, &style, e)
			 : table_print(stdout, &table, &style, e);
}

/* --- mount TARGET --- */

static int explain(struct ctx *ctx, const char *name, const struct visible *v, const struct kit *k,
		   struct err *e)
{
	struct out_style style = out_style_of(STDOUT_FILENO, ctx->color);

	if (ctx->json) {
		_cleanup_json_ json_t *j = place_json(v->target, v);

		json_object_set_new(j, "kit", json_text(k->path));
		json_object_set_new(j, "already", json_boolean(v->there));
		json_object_set_new(j, "idmapped", json_boolean(v->own_userns));
		return out_json(stdout, j, &style, e);
	}
	printf("target       %s %s (pid %d)\n", v->target->engine, v->label, (int)v->target->pid);
	printf("kit          %s\n", k->path);
	if (v->there)
		printf("already      mounted at %s: nothing would be done\n", v->path);
	else if (v->way == VISIBLE_PROPAGATED)
		printf("how          mounted at %s on the host, from where it reaches %s in the "
		       "target\n",
		       v->host_path, v->path);
	else
		printf("how          a directory " KIT_PREFIX
		       " is made in the target, and the kit mounted on it in the target's own\n"
		       "             mount namespace\n");
	if (v->link && !v->there)
		printf("link         " KIT_PREFIX " becomes a link to it\n");
	printf("who sees it  every process of the target, and what 'docker exec' and its like "
	       "start there\n"
	       "rights       read-only, no set-id programs, no devices\n"
	       "owner        root%s\n"
	       "afterwards   'porthole unmount %s' takes all of it away\n",
	       v->own_userns ? " of the target's user namespace" : "", name);
	return 0;
}

static int report(struct ctx *ctx, const struct mount_opts *o, const char *name,
		  const struct visible *v, const char *rung, struct err *e)
{
	struct out_style style = out_style_of(STDOUT_FILENO, ctx->color);

	if (ctx->json) {
		_cleanup_json_ json_t *j = place_json(v->target, v);

		json_object_set_new(j, "already", json_boolean(v->there));
		json_object_set_new(j, "rung", json_text(rung));
		return out_json(stdout, j, &style, e);
	}
	if (o->quiet)
		return 0;
	if (v->there)
		printf("The kit is at %s in '%s' already.\n", v->path, v->label);
	else
		printf("The kit is at %s in '%s' now, for every process there, such as " KIT_BIN
		       "/bash.\n"
		       "'porthole unmount %s' takes it away.\n",
		       v->path, v->label, name);
	return 0;
}

static int mount_one(struct ctx *ctx, const struct mount_opts *o, const char *name,
		     const char *path, struct err *e)
{
	_cleanup_roots_ struct target_roots roots = {.root_fd = -EBADF, .proc_fd = -EBADF};
	_cleanup_target_ struct target t = TARGET_INIT;
	_cleanup_visible_ struct visible v = VISIBLE_INIT;
	_cleanup_kit_ struct kit k = KIT_INIT;
	enum kit_rung rung = KIT_RUNG_FILE;
	char safe[256];
	int r = target_open(&roots, name, &t, e);

	str_printable(name, strlen(name), safe, sizeof(safe));
	if (r == 0 && !o->explain)
		visible_lock(&t, &v);
	if (r == 0)
		r = visible_look(&t, path, &v, e);
	if (r == 0)
		r = kit_find(o->kit, &k, e);
	if (r == 0 && k.kind == KIT_NONE)
		r = err_say(
			e, EINVAL,
			"'porthole mount' needs a kit: there is nothing to mount with --kit none");
	if (r < 0)
		return r;
	k.label = KIT_LABEL;
	if (o->explain)
		return explain(ctx, safe, &v, &k, e);
	if (!v.there)
		r = visible_mount(&v, &k, &rung, e);
	return r < 0 ? r : report(ctx, o, safe, &v, v.there ? NULL : kit_rung_name(rung), e);
}

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	const struct mount_opts *o = opts;

	if (o->list == !!argc) {
		err_say(e, EINVAL, "'porthole mount' takes a target, or --list");
		return err_exit(e, EXIT_USAGE);
	}
	return o->list ? list(ctx, e) : mount_one(ctx, o, argv[0], argc > 1 ? argv[1] : NULL, e);
}

static const struct opt options[] = {
	{OPT_FLAG, offsetof(struct mount_opts, list), 'l', "list", NULL,
	 "list the targets that have a kit", NULL},
	{OPT_STR, offsetof(struct mount_opts, kit), 0, "kit", "FILE|DIR", "mount this kit of tools",
	 NULL},
	{OPT_FLAG, offsetof(struct mount_opts, explain), 0, "explain", NULL,
	 "print what would be done, and do nothing", NULL},
	{OPT_FLAG, offsetof(struct mount_opts, quiet), 'q', "quiet", NULL, "say nothing on success",
	 NULL},
	{OPT_FLAG, offsetof(struct mount_opts, json), 0, "json", NULL, "print JSON", NULL},
	{},
};

const struct verb verb_mount = {
	.name = "mount",
	.args = "TARGET [PATH]",
	.summary = "Make the kit of tools visible in a running container itself",
	.details = "Mounts the kit at " KIT_PREFIX
		   " in the container's own mount namespace, read-only: every process there\n"
		   "can use it, and so can what 'docker exec', 'podman exec' and their like start. "
		   "'porthole exec' needs\n"
		   "none of this: its kit is seen by the session alone.\n\n"
		   "In a container with a user namespace the files belong to its root. 'porthole "
		   "unmount' takes the kit\n"
		   "away without a trace; it also goes when the container ends. Nothing is written "
		   "down anywhere: --list\n"
		   "looks at the containers' mount tables.\n\n"
		   "A kit works at " KIT_PREFIX
		   " only. PATH may be a mount of the container's that receives from the host\n"
		   "('docker run -v /tmp/tools:/tools:rslave ...'): the kit is then mounted on the "
		   "host, reaches the container\n"
		   "there, and " KIT_PREFIX " becomes a link to it.",
	.examples = "  porthole mount web                  make the kit visible in 'web'\n"
		    "  docker exec -it web /dev/p/b/bash   use it without Porthole\n"
		    "  porthole mount --list               who has one?\n"
		    "  porthole unmount web                take it away\n"
		    "  porthole mount --explain web        what would be done\n",
	.opts = options,
	.opts_size = sizeof(struct mount_opts),
	.complete = COMPLETE_TARGET,
	.min_args = 0,
	.max_args = 2,
	.run = run,
};

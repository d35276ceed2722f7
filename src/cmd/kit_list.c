#include "cli/cli.h"
#include "kit/contents.h"
#include "out/human.h"
#include "out/json_print.h"
#include "out/table.h"

#include <unistd.h>

struct kit_list_opts {
	bool packages, json;
};

/* {"program": package} of every package's programs; both borrowed from the manifest. */
static json_t *owners(json_t *manifest)
{
	json_t *map = json_object(), *pkg, *name;
	size_t i, j;

	json_array_foreach (json_object_get(manifest, "packages"), i, pkg) {
		json_array_foreach (json_object_get(pkg, "programs"), j, name) {
			if (json_is_string(name))
				json_object_set(map, json_string_value(name), pkg);
		}
	}
	return map;
}

/* The package a program is of; that of the program it is a link to, where the builder made the link
 * (awk, which: Debian's alternatives). NULL: not known. */
static json_t *owner(const struct kit *k, json_t *map, const char *name)
{
	_cleanup_free_ char *link = NULL;
	json_t *pkg = json_object_get(map, name);

	if (!pkg && kit_program_link(k, name, &link, NULL) == 0 && link)
		pkg = json_object_get(map, link);
	return pkg;
}

static int list_programs(struct ctx *ctx, const struct kit *k, json_t *manifest, struct err *e)
{
	static const struct column cols[] = {{.name = "PROGRAM"},
					     {.name = "PACKAGE", .flags = COL_HIDE},
					     {.name = "VERSION", .flags = COL_HIDE}};
	_cleanup_table_ struct table t = TABLE_INIT(cols);
	_cleanup_json_ json_t *map = owners(manifest), *list = json_array();
	struct out_style style = out_style_of(STDOUT_FILENO, ctx->color);
	_cleanup_strv_ struct strv names = {};
	int r = kit_programs(k, &names, e);

	for (size_t i = 0; r == 0 && i < names.n; i++) {
		json_t *pkg = owner(k, map, names.v[i]);
		const char *package = json_str(pkg, "name", NULL);
		const char *version = json_str(pkg, "version", NULL);

		if (ctx->json) {
			json_array_append_new(list, json_pack("{s:o, s:o, s:o}", "name",
							      json_text(names.v[i]), "package",
							      json_text(package), "version",
							      json_text(version)));
			continue;
		}
		table_add(&t, OUT_BOLD, names.v[i]);
		table_add(&t, OUT_PLAIN, package);
		table_add(&t, OUT_DIM, version);
	}
	if (r < 0)
		return r;
	if (ctx->json)
		return out_json(stdout, list, &style, e);
	return table_print(stdout, &t, &style, e);
}

static int list_packages(struct ctx *ctx, json_t *manifest, struct err *e)
{
	static const struct column cols[] = {{.name = "PACKAGE"},
					     {.name = "VERSION"},
					     {.name = "ARCH"},
					     {.name = "WHY"},
					     {.name = "FILES", .flags = COL_RIGHT},
					     {.name = "SIZE", .flags = COL_RIGHT}};
	_cleanup_table_ struct table t = TABLE_INIT(cols);
	struct out_style style = out_style_of(STDOUT_FILENO, ctx->color);
	json_t *pkg, *list = json_object_get(manifest, "packages");
	_cleanup_json_ json_t *none = json_array();
	char size[HUMAN_MAX];
	size_t i;

	if (ctx->json)
		return out_json(stdout, list ? list : none, &style, e);
	json_array_foreach (list, i, pkg) {
		int64_t bytes = json_int(pkg, "bytes", 0);

		table_add(&t, OUT_BOLD, json_str(pkg, "name", ""));
		table_add(&t, OUT_PLAIN, json_str(pkg, "version", ""));
		table_add(&t, OUT_DIM, json_str(pkg, "arch", ""));
		table_add(&t, OUT_DIM, json_bool(pkg, "asked", false) ? "asked for" : "needed");
		table_addf(&t, OUT_PLAIN, "%lld", (long long)json_int(pkg, "files", 0));
		table_add(&t, OUT_PLAIN, human_size(bytes > 0 ? (uint64_t)bytes : 0, size));
	}
	return table_print(stdout, &t, &style, e);
}

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	struct kit_list_opts *o = opts;
	_cleanup_json_ json_t *manifest = NULL;
	_cleanup_kit_ struct kit k = KIT_INIT;
	int r = kit_find(argc ? argv[0] : NULL, &k, e);

	if (r == 0)
		r = kit_manifest(&k, &manifest, e);
	if (r < 0)
		return r;
	return o->packages ? list_packages(ctx, manifest, e) : list_programs(ctx, &k, manifest, e);
}

static const struct opt options[] = {
	{OPT_FLAG, offsetof(struct kit_list_opts, packages), 'p', "packages", NULL,
	 "list the packages it was made from instead", NULL},
	{OPT_FLAG, offsetof(struct kit_list_opts, json), 0, "json", NULL, "print JSON", NULL},
	{},
};

const struct verb verb_kit_list = {
	.name = "kit list",
	.args = "[KIT]",
	.summary = "List the programs of a kit",
	.details = "KIT is an image, an executable that carries one, or a directory; without it, "
		   "the kit\n"
		   "that 'porthole exec' would take. Needs no root: nothing is mounted.",
	.examples = "  porthole kit list\n"
		    "  porthole kit list --packages kit.erofs\n",
	.opts = options,
	.opts_size = sizeof(struct kit_list_opts),
	.complete = COMPLETE_FILE,
	.max_args = 1,
	.run = run,
};

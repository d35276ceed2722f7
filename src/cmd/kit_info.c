#include "cli/cli.h"
#include "kit/contents.h"
#include "out/human.h"
#include "out/json_print.h"
#include "out/table.h"

#include <unistd.h>

struct kit_info_opts {
	bool json;
};

/* What both outputs are made of. */
struct info {
	struct kit kit;
	json_t *manifest;
	struct erofs_super super;
	struct kit_probe probe;
};

static void info_done(struct info *i)
{
	kit_done(&i->kit);
	json_decref(i->manifest);
}

static int gather(const char *spec, struct info *i, struct err *e)
{
	int r = kit_find(spec, &i->kit, e);

	if (r == 0)
		r = kit_manifest(&i->kit, &i->manifest, e);
	if (r == 0)
		r = kit_super(&i->kit, &i->super, e);
	if (r == 0)
		kit_probe(&i->kit, &i->probe);
	return r;
}

static const char *compression(const struct info *i)
{
	if (i->kit.kind == KIT_DIR)
		return "none";
	return !i->super.lz4  ? "none"
	       : i->super.big ? "lz4, large clusters"
			      : "lz4, 4 KiB clusters";
}

static const char *rung_words(enum kit_rung r)
{
	static const char *const words[] = {
		[KIT_RUNG_FILE] = "straight from the file",
		[KIT_RUNG_LOOP] = "through a loop device",
		[KIT_RUNG_UNPACK] = "unpacked into memory, once a session",
		[KIT_RUNG_DIR] = "as a clone of the directory",
	};

	return words[r];
}

static json_t *mount_json(const struct kit_probe *p)
{
	_cleanup_json_ json_t *refused = json_array();

	for (size_t n = 0; n < p->n; n++)
		json_array_append_new(refused, json_pack("{s:s, s:o, s:i}", "rung",
							 kit_rung_name(p->refused[n].rung), "why",
							 json_text(p->refused[n].why), "errno",
							 p->refused[n].num));
	return json_pack("{s:s, s:b, s:O}", "rung", kit_rung_name(p->rung), "tried", p->tried,
			 "refused", refused);
}

static int print_json(struct ctx *ctx, const struct info *i, struct err *e)
{
	struct out_style style = out_style_of(STDOUT_FILENO, ctx->color);
	_cleanup_json_ json_t *j = json_pack(
		"{s:o, s:s, s:I, s:I, s:b, s:s, s:o, s:O}", "path", json_text(i->kit.path), "kind",
		i->kit.kind == KIT_DIR ? "directory" : "image", "size", (json_int_t)i->kit.size,
		"offset", (json_int_t)i->kit.offset, "appended", i->kit.offset > 0, "compression",
		compression(i), "mount", mount_json(&i->probe), "manifest", i->manifest);

	return out_json(stdout, j, &style, e);
}

/* "debian 12, amd64, built by Porthole 0.1.0" */
static void print_origin(struct table *t, json_t *m)
{
	_cleanup_buf_ struct buf b = {};
	const char *const parts[] = {json_str(m, "distribution", NULL), json_str(m, "arch", NULL)};

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (parts[i])
			buf_printf(&b, "%s%s", b.len ? ", " : "", parts[i]);
	if (json_str(m, "porthole", NULL))
		buf_printf(&b, "%sbuilt by Porthole %s", b.len ? ", " : "",
			   json_str(m, "porthole", ""));
	table_add(t, OUT_BOLD, "made from");
	table_add(t, OUT_PLAIN, b.len ? b.data : "unknown: it has no manifest");
}

static void print_numbers(struct table *t, json_t *m)
{
	int64_t bytes = json_int(m, "bytes", -1);
	size_t packages = json_array_size(json_object_get(m, "packages"));
	char size[HUMAN_MAX];

	if (bytes < 0)
		return;
	table_add(t, OUT_BOLD, "holds");
	table_addf(t, OUT_PLAIN, "%lld programs of %zu packages: %lld files, %s",
		   (long long)json_int(m, "programs", 0), packages,
		   (long long)json_int(m, "files", 0), human_size((uint64_t)bytes, size));
}

static void print_mount(struct table *t, const struct kit_probe *p)
{
	table_add(t, OUT_BOLD, "mounts");
	table_addf(t, OUT_PLAIN, "%s (rung '%s'%s)", rung_words(p->rung), kit_rung_name(p->rung),
		   p->tried || p->rung == KIT_RUNG_DIR ? "" : ", expected: only root can try");
	for (size_t n = 0; n < p->n; n++) {
		table_add(t, OUT_PLAIN, "");
		table_addf(t, OUT_DIM, "not by rung '%s': %s", kit_rung_name(p->refused[n].rung),
			   p->refused[n].why);
	}
}

static void add_packages(struct table *t, json_t *m)
{
	json_t *pkg;
	size_t n;

	json_array_foreach (json_object_get(m, "packages"), n, pkg) {
		table_add(t, OUT_PLAIN, json_str(pkg, "name", ""));
		table_add(t, OUT_DIM, json_str(pkg, "version", ""));
	}
}

static int print_text(struct ctx *ctx, const struct info *i, struct err *e)
{
	static const struct column pair[] = {{}, {}};
	static const struct column packages[] = {{.name = "PACKAGE"}, {.name = "VERSION"}};
	_cleanup_table_ struct table t = TABLE_INIT(pair), p = TABLE_INIT(packages);
	struct out_style style = out_style_of(STDOUT_FILENO, ctx->color);
	char size[HUMAN_MAX];
	int r;

	table_add(&t, OUT_BOLD, "kit");
	table_add(&t, OUT_PLAIN, i->kit.path);
	if (i->kit.kind == KIT_IMAGE) {
		table_add(&t, OUT_BOLD, "size");
		table_addf(&t, OUT_PLAIN, "%s (%llu bytes)%s", human_size(i->kit.size, size),
			   (unsigned long long)i->kit.size,
			   i->kit.offset ? ", appended to the executable" : "");
		if (i->kit.offset) {
			table_add(&t, OUT_BOLD, "offset");
			table_addf(&t, OUT_PLAIN, "%llu", (unsigned long long)i->kit.offset);
		}
		table_add(&t, OUT_BOLD, "packed");
		table_addf(&t, OUT_PLAIN, "EROFS, compression %s", compression(i));
	}
	print_origin(&t, i->manifest);
	print_numbers(&t, i->manifest);
	print_mount(&t, &i->probe);
	add_packages(&p, i->manifest);
	r = table_print(stdout, &t, &style, e);
	if (r == 0 && p.n_cells) {
		putchar('\n');
		r = table_print(stdout, &p, &style, e);
	}
	return r;
}

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	_cleanup_(info_done) struct info i = {.kit = KIT_INIT};
	int r;

	(void)opts;
	r = gather(argc ? argv[0] : NULL, &i, e);
	if (r < 0)
		return r;
	r = ctx->json ? print_json(ctx, &i, e) : print_text(ctx, &i, e);
	return r < 0 ? r : kit_verify(&i.kit, true, e);
}

static const struct opt options[] = {
	{OPT_FLAG, offsetof(struct kit_info_opts, json), 0, "json", NULL, "print JSON", NULL},
	{},
};

const struct verb verb_kit_info = {
	.name = "kit info",
	.args = "[KIT]",
	.summary = "Tell what a kit is, what is in it, and how it would be mounted here",
	.details = "KIT is an image, an executable that carries one, or a directory; without it, "
		   "the kit\n"
		   "that 'porthole exec' would take. As root, every way of mounting is really "
		   "tried, out of\n"
		   "everybody's sight; without root it says which one this kernel is expected to "
		   "take.",
	.examples = "  porthole kit info\n"
		    "  porthole kit info --json kit.erofs\n",
	.opts = options,
	.opts_size = sizeof(struct kit_info_opts),
	.complete = COMPLETE_FILE,
	.max_args = 1,
	.run = run,
};

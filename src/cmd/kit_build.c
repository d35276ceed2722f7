#include <fcntl.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "cli/cli.h"
#include "kit/build.h"
#include "out/human.h"
#include "out/json_print.h"

struct kit_build_opts {
	const char *out, *list;
	bool dir, quiet, json;
};

/* One line on a terminal, rewritten as the work goes on. */
struct line {
	bool on;
	double start;
	const char *what;
	size_t done;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void show(void *arg, const char *what, size_t done, size_t total)
{
	struct line *l = arg;

	if (!l->on)
		return;
	fprintf(stderr, "\r\033[K%5.1f s  %s", now() - l->start, what);
	if (total)
		fprintf(stderr, " (%zu of %zu)", done, total);
	fflush(stderr);
}

static int load(const struct kit_build_opts *o, int argc, char **argv, struct rules *r,
		struct err *e)
{
	int k = rules_parse(r, "kits/rules.list", rules_text_base, e);

	if (k == 0 && o->list) {
		_cleanup_free_ char *text = NULL;
		size_t len = 0;

		k = file_read_at(AT_FDCWD, o->list, RULES_FILE_MAX, &text, &len);
		if (k < 0)
			return err_set(e, k, "cannot read the list %s", o->list);
		if (strlen(text) != len)
			return err_say(e, EINVAL, "%s is no list: it holds a NUL byte", o->list);
		k = rules_parse(r, o->list, text, e);
	}
	if (k == 0 && !o->list && argc == 0)
		k = rules_parse(r, "kits/default.list", rules_text_default, e);
	for (int i = 0; k == 0 && i < argc; i++) {
		if (!rules_is_package(argv[i]))
			return err_say(e, EINVAL, "'%s' cannot be the name of a package", argv[i]);
		if (!strv_has(&r->packages, argv[i]) && strv_add(&r->packages, argv[i]) < 0)
			return err_set(e, ENOMEM, "%s", argv[i]);
	}
	if (k == 0 && r->packages.n == 0)
		return err_say(e, EINVAL, "%s names no package", o->list);
	return k;
}

static int print_json(const char *out, const struct kit_built *b, double seconds, struct err *e)
{
	_cleanup_json_ json_t *j = NULL;
	json_t *missing = json_array();
	const struct relocate_stats *s = &b->stats;

	for (size_t i = 0; i < b->missing.n; i++)
		json_array_append_new(missing, json_text(b->missing.v[i]));
	j = json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:o}", "kit",
		      json_text(out), "packages", (json_int_t)b->packages, "asked",
		      (json_int_t)b->asked, "files", (json_int_t)b->count.files, "bytes",
		      (json_int_t)b->count.bytes, "programs", (json_int_t)b->count.programs,
		      "elf_patched", (json_int_t)s->patched, "strings",
		      (json_int_t)(s->elf.strings + s->elf.moved), "stuck",
		      (json_int_t)s->elf.stuck, "scripts", (json_int_t)s->scripts, "size",
		      (json_int_t)b->size, "seconds", seconds, "missing_libraries", missing);
	return out_json(stdout, j, &(struct out_style){}, e);
}

static void print_text(const char *out, const struct kit_built *b, double seconds)
{
	const struct relocate_stats *s = &b->stats;
	char size[HUMAN_MAX], bytes[HUMAN_MAX];

	printf("%s: %s, %zu packages (%zu asked for), built in %.1f s\n", out,
	       human_size(b->size, size), b->packages, b->asked, seconds);
	printf("  %llu files, %s unpacked, %llu programs\n", (unsigned long long)b->count.files,
	       human_size(b->count.bytes, bytes), (unsigned long long)b->count.programs);
	printf("  patched: %zu of %zu ELF files (%zu strings in place, %zu moved), %zu scripts\n",
	       s->patched, s->elfs, s->elf.strings, s->elf.moved, s->scripts);
}

/* What needs them will not start; the rest of the kit is as it should be. */
static void warn_missing(const struct kit_built *b)
{
	for (size_t i = 0; i < b->missing.n; i++) {
		_cleanup_free_ char *name = str_printable_dup(b->missing.v[i]);

		fprintf(stderr,
			"porthole: warning: something in the kit needs the library %s, which no "
			"package brought\n",
			name ? name : "?");
	}
	if (b->missing.n)
		fputs("          'porthole kit check' names the programs; add the package to the "
		      "list\n",
		      stderr);
}

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	struct kit_build_opts *o = opts;
	const char *out = o->out ? o->out : "kit.erofs";
	size_t n = strlen(out);
	struct line l = {.on = isatty(STDERR_FILENO) && !o->quiet && !ctx->json, .start = now()};
	_cleanup_rules_ struct rules rules = {};
	_cleanup_built_ struct kit_built built = {};
	struct kit_build b = {
		.out = out,
		.dir = o->dir || (n > 1 && out[n - 1] == '/'),
		.rules = &rules,
		.progress = {show, &l},
	};
	int r = load(o, argc, argv, &rules, e);

	if (r < 0)
		return r;
	r = kit_build(&b, &built, e);
	if (l.on)
		fprintf(stderr, "\r\033[K");
	if (r < 0)
		return r;
	warn_missing(&built);
	if (ctx->json)
		return print_json(out, &built, now() - l.start, e);
	if (!o->quiet)
		print_text(out, &built, now() - l.start);
	return 0;
}

static const struct opt options[] = {
	{OPT_STR, offsetof(struct kit_build_opts, out), 'o', "output", "FILE",
	 "where to put it (kit.erofs); with a slash at the end: leave it unpacked there", NULL},
	{OPT_FLAG, offsetof(struct kit_build_opts, dir), 0, "dir", NULL,
	 "leave it unpacked in a directory", NULL},
	{OPT_STR, offsetof(struct kit_build_opts, list), 0, "list", "FILE",
	 "packages and directives, one a line (instead of the default list)", NULL},
	{OPT_FLAG, offsetof(struct kit_build_opts, quiet), 'q', "quiet", NULL,
	 "print nothing but errors", NULL},
	{OPT_FLAG, offsetof(struct kit_build_opts, json), 0, "json", NULL, "print JSON", NULL},
	{},
};

const struct verb verb_kit_build = {
	.name = "kit build",
	.args = "[PACKAGE...]",
	.summary = "Make a kit of Debian packages",
	.details = "Takes the packages named (and what they depend on) from this machine's apt "
		   "sources, unpacks them without installing anything, makes them work at /dev/p "
		   "and packs them into one EROFS image. Needs apt, dpkg-deb and mkfs.erofs; no "
		   "root. Downloads are kept in ~/.cache/porthole/debs. Without PACKAGE and --list "
		   "the default kit is built.",
	.examples = "  porthole kit build\n"
		    "  porthole kit build -o small.erofs bash coreutils strace\n"
		    "  porthole kit build --list mine.list -o kit/\n",
	.opts = options,
	.opts_size = sizeof(struct kit_build_opts),
	.max_args = -1,
	.run = run,
};

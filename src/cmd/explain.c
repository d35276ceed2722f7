/* porthole explain: what a command line gives a container, in plain words. */
#include <sched.h>
#include <unistd.h>

#include "cli/cli.h"
#include "base/fd.h"
#include "cmd/explain_image.h"
#include "out/json_print.h"
#include "profile/meaning.h"

struct explain_opts {
	bool json;
};

static const struct {
	const char *title, *key;
} kinds[] = {
	[MEANS_ROOT] = {"It can become root of the host", "root"},
	[MEANS_GONE] = {"Isolation that is gone", "gone"},
	[MEANS_READ] = {"What it can read of the host", "read"},
	[MEANS_WRITE] = {"What it can write", "write"},
	[MEANS_DO] = {"What it can do to the host", "do"},
	[MEANS_KEPT] = {"What holds", "kept"},
	[MEANS_NOTE] = {"Also", "note"},
};

/* What a line is made of, and what it means. */
struct page {
	struct words words;
	struct strv labels; /* of the image that was named */
	struct grants g;
	struct meanings m;
	struct profile enough;
	bool has_enough;
};

static void page_done(struct page *p)
{
	words_done(&p->words);
	strv_done(&p->labels);
	grants_done(&p->g);
	meanings_done(&p->m);
	profile_done(&p->enough);
}

static void print_bullet(const struct out_style *style, const char *raw)
{
	_cleanup_free_ char *text = str_printable_dup(raw);

	fputs("  - ", stdout);
	out_para(stdout, style, 4, 4, text ? text : "?");
}

static void print_kind(const struct out_style *style, const struct page *p, enum meaning_kind kind)
{
	bool titled = false;

	for (size_t i = 0; i < p->m.n; i++) {
		if (p->m.v[i].kind != kind)
			continue;
		if (!titled)
			printf("%s%s%s\n", out_on(style->color, kind ? OUT_BOLD : OUT_RED),
			       kinds[kind].title, out_off(style->color, OUT_BOLD));
		titled = true;
		print_bullet(style, p->m.v[i].text);
	}
	if (titled)
		putchar('\n');
}

static void print_line(const struct out_style *style, const struct page *p)
{
	_cleanup_buf_ struct buf b = {};

	for (size_t i = 0; i < p->words.expansions.n; i++)
		buf_printf(&b, "%s%s", i ? ", " : "", p->words.expansions.v[i]);
	if (b.len) {
		buf_puts(&b, " of the line: left as written, nothing is evaluated.");
		print_bullet(style, b.data);
	}
	if (!p->g.image && (p->g.tool == TOOL_DOCKER || p->g.tool == TOOL_PODMAN))
		print_bullet(style, "No image is named: the line is not whole.");
	if (p->words.rest) {
		_cleanup_free_ char *rest =
			str_fmt("Not looked at: what follows the command (%.60s).", p->words.rest);

		print_bullet(style, rest ? rest : "?");
	}
}

/* The image's labels: the one that is explained, and those that are not. */
static void print_labels(const struct out_style *style, const struct page *p)
{
	for (size_t i = 0; i < p->labels.n; i++) {
		_cleanup_free_ char *text = str_printable_dup(p->labels.v[i]);
		int n = text ? (int)strcspn(text, "=") : 0;

		printf("%sLabel %.*s%s%s\n  %s\n\n", out_on(style->color, OUT_BOLD), n,
		       text ? text : "?", i ? " (not explained here)" : "",
		       out_off(style->color, OUT_BOLD), text ? text + n + 1 : "?");
	}
}

static void print_page(const struct out_style *style, const struct page *p)
{
	print_labels(style, p);
	for (size_t kind = 0; kind < ARRAY_LEN(kinds); kind++)
		print_kind(style, p, (enum meaning_kind)kind);
	print_line(style, p);
	if (p->has_enough) {
		printf("%sLess may do%s\n", out_on(style->color, OUT_BOLD),
		       out_off(style->color, OUT_BOLD));
		printf("  The profile '%s' (%s) has the same namespaces and paths with fewer "
		       "rights:\n  porthole profile show %s\n",
		       p->enough.name, p->enough.summary, p->enough.name);
	}
}

static json_t *mounts_json(const struct grants *g)
{
	json_t *all = json_array();

	for (size_t i = 0; i < g->n_mounts; i++)
		json_array_append_new(all,
				      json_pack("{s:o,s:o,s:b,s:b,s:o,s:b}", "host",
						json_text(g->mounts[i].host), "inside",
						json_text(g->mounts[i].inside), "read_only",
						g->mounts[i].ro, "recursive", g->mounts[i].deep_ro,
						"propagation", json_text(g->mounts[i].propagation),
						"volume", g->mounts[i].volume));
	return all;
}

static json_t *labels_json(const struct strv *labels)
{
	json_t *all = labels->n ? json_object() : json_null();

	for (size_t i = 0; i < labels->n; i++) {
		const char *eq = strchr(labels->v[i], '=');

		json_object_setn_new(all, labels->v[i], (size_t)(eq - labels->v[i]),
				     json_text(eq + 1));
	}
	return all;
}

static int print_json(const struct out_style *style, const struct page *p, struct err *e)
{
	_cleanup_json_ json_t *j = NULL;
	json_t *all = json_array();

	for (size_t i = 0; i < p->m.n; i++)
		json_array_append_new(all, json_pack("{s:s,s:s,s:o}", "id", p->m.v[i].id, "kind",
						     kinds[p->m.v[i].kind].key, "text",
						     json_text(p->m.v[i].text)));
	j = json_pack("{s:o,s:o,s:b,s:o,s:o,s:o}", "labels", labels_json(&p->labels), "image",
		      json_text(p->g.image), "privileged", p->g.privileged, "mounts",
		      mounts_json(&p->g), "means", all, "enough",
		      json_text(p->has_enough ? p->enough.name : NULL));
	return out_json(stdout, j, style, e);
}

/* A whole line in one word, the words of a line, or "-": standard input. */
static int read_words(int argc, char **argv, struct words *out, struct err *e)
{
	_cleanup_free_ char *text = NULL;

	*out = (struct words){};
	if (argc == 1 && str_eq(argv[0], "-")) {
		int r = fd_read_all(STDIN_FILENO, WORDS_LINE_MAX, &text, NULL);

		return r < 0 ? err_set(e, -r, "reading the line from standard input")
			     : words_split(words_after_prompt(text), out, e);
	}
	if (argc == 1)
		return words_split(words_after_prompt(argv[0]), out, e);
	for (int i = 0; i < argc; i++)
		if (strv_add(&out->w, argv[i]) < 0)
			return err_set(e, ENOMEM, "reading the line");
	return 0;
}

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	struct out_style style = out_style_of(STDOUT_FILENO, ctx->color);
	_cleanup_(page_done) struct page p = {};
	bool image = argc == 1 && str_starts(argv[0], "image://");
	int r = image ? explain_image(argv[0], &p.words, &p.labels, e)
		      : read_words(argc, argv, &p.words, e);

	(void)opts;
	if (r == 0)
		r = grants_of_line(&p.words.w, &p.g, e);
	if (r == 0 && meanings_of(&p.g, &p.m) < 0)
		r = err_set(e, ENOMEM, "explaining the line");
	if (r < 0)
		return r == -EINVAL && !image ? err_exit(e, EXIT_USAGE) : r;
	p.has_enough = meaning_enough(&p.g, &p.enough);
	if (ctx->json)
		return print_json(&style, &p, e);
	print_page(&style, &p);
	return 0;
}

static const struct opt options[] = {
	{OPT_FLAG, offsetof(struct explain_opts, json), 0, "json", NULL, "print JSON", NULL},
	{},
};

const struct verb verb_explain = {
	.name = "explain",
	.args = "LINE|image://NAME",
	.summary = "Say what a docker, podman, nspawn or bwrap line gives a container",
	.details =
		"Reads a line that starts a container (docker run, podman run, systemd-nspawn, "
		"bwrap; or the RUN\n"
		"label of an image) and says in plain words what it gives: which isolation is "
		"gone, "
		"what can be\n"
		"read, written and done to the host, what still holds, and which profile would do "
		"with less.\n"
		"Nothing is run or evaluated: $(...) and $NAME stay as they are written. The line "
		"is one word in\n"
		"quotes, the words themselves, or - for standard input; image://NAME stands for "
		"the "
		"RUN label of an image\n"
		"that an engine has.",
	.examples = "  porthole explain 'docker run --privileged -v /:/host admin-tools'\n"
		    "  porthole explain docker run --pid host --net host -v /:/host:ro agent\n"
		    "  porthole explain image://rhel7/rsyslog         its RUN label\n"
		    "  grep 'docker run' README | porthole explain -\n",
	.opts = options,
	.opts_size = sizeof(struct explain_opts),
	.flags = VERB_STOP_AT_ARG,
	.min_args = 1,
	.max_args = -1,
	.run = run,
};

/* porthole profile show: one profile as it is written, and what it means. */
#include <unistd.h>

#include "cli/cli.h"
#include "out/json_print.h"
#include "profile/meaning.h"

struct profile_show_opts {
	bool json;
};

static int print_json(const struct out_style *style, const struct profile *p,
		      const struct meanings *m, struct err *e)
{
	_cleanup_json_ json_t *j = NULL;
	json_t *means = json_array();

	for (size_t i = 0; i < m->n; i++)
		json_array_append_new(means, json_pack("{s:s,s:o}", "id", m->v[i].id, "text",
						       json_text(m->v[i].text)));
	j = json_pack("{s:o,s:o,s:o,s:o,s:o}", "name", json_text(p->name), "summary",
		      json_text(p->summary), "file", json_text(p->file), "text",
		      json_bytes(p->text, strlen(p->text)), "means", means);
	return out_json(stdout, j, style, e);
}

/* The text as a file of one's own starts with it: what is in it is printable, line by line. */
static void print_text(const char *text)
{
	while (*text) {
		size_t n = strcspn(text, "\n");
		_cleanup_free_ char *line = strndup(text, n);
		_cleanup_free_ char *safe = line ? str_printable_dup(line) : NULL;

		puts(safe ? safe : "");
		text += n + (text[n] == '\n');
	}
}

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	struct out_style style = out_style_of(STDOUT_FILENO, ctx->color);
	_cleanup_profile_ struct profile p = {};
	_cleanup_meanings_ struct meanings m = {};
	int r = profile_find(argv[0], &p, e);

	(void)opts;
	(void)argc;
	if (r == 0 && meanings_of(&p.g, &m) < 0)
		r = err_set(e, ENOMEM, "showing the profile");
	if (r < 0)
		return r;
	if (ctx->json)
		return print_json(&style, &p, &m, e);
	print_text(p.text);
	return 0;
}

static const struct opt options[] = {
	{OPT_FLAG, offsetof(struct profile_show_opts, json), 0, "json", NULL,
	 "print JSON, with what it means in words", NULL},
	{},
};

const struct verb verb_profile_show = {
	.name = "profile show",
	.args = "PROFILE|FILE",
	.summary = "Print a profile as it is written",
	.details = "What it prints can be the beginning of one's own: edit it and save it "
		   "as\n" PROFILE_DIR "/NAME.profile.",
	.examples = "  porthole profile show inspect\n"
		    "  porthole profile show admin >" PROFILE_DIR "/mine.profile\n"
		    "  porthole profile show ./mine.profile   is it right?\n",
	.opts = options,
	.opts_size = sizeof(struct profile_show_opts),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};

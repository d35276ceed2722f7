/* The tables that src/cli/complete.bash works with. */
#include "cli/complete.h"

/* Sets `words` to the verbs, or to the second words of `kit`. */
static void words_of_groups(FILE *out)
{
	int n;

	fputs("_porthole_group() {\n\tcase $1 in\n\t'') words='", out);
	complete_first_words(out);
	fputs("' ;;\n", out);
	for (const struct verb *const *g = NULL; (g = complete_next(g));) {
		if (!complete_group(g, &n))
			continue;
		fprintf(out, "\t%.*s) words='", n, (*g)->name);
		for (const struct verb *const *v = NULL; (v = complete_next(v));)
			if (strncmp((*v)->name, (*g)->name, (size_t)n + 1) == 0)
				fprintf(out, "%s ", (*v)->name + n + 1);
		fputs("' ;;\n", out);
	}
	fputs("\t*) return 1 ;;\n\tesac\n}\n", out);
}

static void words_of_verb(FILE *out, const struct verb *v)
{
	static const char *const kinds[] = {
		[COMPLETE_NONE] = "none", [COMPLETE_TARGET] = "target", [COMPLETE_FILE] = "file",
		[COMPLETE_VERB] = "verb", [COMPLETE_PATH] = "path",	[COMPLETE_COPY] = "copy"};

	fprintf(out, "\t'%s')\n\t\topts='", v->name);
	for (const struct opt *o = v->opts; o && o->type; o++)
		fprintf(out, "--%s ", o->name);
	fputs("--help'\n\t\tvals=' ", out);
	for (const struct opt *o = v->opts; o && o->type; o++) {
		if (complete_value(o) == VALUE_NONE)
			continue;
		fprintf(out, "--%s ", o->name);
		if (o->letter)
			fprintf(out, "-%c ", o->letter);
	}
	fprintf(out, "'\n\t\tkind=%s stop=%s\n\t\t;;\n", kinds[v->complete],
		v->flags & VERB_STOP_AT_ARG ? "1" : "");
}

/* Sets `kind`, and `words`, to what an option's value may be. */
static void words_of_values(FILE *out)
{
	fputs("_porthole_values() {\n\tkind=none\n\tcase $1 in\n", out);
	for (const struct verb *const *v = NULL; (v = complete_next(v));) {
		for (const struct opt *o = (*v)->opts; o && o->type; o++) {
			enum value is = complete_value(o);

			if (is != VALUE_WORDS && is != VALUE_FILE)
				continue;
			fprintf(out, "\t'%s --%s'", (*v)->name, o->name);
			if (o->letter)
				fprintf(out, " | '%s -%c'", (*v)->name, o->letter);
			fprintf(out, ") kind=%s words='",
				is == VALUE_FILE     ? "file"
				: o->type == OPT_CSV ? "list"
						     : "words");
			for (size_t i = 0; is == VALUE_WORDS && o->words[i]; i++)
				fprintf(out, "%s ", o->words[i]);
			fputs("' ;;\n", out);
		}
	}
	fputs("\tesac\n}\n", out);
}

void complete_bash(FILE *out)
{
	fputs("# bash completion for porthole\n", out);
	words_of_groups(out);
	fputs("_porthole_verb() {\n\tcase $1 in\n", out);
	for (const struct verb *const *v = NULL; (v = complete_next(v));)
		words_of_verb(out, *v);
	fputs("\t*) return 1 ;;\n\tesac\n}\n", out);
	words_of_values(out);
	fputs(complete_text_bash, out);
}

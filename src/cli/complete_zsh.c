#include "cli/complete.h"

/* The same name for the function of a verb: "kit build" is _porthole_kit_build. */
static void function_of(FILE *out, const char *name)
{
	fputs("_porthole_", out);
	for (; *name; name++)
		fputc(*name == ' ' ? '_' : *name, out);
}

/* What follows an option's text: its argument's name and what that completes to. */
static void value_of(FILE *out, const struct opt *o)
{
	enum value is = complete_value(o);

	if (is == VALUE_NONE)
		return;
	fputc(':', out);
	complete_quoted(out, o->arg, ":\\");
	fputc(':', out);
	if (is == VALUE_FILE)
		fputs("_files", out);
	if (is == VALUE_WORDS)
		fputs(o->type == OPT_CSV ? " _values -s , of" : "(", out);
	for (size_t i = 0; is == VALUE_WORDS && o->words[i]; i++)
		fprintf(out, "%s%s", i || o->type == OPT_CSV ? " " : "", o->words[i]);
	if (is == VALUE_WORDS && o->type != OPT_CSV)
		fputc(')', out);
}

/* '(-u --user)'{-u+,--user=}'[help]:USER:' */
static void option(FILE *out, const struct opt *o)
{
	bool many = o->type == OPT_LIST || o->type == OPT_CSV || o->type == OPT_COUNT;
	bool arg = complete_value(o) != VALUE_NONE;

	fputs(" \\\n\t\t", out);
	if (many)
		fputs("'*'", out);
	else if (o->letter)
		fprintf(out, "'(-%c --%s)'", o->letter, o->name);
	if (o->letter)
		fprintf(out, "{-%c%s,--%s%s}", o->letter, arg ? "+" : "", o->name, arg ? "=" : "");
	else
		fprintf(out, "--%s%s", o->name, arg ? "=" : "");
	fputs("'[", out);
	complete_quoted(out, o->help, "[]\\");
	fputc(']', out);
	value_of(out, o);
	fputc('\'', out);
}

static void verb(FILE *out, const struct verb *v)
{
	static const char *const args[] = {[COMPLETE_NONE] = "",
					   [COMPLETE_TARGET] =
						   " \\\n\t\t'1:target:_porthole_targets'",
					   [COMPLETE_FILE] = " \\\n\t\t'*:file:_files'",
					   [COMPLETE_VERB] = " \\\n\t\t'1:verb:_porthole_verbs'",
					   [COMPLETE_PATH] = " \\\n\t\t'*:path:_porthole_paths'",
					   [COMPLETE_COPY] = " \\\n\t\t'*:path:_porthole_copy'"};

	function_of(out, v->name);
	fputs("() {\n\t_arguments -s -S", out);
	if (v->flags & VERB_STOP_AT_ARG)
		fputs(" -A '-*'", out);
	for (const struct opt *o = v->opts; o && o->type; o++)
		option(out, o);
	fputs(" \\\n\t\t'(- *)'{-h,--help}'[show a short help]'", out);
	fputs(args[v->complete], out);
	if (v->flags & VERB_STOP_AT_ARG)
		fputs(" \\\n\t\t'*:::command:_normal'", out);
	fputs("\n}\n", out);
}

/* One line of a list that _describe takes. */
static void described(FILE *out, int n, const char *name, const char *summary)
{
	fprintf(out, "\n\t\t'%.*s:", n, name);
	complete_quoted(out, summary, "\\");
	fputc('\'', out);
}

static void verbs(FILE *out)
{
	int n;

	fputs("_porthole_verbs() {\n\tlocal -a verbs=(", out);
	for (const struct verb *const *v = NULL; (v = complete_next(v));) {
		if (complete_group(v, &n))
			described(out, n, (*v)->name, "Several verbs: give the second word");
		else if (!strchr((*v)->name, ' '))
			described(out, (int)strlen((*v)->name), (*v)->name, (*v)->summary);
	}
	fputs(")\n\t_describe verb verbs\n}\n", out);
}

/* For each group: its second words, and from the third word on the verb's own function. */
static void groups(FILE *out)
{
	int n;

	for (const struct verb *const *g = NULL; (g = complete_next(g));) {
		if (!complete_group(g, &n))
			continue;
		fprintf(out,
			"_porthole_%.*s() {\n\tif ((CURRENT > 2)); then\n\t\tlocal verb=$words[2]\n"
			"\t\tshift words; ((CURRENT--))\n"
			"\t\t(($+functions[_porthole_%.*s_$verb])) && _porthole_%.*s_$verb\n"
			"\t\treturn\n\tfi\n\tlocal -a verbs=(",
			n, (*g)->name, n, (*g)->name, n, (*g)->name);
		for (const struct verb *const *v = NULL; (v = complete_next(v));)
			if (strncmp((*v)->name, (*g)->name, (size_t)n + 1) == 0)
				described(out, (int)strlen((*v)->name) - n - 1, (*v)->name + n + 1,
					  (*v)->summary);
		fputs(")\n\t_describe verb verbs\n}\n", out);
	}
}

static const char body[] =
	"_porthole_targets() {\n"
	"\tlocal -a found=(${(f)\"$(porthole ps --quiet 2>/dev/null)\"}) expl\n"
	"\t_wanted targets expl target compadd -a found\n"
	"}\n"
	"_porthole_paths() {\n"
	"\tlocal typed=${(Q)PREFIX} expl\n"
	"\tlocal -a found=(${(f)\"$(porthole ps --quiet 2>/dev/null)\"}) here=()\n"
	"\tfound=(${^found}:)\n"
	"\t[[ $typed == *:* ]] && here=(${(f)\"$(porthole paths \"$typed\" 2>/dev/null)\"})\n"
	"\tfound+=(${(M)here:#*/})\n"
	"\there=(${here:#*/})\n"
	"\t_wanted targets expl target compadd -S '' -a found\n"
	"\t_wanted files expl file compadd -a here\n"
	"}\n"
	"_porthole_copy() {\n"
	"\t_porthole_paths\n"
	"\t_files\n"
	"}\n"
	"_porthole() {\n"
	"\tif ((CURRENT == 2)); then\n"
	"\t\t_porthole_verbs\n"
	"\t\treturn\n"
	"\tfi\n"
	"\tlocal verb=$words[2]\n"
	"\tshift words; ((CURRENT--))\n"
	"\t(($+functions[_porthole_$verb])) && _porthole_$verb\n"
	"}\n"
	"# loaded by compinit from $fpath: do it now; sourced: say that it is there\n"
	"if [[ ${funcstack[1]} == _porthole ]]; then\n"
	"\t_porthole \"$@\"\n"
	"elif (($+functions[compdef])); then\n"
	"\tcompdef _porthole porthole\n"
	"fi\n";

void complete_zsh(FILE *out)
{
	fputs("#compdef porthole\n", out);
	verbs(out);
	groups(out);
	for (const struct verb *const *v = NULL; (v = complete_next(v));)
		verb(out, *v);
	fputs(body, out);
}

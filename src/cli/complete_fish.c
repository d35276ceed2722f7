#include "cli/complete.h"

/* Between single quotes of fish. */
static void quoted(FILE *out, const char *s)
{
	fputc('\'', out);
	for (; *s; s++) {
		if (*s == '\'' || *s == '\\')
			fputc('\\', out);
		fputc(*s, out);
	}
	fputc('\'', out);
}

/* One `complete` line up to its condition: the state of the line matches `verb` and `args`. */
static void when(FILE *out, const char *verb, const char *args)
{
	fprintf(out, "complete -c porthole -n '__porthole_at \"%s\" \"%s\"'", verb, args);
}

/* The words after which an option's value is expected: "-u", "-itu", "--user". */
static void takes_value(FILE *out, const struct verb *v)
{
	struct buf flags = {}, letters = {}, names = {};

	for (const struct opt *o = v->opts; o && o->type; o++) {
		bool arg = complete_value(o) != VALUE_NONE;

		if (o->letter)
			buf_putc(arg ? &letters : &flags, o->letter);
		if (arg)
			buf_printf(&names, "%s%s", names.len ? "|" : "", o->name);
	}
	if (names.len) {
		fprintf(out, "        case '%s'\n            set vals '^--(%s)$", v->name,
			names.data);
		if (letters.len)
			fprintf(out, "|^-[h%s]*[%s]$", flags.len ? flags.data : "", letters.data);
		fputs("'\n", out);
	}
	buf_done(&flags);
	buf_done(&letters);
	buf_done(&names);
}

/* `__porthole_at VERB N`: do the words before the cursor name this verb, and then N arguments (a
 * regular expression)? VERB is "" before any, "kit" before its second word. */
static void state(FILE *out)
{
	fputs("function __porthole_at\n"
	      "    set -l t (commandline -opc)[2..]\n"
	      "    set -l verb $t[1]\n"
	      "    set -l vals '^$'\n"
	      "    set -l n 0\n"
	      "    set -e t[1]\n"
	      "    if contains -- \"$verb\"",
	      out);
	for (const struct verb *const *v = NULL; (v = complete_next(v));) {
		int n;

		if (complete_group(v, &n))
			fprintf(out, " %.*s", n, (*v)->name);
	}
	fputs("; and set -q t[1]\n"
	      "        set verb \"$verb $t[1]\"\n"
	      "        set -e t[1]\n"
	      "    end\n"
	      "    switch \"$verb\"\n",
	      out);
	for (const struct verb *const *v = NULL; (v = complete_next(v));)
		takes_value(out, *v);
	fputs("    end\n"
	      "    set -l skip 0\n"
	      "    for w in $t\n"
	      "        if test $skip = 1\n"
	      "            set skip 0\n"
	      "        else if string match -q -r -- $vals $w\n"
	      "            set skip 1\n"
	      "        else if not string match -q -- '-*' $w\n"
	      "            set n (math $n + 1)\n"
	      "        end\n"
	      "    end\n"
	      "    test \"$verb\" = \"$argv[1]\"; and string match -q -r -- \"^$argv[2]\\$\" $n\n"
	      "end\n",
	      out);
}

/* The words an option takes; of a list, after each comma. */
static void words(FILE *out, const struct opt *o)
{
	bool list = o->type == OPT_CSV;

	fputs(list ? " -a '(__fish_complete_list , \"string split : " : " -a '", out);
	for (size_t i = 0; o->words[i]; i++)
		fprintf(out, "%s%s", i == 0 ? "" : list ? ":" : " ", o->words[i]);
	fputs(list ? "\")'" : "'", out);
}

static void options(FILE *out, const struct verb *v)
{
	const char *args = v->flags & VERB_STOP_AT_ARG ? "0" : ".*";

	for (const struct opt *o = v->opts; o && o->type; o++) {
		enum value is = complete_value(o);

		when(out, v->name, args);
		fprintf(out, " -l %s", o->name);
		if (o->letter)
			fprintf(out, " -s %c", o->letter);
		if (is == VALUE_FILE)
			fputs(" -r -F", out);
		else if (is != VALUE_NONE)
			fputs(" -x", out);
		if (is == VALUE_WORDS)
			words(out, o);
		fputs(" -d ", out);
		quoted(out, o->help);
		fputc('\n', out);
	}
	when(out, v->name, args);
	fputs(" -s h -l help -d 'show a short help'\n", out);
}

static void arguments(FILE *out, const struct verb *v)
{
	if (v->complete == COMPLETE_TARGET) {
		when(out, v->name, "0");
		fputs(" -a '(porthole ps --quiet 2>/dev/null)'\n", out);
	} else if (v->complete == COMPLETE_PATH || v->complete == COMPLETE_COPY) {
		when(out, v->name, ".*");
		fprintf(out, "%s -a '(__porthole_paths)'\n",
			v->complete == COMPLETE_COPY ? " -F" : "");
	} else if (v->complete == COMPLETE_FILE) {
		when(out, v->name, ".*");
		fputs(" -F\n", out);
	} else if (v->complete == COMPLETE_VERB) {
		when(out, v->name, "0");
		fputs(" -a '", out);
		complete_first_words(out);
		fputs("'\n", out);
	}
	if (v->flags & VERB_STOP_AT_ARG) {
		when(out, v->name, "[1-9].*");
		fputs(" -F\n", out);
	}
}

void complete_fish(FILE *out)
{
	int n;

	fputs("# fish completion for porthole\n", out);
	state(out);
	fputs("function __porthole_paths\n"
	      "    porthole ps --quiet 2>/dev/null | string replace -r '$' ':'\n"
	      "    set -l typed (commandline -ct | string unescape)\n"
	      "    string match -q -- '*:*' \"$typed\"; and porthole paths \"$typed\" 2>/dev/null\n"
	      "end\n"
	      "complete -c porthole -f\n",
	      out);
	for (const struct verb *const *v = NULL; (v = complete_next(v));) {
		const char *blank = strchr((*v)->name, ' ');

		if (complete_group(v, &n)) {
			when(out, "", "0");
			fprintf(out, " -a %.*s -d 'Several verbs: give the second word'\n", n,
				(*v)->name);
		}
		if (blank)
			fprintf(out, "complete -c porthole -n '__porthole_at %.*s 0' -a %s -d ",
				(int)(blank - (*v)->name), (*v)->name, blank + 1);
		else
			fprintf(out, "complete -c porthole -n '__porthole_at \"\" 0' -a %s -d ",
				(*v)->name);
		quoted(out, (*v)->summary);
		fputc('\n', out);
		options(out, *v);
		arguments(out, *v);
	}
}

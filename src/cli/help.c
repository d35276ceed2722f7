#include <ctype.h>
#include <stdlib.h>

#include "cli/cli.h"

enum { WIDTH = 80 };

/* Text filled to WIDTH columns, the cursor being at `indent`, where every further line starts too.
 * An empty line ends a paragraph, one newline is a blank; a paragraph that starts with two blanks
 * is a list, and stays as it is. Ends with a newline. */
static void filled(FILE *out, const char *text, int indent)
{
	int at = indent;

	while (*(text += strspn(text, " \n"))) {
		int n = (int)strcspn(text, " \n");

		if (at > indent && at + 1 + n > WIDTH)
			at = fprintf(out, "\n%*s", indent, "") - 1;
		else if (at > indent)
			at += fprintf(out, " ");
		at += fprintf(out, "%.*s", n, text);
		text += n;
		if (strncmp(text, "\n\n", 2) != 0)
			continue;
		at = fprintf(out, "\n\n%*s", indent, "") - 2;
		text += 2;
		if (strncmp(text, "  ", 2) == 0) {
			const char *end = strstr(text, "\n\n");

			n = end ? (int)(end - text) : (int)strlen(text);
			fprintf(out, "%.*s%s", n, text, end ? "\n\n" : "");
			text += n;
		}
	}
	fputc('\n', out);
}

static int option_column(char *out, size_t size, const struct opt *o)
{
	char letter[5] = "    ";

	if (o->letter)
		snprintf(letter, sizeof(letter), "-%c, ", o->letter);
	return snprintf(out, size, "  %s--%s%s%s", letter, o->name,
			o->arg && o->type != OPT_MAYBE ? " " : "", o->arg ? o->arg : "");
}

void cli_help(FILE *out, const struct verb *v)
{
	int width = (int)strlen("  -h, --help");
	char col[128];

	fprintf(out, "%s\n\nUsage: porthole %s [OPTION...]%s%s\n", v->summary, v->name,
		v->args && *v->args ? " " : "", v->args ? v->args : "");
	if (v->details) {
		fputc('\n', out);
		filled(out, v->details, 0);
	}
	for (const struct opt *o = v->opts; o && o->type; o++) {
		int n = option_column(col, sizeof(col), o);

		if (n > width && n <= 34)
			width = n;
	}
	fprintf(out, "\nOptions:\n");
	for (const struct opt *o = v->opts; o && o->type; o++) {
		if (option_column(col, sizeof(col), o) > width)
			fprintf(out, "%s\n%*s  ", col, width, "");
		else
			fprintf(out, "%-*s  ", width, col);
		filled(out, o->help, width + 2);
	}
	fprintf(out, "%-*s  %s\n", width, "  -h, --help", "show this help");
	if (v->examples)
		fprintf(out, "\nExamples:\n%s", v->examples);
}

/* The verbs that start with `prefix`, with what they do. */
static void verbs(FILE *out, const char *prefix)
{
	fputs("\nVerbs:\n", out);
	for (size_t i = 0; cli_verbs[i]; i++)
		if (!(cli_verbs[i]->flags & VERB_HIDDEN) && str_starts(cli_verbs[i]->name, prefix))
			fprintf(out, "  %-12s %s\n", cli_verbs[i]->name, cli_verbs[i]->summary);
}

void cli_help_group(FILE *out, const char *group)
{
	char prefix[64];

	snprintf(prefix, sizeof(prefix), "%s ", group);
	fprintf(out, "Usage: porthole %s VERB [OPTION...] [ARG...]\n", group);
	verbs(out, prefix);
	fprintf(out, "\n'porthole %s VERB --help' tells more about each.\n", group);
}

void cli_help_all(FILE *out)
{
	fputs("Look into any Linux container from outside, with every tool, and leave nothing "
	      "behind\n\n"
	      "Usage: porthole VERB [OPTION...] [ARG...]\n",
	      out);
	verbs(out, "");
	fputs("\nExamples:\n"
	      "  sudo porthole ps                 every container of every engine on this host\n"
	      "  sudo porthole exec web           a shell with all tools inside the container "
	      "'web'\n"
	      "  sudo porthole exec web strace -p 1\n"
	      "  sudo porthole inspect web        what one needs to know before debugging it\n\n"
	      "'porthole VERB --help' tells more about each.\n",
	      out);
}

/* scdoc gives _ * and \ a meaning; escape them in running text. */
static void scdoc_text(FILE *out, const char *s)
{
	for (; *s; s++) {
		if (strchr("_*\\~#", *s))
			fputc('\\', out);
		fputc(*s, out);
	}
}

void cli_help_scdoc(FILE *out, const struct verb *v)
{
	for (const struct opt *o = v->opts; o && o->type; o++) {
		if (o->letter)
			fprintf(out, "*-%c*, ", o->letter);
		fprintf(out, "*--%s*", o->name);
		if (o->type == OPT_MAYBE) { /* "[=EXPR]" */
			fprintf(out, "[=_%.*s_]", (int)strcspn(o->arg + 2, "]"), o->arg + 2);
		} else if (o->arg) {
			fputs(" _", out);
			for (const char *p = o->arg; *p; p++) {
				if (*p == '_' || *p == '\\')
					fputc('\\', out);
				fputc(*p, out);
			}
			fputc('_', out);
		}
		fprintf(out, "\n\t%c", toupper((unsigned char)o->help[0]));
		scdoc_text(out, o->help + 1);
		fputs(str_ends(o->help, ".") ? "\n\n" : ".\n\n", out);
	}
	fputs("*-h*, *--help*\n\tShow a short help.\n", out);
}

#include "cli/cli.h"

/* One line of what a shell offers after a verb: its long options. */
static void words_of(FILE *out, const struct verb *v)
{
	for (const struct opt *o = v->opts; o && o->type; o++)
		fprintf(out, "--%s ", o->name);
	fputs("--help", out);
}

/* The different first words of all verbs, or the second words after `first`. */
static void verb_words(FILE *out, const char *first)
{
	const char *last = "";
	size_t last_n = 0;

	for (size_t i = 0; cli_verbs[i]; i++) {
		const char *name = cli_verbs[i]->name, *sp = strchr(name, ' ');
		size_t n = sp ? (size_t)(sp - name) : strlen(name);

		if (cli_verbs[i]->flags & VERB_HIDDEN)
			continue;
		if (first) {
			if (sp && strlen(first) == n && strncmp(first, name, n) == 0)
				fprintf(out, "%s ", sp + 1);
			continue;
		}
		if (n == last_n && strncmp(name, last, n) == 0)
			continue;
		fprintf(out, "%.*s ", (int)n, name);
		last = name;
		last_n = n;
	}
}

static const char *positional(const struct verb *v)
{
	switch (v->complete) {
	case COMPLETE_TARGET:
		return "target";
	case COMPLETE_FILE:
		return "file";
	case COMPLETE_VERB:
		return "verb";
	case COMPLETE_NONE:
		break;
	}
	return "none";
}

/* Values of options that take one of a few words. */
static void bash_values(FILE *out, const struct verb *v)
{
	for (const struct opt *o = v->opts; o && o->type; o++) {
		if (!o->words)
			continue;
		fprintf(out, "\t\t'%s --%s') COMPREPLY=($(compgen -W '", v->name, o->name);
		for (size_t i = 0; o->words[i]; i++)
			fprintf(out, "%s%s", i ? " " : "", o->words[i]);
		fputs("' -- \"$cur\")); return;;\n", out);
	}
}

static void bash(FILE *out)
{
	fputs("# bash completion for porthole\n"
	      "_porthole() {\n"
	      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} "
	      "verb=${COMP_WORDS[1]}\n"
	      "\tlocal opts= kind=none at=2\n"
	      "\tif ((COMP_CWORD == 1)); then\n\t\tCOMPREPLY=($(compgen -W '",
	      out);
	verb_words(out, NULL);
	fputs("' -- \"$cur\")); return\n\tfi\n\tcase \"$verb\" in\n", out);
	fputs("\tkit) at=3\n\t\tif ((COMP_CWORD == 2)); then COMPREPLY=($(compgen -W '", out);
	verb_words(out, "kit");
	fputs("' -- \"$cur\")); return; fi\n\t\tverb=\"kit ${COMP_WORDS[2]}\";;\n\tesac\n", out);
	fputs("\tcase \"$verb\" in\n", out);
	for (size_t i = 0; cli_verbs[i]; i++) {
		fprintf(out, "\t'%s') opts='", cli_verbs[i]->name);
		words_of(out, cli_verbs[i]);
		fprintf(out, "' kind=%s;;\n", positional(cli_verbs[i]));
	}
	fputs("\tesac\n\tcase \"$verb $prev\" in\n", out);
	for (size_t i = 0; cli_verbs[i]; i++)
		bash_values(out, cli_verbs[i]);
	fputs("\tesac\n"
	      "\tif [[ $cur == -* ]]; then COMPREPLY=($(compgen -W \"$opts\" -- \"$cur\")); "
	      "return; fi\n"
	      "\tcase $kind in\n"
	      "\ttarget) COMPREPLY=($(compgen -W \"$(porthole ps --quiet 2>/dev/null)\" -- "
	      "\"$cur\"));;\n"
	      "\tfile) COMPREPLY=($(compgen -f -- \"$cur\"));;\n"
	      "\tverb) COMPREPLY=($(compgen -W \"$(porthole help --names)\" -- \"$cur\"));;\n"
	      "\tesac\n"
	      "}\n"
	      "complete -o default -F _porthole porthole\n",
	      out);
}

static void fish(FILE *out)
{
	fputs("# fish completion for porthole\ncomplete -c porthole -f\n", out);
	for (size_t i = 0; cli_verbs[i]; i++) {
		const struct verb *v = cli_verbs[i];
		const char *sp = strchr(v->name, ' ');
		int n = sp ? (int)(sp - v->name) : (int)strlen(v->name);

		fprintf(out, "complete -c porthole -n __fish_use_subcommand -a %.*s -d '%s'\n", n,
			v->name, sp ? "Tools images" : v->summary);
		for (const struct opt *o = v->opts; o && o->type; o++) {
			fprintf(out,
				"complete -c porthole -n '__fish_seen_subcommand_from %.*s' -l %s",
				n, v->name, o->name);
			if (o->letter)
				fprintf(out, " -s %c", o->letter);
			fprintf(out, "%s -d \"%s\"\n", o->arg ? " -r" : "", o->help);
		}
		if (v->complete == COMPLETE_TARGET)
			fprintf(out,
				"complete -c porthole -n '__fish_seen_subcommand_from %.*s' -a "
				"'(porthole ps --quiet 2>/dev/null)'\n",
				n, v->name);
		else if (v->complete == COMPLETE_FILE)
			fprintf(out,
				"complete -c porthole -n '__fish_seen_subcommand_from %.*s' -F\n",
				n, v->name);
		if (sp)
			fprintf(out,
				"complete -c porthole -n '__fish_seen_subcommand_from %.*s' -a "
				"%s\n",
				n, v->name, sp + 1);
	}
}

int cli_completion(FILE *out, const char *shell)
{
	if (str_eq(shell, "bash")) {
		bash(out);
	} else if (str_eq(shell, "zsh")) {
		fputs("#compdef porthole\nautoload -U +X bashcompinit && bashcompinit\n", out);
		bash(out);
	} else if (str_eq(shell, "fish")) {
		fish(out);
	} else {
		return -EINVAL;
	}
	return 0;
}

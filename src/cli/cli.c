#include "cli/cli.h"

#include <stdlib.h>
#include <unistd.h>

#define CMD(n) extern const struct verb verb_##n;
#include "cmd/cmds.def"
#undef CMD

const struct verb *const cli_verbs[] = {
#define CMD(n) &verb_##n,
#include "cmd/cmds.def"
#undef CMD
	NULL,
};

static bool is_help(const char *word)
{
	return str_eq(word, "--help") || str_eq(word, "-h");
}

/* "host", or "host --profile net": what those of the group do that is meant by its name. */
static bool is_group_verb(const struct verb *v, int argc, char **argv)
{
	size_t n = strlen(argv[0]);

	return v->flags & VERB_GROUP && strncmp(v->name, argv[0], n) == 0 && v->name[n] == ' ' &&
	       (argc < 2 || (*argv[1] == '-' && !is_help(argv[1])));
}

const struct verb *cli_find(int argc, char **argv, int *used)
{
	char two[64];

	if (argc < 1)
		return NULL;
	for (size_t i = 0; cli_verbs[i]; i++) {
		const char *name = cli_verbs[i]->name;

		if (str_eq(argv[0], name) || is_group_verb(cli_verbs[i], argc, argv)) {
			*used = 1;
			return cli_verbs[i];
		}
		if (argc < 2 || !strchr(name, ' '))
			continue;
		snprintf(two, sizeof(two), "%s %s", argv[0], argv[1]);
		if (str_eq(two, name)) {
			*used = 2;
			return cli_verbs[i];
		}
	}
	return NULL;
}

bool cli_is_group(const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; cli_verbs[i]; i++)
		if (strncmp(cli_verbs[i]->name, word, n) == 0 && cli_verbs[i]->name[n] == ' ')
			return true;
	return false;
}

/* The nearest verb to what was typed, or NULL. */
static const char *nearest(const char *word)
{
	const char *best = NULL;
	size_t len = strlen(word);
	unsigned best_d = len < 3 ? (unsigned)len : 3; /* not each letter another one */

	if (str_eq(word, "stop")) /* docker's word */
		return "kill";
	for (size_t i = 0; cli_verbs[i]; i++) {
		unsigned d = str_distance(word, cli_verbs[i]->name);

		/* of equals the longer: umount is unmount, not mount */
		if (!(cli_verbs[i]->flags & VERB_HIDDEN) &&
		    (d < best_d ||
		     (best && d == best_d && strlen(cli_verbs[i]->name) > strlen(best)))) {
			best = cli_verbs[i]->name;
			best_d = d;
		}
	}
	return best;
}

/* The second words of the verbs that start with `word`, "build, list". */
static void second_words(const char *word, struct buf *out)
{
	size_t n = strlen(word);

	for (size_t i = 0; cli_verbs[i]; i++) {
		const char *name = cli_verbs[i]->name;

		if (strncmp(name, word, n) == 0 && name[n] == ' ')
			buf_printf(out, "%s%s", out->len ? ", " : "", name + n + 1);
	}
}

/* The verb that "host umount" or "host kill" may have meant, or NULL. */
static const char *nearest_second(char **argv)
{
	_cleanup_free_ char *two = str_fmt("%s %s", argv[0], argv[1]);
	const char *best = two ? nearest(two) : NULL;
	int used;

	if (best && strncmp(best, two, strlen(argv[0]) + 1) == 0)
		return best;
	return cli_find(1, argv + 1, &used) ? argv[1] : NULL;
}

int cli_unknown(int argc, char **argv, struct err *e)
{
	_cleanup_buf_ struct buf second = {};
	const char *best = NULL;

	second_words(argv[0], &second);
	if (!second.len)
		best = nearest(argv[0]);
	else if (argc > 1)
		best = nearest_second(argv);
	if (second.len && argc > 1)
		err_say(e, EINVAL, "'%s' has no '%s': it takes one of %s", argv[0], argv[1],
			second.data);
	else if (second.len)
		err_say(e, EINVAL, "'%s' needs a second word: one of %s", argv[0], second.data);
	else if (argv[0][0] == '-')
		err_say(e, EINVAL, "'%s' where a verb is expected: options follow it", argv[0]);
	else
		err_say(e, EINVAL, "there is no verb '%s'", argv[0]);
	if (best)
		err_hint(e, "did you mean 'porthole %s'? 'porthole help' lists all verbs", best);
	else
		err_hint(e, "'porthole help' lists all verbs");
	return err_exit(e, EXIT_USAGE);
}

/* What is said without a verb's own code: help, and that there is no such verb. */
static int no_verb(int argc, char **argv, struct ctx *ctx, struct err *e)
{
	if (argc == 0) {
		cli_help_all(stderr);
		return EXIT_USAGE;
	}
	if (is_help(argv[0])) {
		cli_help_all(stdout);
		return 0;
	}
	if (argc > 1 && is_help(argv[1]) && cli_is_group(argv[0])) {
		cli_help_group(stdout, argv[0]);
		return 0;
	}
	for (int i = 0; i < argc && !str_eq(argv[i], "--"); i++)
		if (str_eq(argv[i], "--json"))
			ctx->json = true;
	return cli_unknown(argc, argv, e);
}

int cli_main(int argc, char **argv, struct ctx *ctx, struct err *e)
{
	const struct verb *v;
	_cleanup_free_ void *opts = NULL;
	int used, nargs, r;
	bool help = false;

	if (argc > 1 && (str_eq(argv[1], "--version") || str_eq(argv[1], "-V")))
		argv[1] = (char *)"version";
	v = cli_find(argc - 1, argv + 1, &used);
	if (!v)
		return no_verb(argc > 1 ? argc - 1 : 0, argv + 1, ctx, e);

	argv += 1 + used;
	argc -= 1 + used;
	opts = calloc(1, v->opts_size ? v->opts_size : 1);
	if (!opts)
		return err_set(e, ENOMEM, "porthole %s", v->name);
	r = cli_parse(v, ctx, opts, argc, argv, &nargs, &help, e);
	if (help) {
		cli_help(stdout, v);
		cli_free(v, opts);
		return 0;
	}
	if (r == 0)
		r = v->run(ctx, opts, nargs, argv, e);
	else if (!e->exit)
		err_exit(e, v->flags & VERB_RUNS_CMD ? EXIT_PORTHOLE : EXIT_USAGE);
	cli_free(v, opts);
	return r;
}

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

const struct verb *cli_find(int argc, char **argv, int *used)
{
	char two[64];

	if (argc < 1)
		return NULL;
	for (size_t i = 0; cli_verbs[i]; i++) {
		const char *name = cli_verbs[i]->name;

		if (str_eq(argv[0], name)) {
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

/* The first words of two-word verbs: "kit" needs a second one. */
static int unknown_verb(int argc, char **argv, struct err *e)
{
	const char *best = NULL;
	unsigned best_d = 3;
	struct buf second = {};
	size_t n = strlen(argv[0]);

	for (size_t i = 0; cli_verbs[i]; i++) {
		const char *name = cli_verbs[i]->name;
		unsigned d = str_distance(argv[0], name);

		if (strncmp(name, argv[0], n) == 0 && name[n] == ' ')
			buf_printf(&second, "%s%s", second.len ? ", " : "", name + n + 1);
		if (!(cli_verbs[i]->flags & VERB_HIDDEN) && d < best_d) {
			best = name;
			best_d = d;
		}
	}
	if (second.len && argc > 1)
		err_say(e, EINVAL, "'%s' has no '%s': it takes one of %s", argv[0], argv[1],
			second.data);
	else if (second.len)
		err_say(e, EINVAL, "'%s' needs a second word: one of %s", argv[0], second.data);
	else
		err_say(e, EINVAL, "there is no verb '%s'", argv[0]);
	if (best && !second.len)
		err_hint(e, "did you mean 'porthole %s'? 'porthole help' lists all verbs", best);
	else
		err_hint(e, "'porthole help' lists all verbs");
	buf_done(&second);
	return err_exit(e, EXIT_USAGE);
}

int cli_main(int argc, char **argv, struct ctx *ctx, struct err *e)
{
	const struct verb *v;
	_cleanup_free_ void *opts = NULL;
	int used, nargs, r;
	bool help = false;

	if (argc < 2 || str_eq(argv[1], "--help") || str_eq(argv[1], "-h")) {
		cli_help_all(argc < 2 ? stderr : stdout);
		return argc < 2 ? EXIT_USAGE : 0;
	}
	if (str_eq(argv[1], "--version") || str_eq(argv[1], "-V"))
		argv[1] = (char *)"version";
	v = cli_find(argc - 1, argv + 1, &used);
	if (!v)
		return unknown_verb(argc - 1, argv + 1, e);

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

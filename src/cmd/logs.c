/* porthole logs: what a container of ours has said. */
#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "launch/log.h"
#include "launch/name.h"
#include "target/ended.h"
#include "target/target.h"

struct logs_opts {
	bool follow, json;
};

static int print(const char *name, bool follow, struct err *e)
{
	_cleanup_free_ char *label = str_printable_dup(name), *why = NULL;
	struct launch_ended end = {};
	int r = launch_log(name, follow, STDOUT_FILENO, &end, e);
	struct ended how = {.how = end.code < 0 ? ENDED_UNKNOWN : ENDED_CODE, .code = end.code};
	char words[128], at[16] = "?";
	time_t when = end.at;
	struct tm tm;

	if (r < 0 || !end.at)
		return r;
	why = str_printable_dup(end.why);
	if (localtime_r(&when, &tm))
		strftime(at, sizeof(at), "%T", &tm);
	fprintf(stderr, "porthole: '%s' %s at %s%s%s\n", label ? label : "?",
		ended_words(&how, words, sizeof(words)), at, end.why[0] ? ": " : "",
		why ? why : "");
	return 0;
}

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	const struct logs_opts *o = opts;
	const char *own = launch_ended_name(argv[0]);
	_cleanup_roots_ struct target_roots roots = {.root_fd = -EBADF, .proc_fd = -EBADF};
	_cleanup_target_ struct target t = TARGET_INIT;
	_cleanup_close_ int kept = -EBADF;
	int r = target_roots_open(&roots, e);

	(void)ctx, (void)argc;
	if (r == 0)
		r = target_resolve(&roots, argv[0], &t, e);
	if (r == -ENOENT && (kept = launch_ended_open(own)) >= 0)
		return print(own, o->follow, e);
	/* what has a host name of its own is found by that, as nobody's */
	if ((r == -ENOENT || (r == 0 && str_eq(t.engine, "none"))) &&
	    launch_name_is_front(argv[0], e))
		return -ENOENT;
	if (r < 0)
		return r;
	if (str_eq(t.engine, "porthole"))
		return print(t.name, o->follow, e);
	if (str_eq(t.engine, "none")) {
		err_say(e, EINVAL, "'%s' is no engine's: nothing has kept what it said", argv[0]);
		err_hint(e, "'porthole tap %s' shows what it writes from now on", argv[0]);
		return -EINVAL;
	}
	err_say(e, EINVAL, "'%s' is %s's, which has what it said", argv[0], t.engine);
	if (str_eq(t.engine, "docker") || str_eq(t.engine, "podman"))
		err_hint(e, "type: %s logs %s", t.engine, t.name);
	return -EINVAL;
}

static const struct opt options[] = {
	{OPT_FLAG, offsetof(struct logs_opts, follow), 'f', "follow", NULL, "go on until it ends",
	 NULL},
	{OPT_FLAG, offsetof(struct logs_opts, json), 0, "json", NULL, "print errors as JSON", NULL},
	{},
};

const struct verb verb_logs = {
	.name = "logs",
	.args = "NAME",
	.summary = "Print what a container that Porthole started has said",
	.details = "NAME is a container of 'porthole sidekick -d' or 'host run -d'. Its standard "
		   "output and error\n"
		   "are kept while it runs, the last megabyte of them at least. When it has ended, "
		   "the last of them and how it\n"
		   "ended are kept in /run for a day, of the last 16; not with --rm, nor of what "
		   "'porthole kill' has ended.\n"
		   "'porthole kill' of one that has ended forgets it.",
	.examples = "  porthole logs web-sidekick       what it has said\n"
		    "  porthole logs -f web-sidekick    and what it says, until it ends\n",
	.opts = options,
	.opts_size = sizeof(struct logs_opts),
	.complete = COMPLETE_TARGET,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};

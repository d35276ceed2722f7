/* porthole attach: at the terminal of a container of ours in the background. */
#include "launch/attach.h"
#include "launch/name.h"

#include <unistd.h>

#include "cli/cli.h"
#include "target/target.h"

#define KEYS "ctrl-p,ctrl-q"

struct attach_opts {
	const char *keys, *sig_proxy;
	bool no_stdin, quiet, json;
};

static int not_ours(const struct target *t, const char *typed, struct err *e)
{
	_cleanup_free_ char *name = str_printable_dup(t->name);

	err_say(e, EINVAL, "'%s' is %s's: only what Porthole has started can be attached to", typed,
		str_eq(t->engine, "none") ? "no engine" : t->engine);
	if (str_eq(t->engine, "docker") || str_eq(t->engine, "podman"))
		err_hint(e, "type: %s attach %s", t->engine, name ? name : "?");
	else
		err_hint(e, "'porthole exec %s' goes in, 'porthole tap %s' shows what it writes",
			 typed, typed);
	return -EINVAL;
}

static char *greeting(const char *name, const struct attach_opts *o, bool color)
{
	const char *keys = o->keys ? o->keys : "Ctrl-P Ctrl-Q";

	return str_fmt("%sporthole:%s attached to '%s'%s%s%s\r\n", color ? "\033[1m" : "",
		       color ? "\033[0m" : "", name, *keys ? "; " : "", keys,
		       *keys ? " leaves it running." : "");
}

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	const struct attach_opts *o = opts;
	_cleanup_roots_ struct target_roots roots = {.root_fd = -EBADF, .proc_fd = -EBADF};
	_cleanup_target_ struct target t = TARGET_INIT;
	_cleanup_free_ char *hello = NULL;
	struct attach_ask ask = {
		.no_input = o->no_stdin,
		.signals = !str_eq(o->sig_proxy, "false"),
	};
	int r = attach_keys_parse(o->keys ? o->keys : KEYS, &ask.keys, e);

	(void)argc;
	if (r == 0)
		r = target_roots_open(&roots, e);
	if (r == 0)
		r = target_resolve(&roots, argv[0], &t, e);
	/* what has a host name of its own is found by that, as nobody's */
	if ((r == -ENOENT || (r == 0 && str_eq(t.engine, "none"))) &&
	    launch_name_is_front(argv[0], e))
		return -ENOENT;
	if (r < 0)
		return r;
	if (!str_eq(t.engine, "porthole"))
		return not_ours(&t, argv[0], e);
	if (!o->quiet)
		ask.greeting = hello = greeting(t.name, o, ctx->color_err);
	r = launch_attach(t.name, &ask, e);
	if (ask.left && !o->quiet && isatty(STDERR_FILENO))
		fprintf(stderr,
			"\nporthole: '%s' goes on. 'porthole attach %s' comes back to it.\n",
			t.name, t.name);
	return r;
}

static const struct opt options[] = {
	{OPT_STR, offsetof(struct attach_opts, keys), 0, "detach-keys", "KEYS",
	 "what leaves it running, such as ctrl-] or ctrl-a,d (default: " KEYS "); '' is nothing",
	 NULL},
	{OPT_FLAG, offsetof(struct attach_opts, no_stdin), 0, "no-stdin", NULL,
	 "only look: nothing typed is passed on", NULL},
	{OPT_STR, offsetof(struct attach_opts, sig_proxy), 0, "sig-proxy", "true|false",
	 "pass signals that we get on to its command (default: true); else they leave it",
	 OPT_WORDS("true", "false")},
	{OPT_FLAG, offsetof(struct attach_opts, quiet), 'q', "quiet", NULL, "no greeting", NULL},
	{OPT_FLAG, offsetof(struct attach_opts, json), 0, "json", NULL, "print errors as JSON",
	 NULL},
	{},
};

const struct verb verb_attach = {
	.name = "attach",
	.args = "NAME",
	.summary = "Sit down at a container that Porthole has started in the background",
	.details =
		"NAME is a container of 'porthole sidekick -d' or 'host run -d'. What it says from "
		"now on is shown\n"
		"('porthole logs' has what it said before), and what is typed goes to it when it "
		"was "
		"started with\n"
		"-t, which gave it a terminal of its own, or with -i. Ctrl-P Ctrl-Q leaves it "
		"running, as in docker;\n"
		"so does a terminal that is closed.\n"
		"Several may be attached at a time.\n\n"
		"Without a terminal of its own its output and errors come on standard output, and "
		"Ctrl-C, or any signal\n"
		"that porthole gets, goes to its command.\n\n"
		"The exit code is that of its command; 0 when it was left.",
	.examples = "  porthole sidekick -dit web --name dbg     a shell in the background\n"
		    "  porthole attach dbg                       at its terminal\n"
		    "  porthole attach --no-stdin dbg            only look\n"
		    "  porthole attach --detach-keys 'ctrl-]' dbg\n",
	.opts = options,
	.opts_size = sizeof(struct attach_opts),
	.flags = VERB_RUNS_CMD,
	.complete = COMPLETE_TARGET,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};

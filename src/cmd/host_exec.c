/* porthole host exec: a command on the host, from inside a container of ours. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/cli.h"
#include "launch/broker.h"
#include "launch/hostcall.h"

struct host_exec_opts {
	bool interactive, tty, with_tools, json;
	const char *user, *cwd;
	struct strv env;
};

static void note(const char *text)
{
	fprintf(stderr, "porthole: %s\n", text);
}

/* NAME alone passes ours on, where there is one. */
static int add_env(const struct strv *asked, struct strv *env, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < asked->n && r == 0; i++) {
		const char *var = asked->v[i], *value = getenv(var);

		if (!*var || *var == '=') {
			err_say(e, EINVAL, "-e takes NAME=VALUE or NAME, not '%s'", var);
			return -EINVAL;
		}
		if (strchr(var, '='))
			r = strv_add(env, var);
		else if (value)
			r = strv_push(env, str_fmt("%s=%s", var, value));
	}
	return r < 0 ? err_set(e, ENOMEM, "preparing the environment") : 0;
}

/* Where it starts: what was typed, from where we are, in the host's words. */
static char *directory(const char *typed)
{
	_cleanup_free_ char *here = hostcall_cwd();

	if (!typed || !here)
		return TAKE_PTR(here);
	return *typed == '/' ? strdup(typed)
			     : str_fmt("%s/%s", str_eq(here, "/") ? "" : here, typed);
}

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	const struct host_exec_opts *o = opts;
	_cleanup_strv_ struct strv words = {}, env = {};
	_cleanup_free_ char *cwd = directory(o->cwd);
	bool in = isatty(STDIN_FILENO), typed = o->interactive || o->tty;
	struct hostcall c = {
		.tty = typed ? o->tty : in && ctx->tty_out, /* as exec has it */
		.with_tools = o->with_tools,
		.cwd_asked = o->cwd,
		.user = o->user,
		.cwd = cwd,
		.note = note,
	};
	int r = add_env(&o->env, &env, e);

	c.stdin_open = typed ? o->interactive : c.tty || !in;
	for (int i = 0; i < argc && r == 0; i++)
		r = strv_add(&words, argv[i]);
	if (r == -ENOMEM || !cwd)
		return err_set(e, ENOMEM, "asking the host");
	c.argv = words;
	c.env = env;
	return r < 0 ? r : hostcall_run(BROKER_SOCKET, &c, e);
}

#define O(field) offsetof(struct host_exec_opts, field)

static const struct opt options[] = {
	{OPT_FLAG, O(interactive), 'i', "interactive", NULL, "pass our standard input on", NULL},
	{OPT_FLAG, O(tty), 't', "tty", NULL, "give the command a terminal of the host's", NULL},
	{OPT_STR, O(user), 'u', "user", "USER[:GROUP]",
	 "run as this user of the host (default: who we are here)", NULL},
	{OPT_STR, O(cwd), 'w', "workdir", "DIR",
	 "start in this directory of the host (default: where we are)", NULL},
	{OPT_LIST, O(env), 'e', "env", "NAME=VALUE", "set a variable; NAME alone passes ours on",
	 NULL},
	{OPT_FLAG, O(with_tools), 0, "with-tools", NULL,
	 "the command is one of the kit's, and works on the host's files", NULL},
	{OPT_FLAG, O(json), 0, "json", NULL, "print errors as JSON", NULL},
	{},
};

const struct verb verb_host_exec = {
	.name = "host exec",
	.args = "[CMD [ARG...]]",
	.summary = "Run a command on the host, from inside a container of 'host run'",
	.details =
		"The command runs in the namespaces of whoever launched the container, with the "
		"host's files, users,\n"
		"mounts and processes: `useradd`, `systemctl`, `mount` and `modprobe` do what "
		"they do there. Without CMD\n"
		"it is a shell. Terminal, signals and exit code are those of the command; it "
		"starts in the directory where\n"
		"one is: /host/etc is the host's /etc. Its environment is the host's own, with "
		"TERM, LANG and -e.\n\n"
		"Without -i and -t standard input is passed on, and a terminal is one where there "
		"is one, as with exec.\n\n"
		"It ends when who asked for it ends, and when the container does; what it started "
		"as a service goes on.\n"
		"The launcher can narrow it ('porthole host run' --allow, --ask, --deny, --log). "
		"Root in the container may\n"
		"be any user of the host; others only who they are.\n\n"
		"The exit code is the command's; 128+N when signal N killed it; 127: not found, "
		"126: not to be run,\n"
		"or refused, 125: there is no way to the host.",
	.examples =
		"  porthole host exec systemctl restart nginx\n"
		"  porthole host exec                           a shell on the host\n"
		"  porthole host exec -u alice id               as a user of the host\n"
		"  dmesg | porthole host exec tee /var/tmp/d    input comes from here\n"
		"  porthole host exec --with-tools gdb -p 4711  the kit's gdb, the host's files\n",
	.opts = options,
	.opts_size = sizeof(struct host_exec_opts),
	.flags = VERB_STOP_AT_ARG | VERB_RUNS_CMD,
	.min_args = 0,
	.max_args = -1,
	.run = run,
};

/* porthole kill: the end of a container of ours. */
#include <signal.h>
#include <stdio.h>

#include "cli/cli.h"
#include "launch/end.h"
#include "launch/ended.h"
#include "launch/name.h"
#include "sys/exitcode.h"
#include "target/target.h"

struct kill_opts {
	const char *signal;
	bool json;
};

/* What to type for what is another engine's; %s is its name or id. */
static const struct {
	const char *engine, *line;
	bool by_id;
} others[] = {
	{"docker", "docker kill %s", false},
	{"podman", "podman kill %s", false},
	{"containerd", "ctr task kill -s KILL %s", true},
	{"nerdctl", "nerdctl kill %s", false},
	{"cri", "crictl stop %s", true},
	{"crio", "crictl stop %s", true},
	{"runc", "runc kill %s KILL", true},
	{"crun", "crun kill %s KILL", true},
	{"lxc", "lxc-stop -k -n %s", false},
	{"incus", "incus stop -f %s", false},
	{"lxd", "lxc stop -f %s", false},
	{"nspawn", "machinectl terminate %s", false},
	{"machined", "machinectl terminate %s", false},
	{"flatpak", "flatpak kill %s", false},
};

static int refuse(const struct target *t, struct err *e)
{
	_cleanup_free_ char *name = str_printable_dup(t->name);
	/* of Incus and LXD: they have a namespace and no pods */
	bool project = t->pod_ns && !str_eq(t->pod_ns, "default") &&
		       (str_eq(t->engine, "incus") || str_eq(t->engine, "lxd"));
	_cleanup_free_ char *line = NULL;

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		const char *what = others[i].by_id && t->id ? t->id : t->name, *at;

		if (!str_eq(others[i].engine, t->engine))
			continue;
		at = strstr(others[i].line, "%s");
		line = str_fmt("%.*s%s%s%s%s", (int)(at - others[i].line), others[i].line, what,
			       at + 2, project ? " --project " : "", project ? t->pod_ns : "");
	}
	if (!line)
		line = str_fmt("kill -KILL %d", (int)t->pid);
	err_say(e, EPERM, "'%s' is not Porthole's to end: %s made it", name ? name : "?",
		str_eq(t->engine, "none") ? "no engine" : t->engine);
	err_hint(e, "type: %s", line ? line : "?");
	return -EPERM;
}

static int end_one(const struct target_roots *roots, const char *spec, int sig, struct err *e)
{
	_cleanup_target_ struct target t = TARGET_INIT;
	int r = target_resolve(roots, spec, &t, e);

	if (r == -ENOENT && sig == SIGKILL && launch_ended_forget(launch_ended_name(spec)) == 0)
		return 0;
	/* what has a host name of its own is found by that, as nobody's */
	if ((r == -ENOENT || (r == 0 && str_eq(t.engine, "none"))) && launch_name_is_front(spec, e))
		return -ENOENT;
	if (r < 0)
		return r;
	if (!str_eq(t.engine, "porthole"))
		return refuse(&t, e);
	return sig == SIGKILL ? launch_end(t.name, e) : launch_signal(t.name, sig, e);
}

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	const struct kill_opts *o = opts;
	_cleanup_roots_ struct target_roots roots = {.root_fd = -EBADF, .proc_fd = -EBADF};
	int sig = o->signal ? signal_number(o->signal) : SIGKILL;
	int r = target_roots_open(&roots, e);

	(void)ctx;
	if (r == 0 && sig == 0) {
		err_say(e, EINVAL, "there is no signal '%s'", o->signal);
		return err_exit(e, EXIT_USAGE);
	}
	for (int i = 0; i < argc && r == 0; i++)
		r = end_one(&roots, argv[i], sig, e);
	return r;
}

static const struct opt options[] = {
	{OPT_STR, offsetof(struct kill_opts, signal), 's', "signal", "SIGNAL",
	 "send its command this signal instead (default: KILL, to everything in it)", NULL},
	{OPT_FLAG, offsetof(struct kill_opts, json), 0, "json", NULL, "print errors as JSON", NULL},
	{},
};

const struct verb verb_kill = {
	.name = "kill",
	.args = "NAME...",
	.summary = "End a container that Porthole started, with every process of it",
	.details =
		"NAME is a container of 'porthole sidekick -d' or 'host run -d'. All its processes "
		"are killed, also\n"
		"those that fork all the time and share the processes of the target or the host; "
		"when it returns\n"
		"none is left, and nothing else of it.\n"
		"Containers of other engines are theirs to end: what to type for them is said.",
	.examples = "  porthole kill web-sidekick           end it\n"
		    "  porthole kill -s HUP web-sidekick    a signal for its command\n"
		    "  porthole ps -f engine=porthole       what there is to end\n",
	.opts = options,
	.opts_size = sizeof(struct kill_opts),
	.complete = COMPLETE_TARGET,
	.min_args = 1,
	.max_args = -1,
	.run = run,
};

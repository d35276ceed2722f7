/* porthole sidekick: a container of its own beside a target. */
#include <linux/capability.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cmd/again.h"
#include "cmd/background.h"
#include "cmd/exec_parts.h"
#include "cmd/exec_warn.h"
#include "cmd/sidekick.h"
#include "cmd/subject.h"
#include "inject/journal.h"
#include "launch/name.h"
#include "launch/state.h"
#include "out/json_print.h"
#include "session/seal.h"
#include "session/session.h"
#include "sys/caps.h"
#include "sys/ns.h"
#include "target/ended.h"

#define O(field) offsetof(struct sidekick_opts, field)

static const struct opt options[] = {
	{OPT_CSV, O(share), 0, "share", "LIST",
	 "share these namespaces of the target: net,pid,ipc,uts,cgroup,user, all or none (default: "
	 "net,pid,ipc)",
	 OPT_WORDS("net", "pid", "ipc", "uts", "cgroup", "user", "time", "all", "none", "mnt",
		   "network", "process", "hostname", "mount")},
	{OPT_STR, O(image), 0, "image", "IMAGE|FILE|DIR",
	 "its root is this image of an engine's, archive or directory (default: the kit)", NULL},
	{OPT_STR, O(engine), 0, "engine", "docker|podman",
	 "have the target's engine make it, by its own client: a container that its ps shows",
	 OPT_WORDS("docker", "podman")},
	{OPT_LIST, O(cap_add), 0, "cap-add", "CAP",
	 "add a capability, such as SYS_PTRACE, or ALL, to docker's default ones", NULL},
	{OPT_LIST, O(cap_drop), 0, "cap-drop", "CAP", "take a capability away, or ALL", NULL},
	{OPT_FLAG, O(detach), 'd', "detach", NULL,
	 "in the background, until 'porthole kill'; prints its name", NULL},
	{OPT_FLAG, O(interactive), 'i', "interactive", NULL, "pass our standard input on", NULL},
	{OPT_FLAG, O(tty), 't', "tty", NULL, "give the command a terminal of its own", NULL},
	{OPT_STR, O(user), 'u', "user", "USER[:GROUP]", "run as this user (default: root)", NULL},
	{OPT_STR, O(cwd), 'w', "workdir", "DIR", "start in this directory", NULL},
	{OPT_LIST, O(env), 'e', "env", "NAME=VALUE", "set a variable; NAME alone passes ours on",
	 NULL},
	{OPT_LIST, O(env_files), 0, "env-file", "FILE", "set the variables of this file", NULL},
	{OPT_LIST, O(volumes), 'v', "volume", "HOST:PATH[:ro]",
	 "show a file or directory of the host at PATH", NULL},
	{OPT_STR, O(entrypoint), 0, "entrypoint", "CMD", "run this instead of the image's own",
	 NULL},
	{OPT_STR, O(name), 0, "name", "NAME", "what it is called", NULL},
	{OPT_FLAG, O(read_only), 0, "read-only", NULL, "its root cannot be written to", NULL},
	{OPT_FLAG, O(rm), 0, "rm", NULL, "nothing of it stays, with -d not even what it has said",
	 NULL},
	{OPT_STR, O(cgroup), 0, "cgroup", "host|own|target",
	 "whose cgroup is charged (default: host, the caller's)",
	 OPT_WORDS("host", "own", "target")},
	{OPT_SIZE, O(memory), 'm', "memory", "BYTES",
	 "memory limit, such as 256m; implies --cgroup own", NULL},
	{OPT_STR, O(cpus), 0, "cpus", "N", "processor limit, such as 0.5; implies --cgroup own",
	 NULL},
	{OPT_UINT, O(pids), 0, "pids", "N", "process limit; implies --cgroup own", NULL},
	{OPT_STR, O(kit), 0, "kit", "FILE|DIR|none",
	 "use this kit of tools; with --image: have a kit beside the image", NULL},
	{OPT_FLAG, O(explain), 0, "explain", NULL, "print what would be done, and do nothing",
	 NULL},
	{OPT_FLAG, O(quiet), 'q', "quiet", NULL, "nothing but errors: no greeting, no warnings",
	 NULL},
	{OPT_FLAG, O(json), 0, "json", NULL, "print --explain and errors as JSON", NULL},
	{},
};

/* Who it is about, what its root is, and what is asked. */
struct sidekick {
	char *journals; /* HOST:PATH of inject's, where it may be used inside */
	const struct target_roots *roots;
	const struct sidekick_opts *o;
	struct subject image; /* empty: the kit */
	struct target t;
	struct strv argv;
	struct beside_request beside;
	struct request req;
};

static void sidekick_done(struct sidekick *s)
{
	subject_done(&s->image);
	target_done(&s->t);
	strv_done(&s->argv);
	free(s->journals);
}

/* Whoever may trace and mount can put an operating system into the target: 'porthole inject' works
 * inside, and its journal is the host's, which stays. */
static int inject_inside(struct sidekick *s, struct err *e)
{
	const uint64_t needs = CAPS_BIT(CAP_SYS_PTRACE) | CAPS_BIT(CAP_SYS_ADMIN);
	_cleanup_free_ char *place = NULL;
	struct err why = {};
	uint64_t caps = 0;

	for (size_t i = 0; i < s->o->cap_add.n; i++) {
		uint64_t some = 0;

		if (caps_parse(s->o->cap_add.v[i], &some, e) < 0)
			return -e->num;
		caps |= some;
	}
	s->beside.self = (caps & needs) == needs;
	if (!s->beside.self || journal_place(!s->o->explain, &place, &why) < 0)
		return 0;
	s->journals = str_fmt("%s:" JOURNAL_STATE "/inject", place);
	s->beside.ours = s->journals;
	return s->journals ? 0 : err_set(e, ENOMEM, "planning the sidekick");
}

static int fill(struct sidekick *s, struct ctx *ctx, int argc, char **argv, struct err *e)
{
	const struct sidekick_opts *o = s->o;
	int r;

	if (subject_argv(o->image ? &s->image.store.config : NULL, o->entrypoint,
			 o->detach && !o->interactive && !o->tty, argc, argv, &s->argv) < 0)
		return err_set(e, ENOMEM, "planning the sidekick");
	s->beside = (struct beside_request){
		.share = o->share,
		.volumes = o->volumes,
		.cap_add = o->cap_add,
		.cap_drop = o->cap_drop,
		.name = o->name,
		.read_only = o->read_only,
	};
	s->req = (struct request){
		.user = o->user,
		.cwd = o->cwd,
		.kit = o->kit	  ? o->kit
		       : o->image ? "none"
				  : NULL,
		.cgroup = o->cgroup   ? o->cgroup
			  : o->detach ? "own"
				      : NULL,
		.env = o->env,
		.env_files = o->env_files,
		/* whoever attaches may type */
		.interactive = o->interactive || (o->detach && o->tty),
		.tty = o->tty,
		.tty_in = !o->detach && isatty(STDIN_FILENO),
		.tty_out = !o->detach && ctx->tty_out,
		.limits = {.memory = o->memory, .pids = o->pids},
		.beside = &s->beside,
		.argc = (int)s->argv.n,
		.argv = s->argv.v,
	};
	r = exec_cpus(o->cpus, &s->req.limits.cpus, e);
	return r < 0 ? r : inject_inside(s, e);
}

/* The target must run: a sidekick is beside something. */
static int open_all(struct sidekick *s, const char *typed, struct err *e)
{
	int r = target_resolve(s->roots, typed, &s->t, e);

	if (r == 0)
		r = target_pin(s->roots, &s->t, e);
	if (r == 0 && s->o->image && !s->o->engine)
		r = subject_open_image(s->roots, s->o->image, &s->image, e);
	return r;
}

static char *ended_words_of(void *data)
{
	const struct sidekick *s = data;
	_cleanup_free_ char *label = str_printable_dup(s->t.name);
	_cleanup_free_ char *how = again_ended(s->roots, &s->t, label ? label : "?");

	return how ? str_fmt("%s; the sidekick goes on, beside nobody", how) : NULL;
}

static void greet(const struct plan *p, bool color, struct buf *b)
{
	const char *on = color ? "\033[1m" : "", *off = color ? "\033[0m" : "";
	char names[64];

	buf_printf(b, "%sporthole:%s beside %s%s%s (%s, pid %d) as %s, with files of %s.\n", on,
		   off, on, p->label, off,
		   str_eq(p->target->engine, "none") ? "no engine" : p->target->engine,
		   (int)p->target->pid, p->who.name, p->store ? p->where : "the kit's");
	ns_names(p->ns_join | p->ns_same, names, sizeof(names));
	buf_printf(b,
		   "          Shared: %s. Its files are at /" BESIDE_TARGET
		   ", live; what you write elsewhere is forgotten.\n",
		   *names ? names : "nothing");
	buf_puts(b, p->outlive ? "          It ends when you leave.\n"
			       : "          It ends when you leave, and when its target ends.\n");
}

static int run_plan(struct sidekick *s, struct plan *p, struct ctx *ctx, struct err *e)
{
	_cleanup_buf_ struct buf hello = {};
	_cleanup_close_ int held = -EBADF;
	struct session_talk talk = {.ended = ended_words_of, .data = s};

	if (p->shell && !s->o->quiet)
		greet(p, ctx->color_err, &hello);
	if (s->o->name && launch_name_front(s->o->name, &held, e) < 0)
		return -e->num;
	exec_warn(p);
	talk.greeting = hello.data;
	return session_blame_kit(p, session_run(p, &talk, e), e);
}

/* Letters that the target's name has and ours may not become '-'. */
static char *default_name(const char *target)
{
	_cleanup_free_ char *from = strndup(target, LAUNCH_NAME_MAX - 16);

	for (char *c = from; c && *c; c++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-",
			    *c))
			*c = '-';
	if (!from)
		return NULL;
	return str_fmt("%s-sidekick", strspn(from, "_.-") ? "x" : from);
}

static int detach(struct sidekick *s, struct plan *p, struct err *e)
{
	_cleanup_free_ char *name = s->o->name ? strdup(s->o->name) : default_name(s->t.name);
	const struct launch l = {
		.name = name,
		.image = p->store ? p->where : "kit",
		.rm = s->o->rm,
		.input = s->o->interactive,
		.ended = ended_words_of,
		.data = s,
	};

	exec_warn(p);
	if (!name)
		return err_set(e, ENOMEM, "starting it in the background");
	return background_start(p, &l, s->o->name, e);
}

/* What the plan knows, and what was asked for in words. */
static int explain(const struct sidekick *s, const struct plan *p, struct ctx *ctx, struct err *e)
{
	struct out_style style = {.color = ctx->color};
	_cleanup_json_ json_t *j = NULL;
	json_t *volumes = json_array();

	if (!ctx->json) {
		json_decref(volumes);
		return exec_explain(p, ctx, e);
	}
	for (size_t i = 0; i < s->o->volumes.n; i++)
		json_array_append_new(volumes, json_text(s->o->volumes.v[i]));
	j = plan_json(p);
	if (!j ||
	    json_object_set_new(j, "image", p->store ? json_text(p->where) : json_null()) < 0 ||
	    json_object_set_new(j, "volumes", volumes) < 0)
		return err_set(e, ENOMEM, "explaining the plan");
	return out_json(stdout, j, &style, e);
}

static int check(const struct sidekick_opts *o, struct err *e)
{
	return o->name ? launch_name_check(o->name, e) : 0;
}

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	_cleanup_roots_ struct target_roots roots = {.root_fd = -EBADF, .proc_fd = -EBADF};
	_cleanup_(sidekick_done) struct sidekick s = {
		.roots = &roots, .o = opts, .image = SUBJECT_INIT, .t = TARGET_INIT};
	_cleanup_plan_ struct plan p = PLAN_INIT;
	int r = check(s.o, e);

	if (r == 0)
		r = target_roots_open(&roots, e);
	if (r == 0)
		r = open_all(&s, argv[0], e);
	if (r == 0 && s.o->engine)
		return sidekick_by_engine(ctx, s.o, &roots, &s.t, argc - 1, argv + 1, e);
	if (r == 0)
		r = fill(&s, ctx, argc - 1, argv + 1, e);
	if (r == 0)
		r = plan_make_beside(&p, &s.t, s.o->image ? &s.image.store : NULL, &s.req, e);
	if (r < 0)
		return r;
	if (s.o->explain)
		return explain(&s, &p, ctx, e);
	p.quiet = s.o->quiet;
	r = session_seal(&p, e);
	if (r < 0)
		return r;
	return s.o->detach ? detach(&s, &p, e) : run_plan(&s, &p, ctx, e);
}

const struct verb verb_sidekick = {
	.name = "sidekick",
	.args = "TARGET [CMD [ARG...]]",
	.summary = "Start a new container that shares a container's network, processes and more",
	.details =
		"A sidekick is a container of its own: its files are those of the kit of tools, or "
		"of any image (--image),\n"
		"and it joins the target's namespaces that --share names; what is not shared is "
		"its own, new and empty.\n"
		"So `curl 127.0.0.1`, `tcpdump` and `strace -p 1` work on a target that has no "
		"tools and no rights for\n"
		"them: its capabilities are not the target's but docker's default ones, and "
		"what --cap-add adds.\n\n"
		"The target's files are at /" BESIDE_TARGET
		", live. All else can be written to, and is forgotten. Options may\n"
		"follow TARGET; they mean what they do with docker run. With --image, CMD follows "
		"the image's entry point.\n"
		"With SYS_PTRACE and SYS_ADMIN, 'porthole inject pid:1' works in it: the host's "
		"tools are not needed,\n"
		"and 'porthole eject TARGET' on the host takes out what was put in.\n\n"
		"It ends with its command, and leaves nothing. Where pid is shared it also ends "
		"with the target.\n\n"
		"The exit code is the command's; 128+N when signal N killed it; 127, 126 and 125 "
		"as with exec.",
	.examples =
		"  porthole sidekick web                                  a shell beside 'web'\n"
		"  porthole sidekick web --share net curl 127.0.0.1:8080  its loopback\n"
		"  porthole sidekick web --cap-add SYS_PTRACE strace -fp 1\n"
		"  porthole sidekick web --cap-add SYS_PTRACE --cap-add SYS_ADMIN \\\n"
		"      porthole inject --from busybox pid:1               an OS put in from "
		"beside\n"
		"  porthole sidekick web --image debian:12 bash           a full system beside it\n"
		"  porthole sidekick web --engine docker                  seen in docker ps\n"
		"  porthole sidekick web --image ./tools.tar -v /tmp:/out -- tcpdump -w /out/x\n"
		"  porthole sidekick web --explain                        what would be done\n",
	.opts = options,
	.opts_size = sizeof(struct sidekick_opts),
	.flags = VERB_STOP_AT_CMD | VERB_RUNS_CMD,
	.complete = COMPLETE_TARGET,
	.min_args = 1,
	.max_args = -1,
	.run = run,
};

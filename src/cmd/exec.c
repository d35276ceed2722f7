#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/cli.h"
#include "out/json_print.h"
#include "cmd/again.h"
#include "cmd/changes_report.h"
#include "cmd/exec_many.h"
#include "cmd/exec_parts.h"
#include "cmd/exec_warn.h"
#include "cmd/greeting.h"
#include "cmd/kit_shown.h"
#include "cmd/prove_report.h"
#include "cmd/subject.h"
#include "cmd/visit_opts.h"
#include "session/seal.h"
#include "session/session.h"
#include "sys/pidfd.h"
#include "target/ended.h"
#include "target/target.h"

struct exec_opts {
	bool interactive, tty, explain, prove, force, json, quiet, freeze, outlive, follow, diff,
		all;
	const char *user, *cwd, *kit, *view, *cgroup, *caps, *cpus, *keep;
	struct strv env, env_files, ns, filter;
	uint64_t memory, pids, parallel;
};

#define O(field) offsetof(struct exec_opts, field)

static const struct opt options[] = {
	{OPT_FLAG, O(interactive), 'i', "interactive", NULL, "pass our standard input on", NULL},
	{OPT_FLAG, O(tty), 't', "tty", NULL, "give the command a terminal of its own", NULL},
	{OPT_STR, O(user), 'u', "user", "USER[:GROUP]",
	 "run as this user or uid of the target; 'target' is the app's own (default: root)", NULL},
	OPT_VISIT_CWD(O(cwd)),
	OPT_VISIT_ENV(O(env)),
	{OPT_LIST, O(env_files), 0, "env-file", "FILE", "set the variables of this file", NULL},
	{OPT_CSV, O(ns), 0, "ns", "LIST",
	 "join only these namespaces (mnt,net,pid,ipc,uts,cgroup,user,time); without mnt the "
	 "host's tools run",
	 OPT_WORDS("mnt", "net", "pid", "ipc", "uts", "cgroup", "user", "time", "all", "mount",
		   "network", "process", "hostname")},
	{OPT_STR, O(caps), 0, "caps", "LIST",
	 "the command's capabilities: all, none, docker, target (what its process has), or "
	 "names (default: all we have)",
	 NULL},
	{OPT_STR, O(cgroup), 0, "cgroup", "host|own|target",
	 "whose cgroup is charged (default: host, the caller's)",
	 OPT_WORDS("host", "own", "target")},
	{OPT_SIZE, O(memory), 0, "memory", "BYTES",
	 "memory limit, such as 256m; implies --cgroup own", NULL},
	{OPT_STR, O(cpus), 0, "cpus", "N", "processor limit, such as 0.5; implies --cgroup own",
	 NULL},
	{OPT_UINT, O(pids), 0, "pids", "N", "process limit; implies --cgroup own", NULL},
	{OPT_STR, O(view), 0, "view", "live|cow|kit",
	 "what / is: the target's own files, those with everything writable and forgotten, or the "
	 "kit's with the target at /target (default: live)",
	 OPT_WORDS("live", "cow", "kit")},
	OPT_VISIT_KIT(O(kit)),
	{OPT_FLAG, O(diff), 0, "diff", NULL,
	 "print at the end what the session changed (with --view cow, and of what does not run)",
	 NULL},
	{OPT_STR, O(keep), 0, "keep", "DIR",
	 "save what it changed in this new directory, as your own", NULL},
	{OPT_FLAG, O(freeze), 0, "freeze", NULL,
	 "hold everything in the target still until the session ends, for a consistent look", NULL},
	{OPT_FLAG, O(outlive), 0, "outlive", NULL,
	 "go on when the target ends; its files stay until its engine removes it", NULL},
	{OPT_FLAG, O(follow), 0, "follow", NULL,
	 "when the target has ended and was started again, run the command there again", NULL},
	{OPT_FLAG, O(all), 0, "all", NULL, "in every container that runs; there is no TARGET then",
	 NULL},
	{OPT_LIST, O(filter), 0, "filter", "KEY=VALUE",
	 "with --all: only in those that match, as with porthole ps", NULL},
	{OPT_UINT, O(parallel), 0, "parallel", "N",
	 "so many targets at the same time (default: 16, at most 64)", NULL},
	{OPT_FLAG, O(explain), 0, "explain", NULL, "print what would be done, and do nothing",
	 NULL},
	{OPT_FLAG, O(prove), 0, "prove", NULL,
	 "compare target and host before and after, and print what changed", NULL},
	{OPT_FLAG, O(force), 0, "force", NULL, "enter even the host's own namespaces", NULL},
	{OPT_FLAG, O(quiet), 'q', "quiet", NULL, "nothing but errors: no greeting, no warnings",
	 NULL},
	{OPT_FLAG, O(json), 0, "json", NULL, "print --explain, --prove and errors as JSON", NULL},
	{},
};

struct outlived {
	const struct target_roots *roots;
	const struct plan *plan;
	bool removed; /* told */
};

static char *outlived_words(void *data)
{
	const struct outlived *o = data;
	_cleanup_free_ char *how = again_ended(o->roots, o->plan->target, o->plan->label);

	return how ? str_fmt("%s; its files stay here until you leave, or its engine removes it",
			     how)
		   : NULL;
}

/* Its files went while they were looked at. */
static char *removed_words(void *data)
{
	struct outlived *o = data;

	if (o->removed || !exec_root_is_gone(o->plan))
		return NULL;
	o->removed = true;
	return str_fmt("'%s' was removed by its engine: what it had written is gone, but for "
		       "memory and volumes",
		       o->plan->label);
}

static void report_not_kept(const struct keep *k)
{
	if (k->others)
		fprintf(stderr,
			"porthole: owners are not kept: %zu of %zu had another one, all is yours "
			"now\n",
			k->others, k->saved);
	for (size_t i = 0; i < k->why.n; i++)
		fprintf(stderr, "%s%s", i ? ", " : "porthole: not kept: ", k->why.v[i]);
	if (k->left_out > k->why.n)
		fprintf(stderr, " and %zu more", k->left_out - k->why.n);
	if (k->why.n)
		fputc('\n', stderr);
	if (k->cut)
		fprintf(stderr, "porthole: not kept: what lies deeper than %d directories\n",
			CHANGES_DEPTH);
}

/* What was written in a view that forgets. */
static int report_changes(const struct plan *p, const struct exec_opts *o, struct keep *k,
			  const struct overlay_scratch *scratch, struct ctx *ctx, struct err *e)
{
	_cleanup_changes_ struct changes c = {};
	int r = o->diff ? changes_read(p, scratch, &c, e) : 0;

	if (r == 0 && o->diff)
		r = changes_report(&c, ctx, e);
	if (r == 0 && o->keep)
		r = keep_save(k, p, scratch, e);
	if (r == 0 && o->keep)
		report_not_kept(k);
	return r;
}

static int report_proof(const struct plan *p, const struct prove *before, struct ctx *ctx,
			struct err *e)
{
	_cleanup_(prove_done) struct prove after = {};
	int r = prove_take_after(p->target, p->store, before, &after, e);

	return r < 0 ? r : prove_report(before, &after, ctx, e);
}

static int run_plan(struct plan *p, const struct target_roots *roots, const struct exec_opts *o,
		    struct keep *k, struct ctx *ctx, struct err *e)
{
	struct outlived outlived = {.roots = roots, .plan = p};
	_cleanup_(prove_done) struct prove before = {};
	_cleanup_scratch_ struct overlay_scratch changes = OVERLAY_SCRATCH_INIT;
	_cleanup_close_ int mounts = -EBADF;
	_cleanup_free_ char *removed = NULL;
	_cleanup_buf_ struct buf hello = {};
	struct session_talk talk = {.ended = outlived_words,
				    .removed = removed_words,
				    .data = &outlived,
				    .changes = &changes};
	int code, r;

	if (o->prove && (r = prove_take(p->target, p->store, &before, e)) < 0)
		return r;
	if (p->shell && !o->quiet)
		greeting(p, ctx->color_err, &hello);
	else if (!o->quiet && !ctx->json)
		greeting_forgets(p, o->keep, &hello);
	p->quiet = o->quiet;
	exec_warn(p);
	talk.greeting = hello.data;
	if (!p->store && (o->diff || o->keep)) /* to compare with, also when it has ended */
		mounts = openat(p->target->proc_fd, "ns/mnt", O_RDONLY | O_CLOEXEC);
	code = session_blame_kit(p, session_run(p, &talk, e), e);
	if (talk.thawed)
		fprintf(stderr,
			"porthole: somebody else thawed '%s' meanwhile: what was seen may be of "
			"different moments\n",
			p->label);
	if (code < 0)
		return code;
	removed = p->store || p->outlive ? removed_words(&outlived) : NULL;
	if (removed)
		fprintf(stderr, "porthole: %s\n", removed);
	r = o->diff || o->keep ? report_changes(p, o, k, &changes, ctx, e) : 0;
	if (r == 0 && o->prove)
		r = report_proof(p, &before, ctx, e);
	return r < 0 ? r : code;
}

/* --diff and --keep are of a view that forgets; that of a running target must be asked for. */
static int check_keep(const struct exec_opts *o, const struct plan *p, struct keep *k,
		      struct err *e)
{
	if (!o->diff && !o->keep)
		return 0;
	if (!p->cow.on) {
		err_say(e, EINVAL, "--diff and --keep tell what a view that forgets was given");
		err_hint(e, "add --view cow: what is written then does not reach '%s'", p->label);
		return -EINVAL;
	}
	return o->keep && !o->explain ? keep_open(k, o->keep, p, e) : 0;
}

/* One session in a target that is held, or on its files. */
static int visit(const struct target_roots *roots, const struct subject *s,
		 const struct exec_opts *o, const struct request *req, struct ctx *ctx,
		 struct err *e)
{
	_cleanup_plan_ struct plan p = PLAN_INIT;
	_cleanup_keep_ struct keep k = KEEP_INIT;
	int r = s->runs ? plan_make(&p, &s->t, req, e)
			: plan_make_store(&p, &s->t, &s->store, req, e);

	if (r == 0)
		r = check_keep(o, &p, &k, e);
	if (r == 0 && !o->explain && p.user_xattr)
		r = kit_from_cache_shown(&p.kit, ctx, e);
	if (r == 0 && !o->explain)
		r = session_seal(&p, e);
	if (r < 0)
		return r;
	return o->explain ? exec_explain(&p, ctx, e) : run_plan(&p, roots, o, &k, ctx, e);
}

/* One session after the other, as long as each ends because, or after, its target did. */
static int follow(const struct target_roots *roots, const char *typed, struct subject *s,
		  const struct exec_opts *o, const struct request *req, struct ctx *ctx,
		  struct err *e)
{
	struct target *t = &s->t;
	_cleanup_free_ char *spec = ended_spec(t, typed), *label = str_printable_dup(t->name);

	if (!s->runs)
		return err_say(e, EINVAL, "'%s' does not run: --follow goes with what does", label);
	if (t->pidfd < 0)
		return err_say(e, ENOSYS, "--follow needs Linux 5.3 (pidfd_open)");
	if (!spec || !label)
		return err_say(e, EINVAL,
			       "--follow needs a container's name: process %d has none to be found "
			       "by when it is started again",
			       (int)t->pid);
	for (;;) {
		_cleanup_free_ char *how = NULL;
		int r = visit(roots, s, o, req, ctx, e);

		if (!pidfd_has_ended(t->pidfd))
			return r;
		how = again_ended(roots, t, label);
		fprintf(stderr, "porthole: %s; waiting for it to start again (Ctrl-C: no more)\n",
			how ? how : label);
		*e = (struct err){};
		r = again_wait(roots, spec, t, 0, t, e);
		if (r < 0)
			return r;
		fprintf(stderr, "porthole: '%s' runs again (pid %d)\n", label, (int)t->pid);
	}
}

static int enter_subject(const struct target_roots *roots, const char *typed, struct subject *s,
			 const struct exec_opts *o, const struct request *req, struct ctx *ctx,
			 struct err *e)
{
	return o->follow && !o->explain ? follow(roots, typed, s, o, req, ctx, e)
					: visit(roots, s, o, req, ctx, e);
}

/* One target, whatever it is. */
static int enter(const struct target_roots *roots, const char *typed, const struct exec_opts *o,
		 const struct request *req, struct ctx *ctx, struct err *e)
{
	_cleanup_subject_ struct subject s = SUBJECT_INIT;
	int r = subject_open(roots, typed, &s, e);

	return r < 0 ? r : enter_subject(roots, typed, &s, o, req, ctx, e);
}

/* What one of several is given. */
struct shared {
	const struct target_roots *roots;
	const struct exec_opts *opts;
	const struct request *req;
	struct ctx *ctx;
};

static int enter_one(void *data, const char *name, struct err *e)
{
	const struct shared *s = data;

	return enter(s->roots, name, s->opts, s->req, s->ctx, e);
}

/* What cannot be had in several targets at once. */
static int check_several(const struct exec_opts *o, const struct request *req, struct err *e)
{
	const char *what = o->tty	    ? "-t"
			   : o->interactive ? "-i"
			   : o->follow	    ? "--follow"
			   : o->keep	    ? "--keep"
					    : NULL;

	if (what)
		return err_say(e, EINVAL, "%s is for one target, not for several at once", what);
	if (!req->argc)
		return err_say(e, EINVAL, "several targets need a command; a shell is for one");
	return 0;
}

static int enter_several(const struct target_roots *roots, const struct strv *names,
			 const struct exec_opts *o, struct request *req, struct ctx *ctx,
			 struct err *e)
{
	struct shared s = {.roots = roots, .opts = o, .req = req, .ctx = ctx};
	struct exec_many x = {
		.names = names, .parallel = o->parallel, .one = enter_one, .data = &s};
	int r = check_several(o, req, e);

	req->tty_in = req->tty_out = false;
	return r < 0 ? r : exec_many(&x, ctx, e);
}

/* "A,B,C", unless that is a name itself. Children cannot start over to be out of a target's reach,
 * so we do before we look. */
static int enter_list(const struct target_roots *roots, const char *typed,
		      const struct exec_opts *o, struct request *req, struct ctx *ctx,
		      struct err *e)
{
	_cleanup_subject_ struct subject s = SUBJECT_INIT;
	_cleanup_strv_ struct strv names = {};
	int r = o->explain ? 0 : session_seal_now(e);

	if (r < 0)
		return r;
	if (subject_open(roots, typed, &s, NULL) == 0)
		return enter_subject(roots, typed, &s, o, req, ctx, e);
	r = exec_many_split(typed, &names, e);
	return r < 0 ? r : enter_several(roots, &names, o, req, ctx, e);
}

static int enter_all(const struct target_roots *roots, const struct exec_opts *o,
		     struct request *req, struct ctx *ctx, struct err *e)
{
	_cleanup_strv_ struct strv names = {};
	int r = check_several(o, req, e);

	if (r == 0 && !o->explain)
		r = session_seal_now(e);
	if (r == 0)
		r = exec_many_find(roots, &o->filter, &names, e);
	return r < 0 ? r : enter_several(roots, &names, o, req, ctx, e);
}

static int check_words(const struct exec_opts *o, int argc, struct err *e)
{
	if (!o->all && o->filter.n)
		return err_say(e, EINVAL, "--filter goes with --all");
	if (argc || o->all)
		return 0;
	err_say(e, EINVAL, "'porthole exec' needs TARGET");
	err_hint(e, "see 'porthole exec --help'");
	return -EINVAL;
}

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	struct exec_opts *o = opts;
	_cleanup_roots_ struct target_roots roots = {.root_fd = -EBADF, .proc_fd = -EBADF};
	int words = o->all || !argc ? 0 : 1;
	struct request req = {
		.user = o->user,
		.cwd = o->cwd,
		.kit = o->kit,
		.view = o->view,
		.cgroup = o->cgroup,
		.caps = o->caps,
		.env = o->env,
		.env_files = o->env_files,
		.ns = o->ns,
		.interactive = o->interactive,
		.tty = o->tty,
		.tty_in = isatty(STDIN_FILENO),
		.tty_out = ctx->tty_out,
		.force = o->force,
		.freeze = o->freeze,
		.outlive = o->outlive,
		.quick = !o->explain,
		.limits = {.memory = o->memory, .pids = o->pids},
		.argc = argc - words,
		.argv = argv + words,
	};
	int r = check_words(o, argc, e);

	if (req.argc && str_eq(req.argv[0], "--")) {
		req.argc--;
		req.argv++;
	}
	if (r == 0)
		r = exec_cpus(o->cpus, &req.limits.cpus, e);
	if (r == 0)
		r = target_roots_open(&roots, e);
	if (r < 0)
		return r;
	if (o->all)
		return enter_all(&roots, o, &req, ctx, e);
	return strchr(argv[0], ',') ? enter_list(&roots, argv[0], o, &req, ctx, e)
				    : enter(&roots, argv[0], o, &req, ctx, e);
}

const struct verb verb_exec = {
	.name = "exec",
	.args = "TARGET[,TARGET...] [CMD [ARG...]]",
	.summary = "Run a command, or a shell with every tool, inside a container, running or not",
	.details =
		"TARGET is a container's name, its id or the start of it, POD/CONTAINER, a "
		"machine's name, a\n"
		"PID, or ENGINE://NAME; or what never ran: image://NAME, an archive (FILE.tar, "
		"FILE.tar.gz) or a\n"
		"directory (DIR/). Without CMD a shell opens. The target's own files are /, "
		"live; the kit of\n"
		"tools is at " KIT_PREFIX
		" and first in PATH. Nothing is written into the target, which is neither\n"
		"restarted nor slowed down; whatever the session started is killed at its end.\n\n"
		"What does not run is opened as it was left, in namespaces of the session's own: "
		"everything can be\n"
		"written to, and is forgotten. So it is with --view cow in what runs.\n\n"
		"Several targets, A,B,C, or --all that run: the command runs in each at the same "
		"time, without\n"
		"input, and each line of its output follows its target's name. The exit code is "
		"the highest.\n\n"
		"The exit code is the command's; 128+N when signal N killed it; 127 when there is "
		"no such command,\n"
		"126 when it cannot be run, 125 when Porthole itself failed.",
	.examples =
		"  porthole exec web                            a shell in the container 'web'\n"
		"  porthole exec web strace -fp 1               trace its first process\n"
		"  porthole exec -u target web ls -l /data      as the app's own user\n"
		"  porthole exec shop/cart curl 127.0.0.1:8080  container 'cart' of the pod "
		"'shop'\n"
		"  porthole exec --ns net web -- ss -tlpn       the host's ss, web's network\n"
		"  echo 'select 1' | porthole exec db psql      pipes are passed on as they are\n"
		"  porthole exec --cgroup own --memory 256m web gdb -p 1\n"
		"  porthole exec --freeze web tar c /data >data.tar   files as of one moment\n"
		"  porthole exec --outlive web                  stay when it crashes\n"
		"  porthole exec --follow web strace -fp 1      trace it, and again after each "
		"restart\n"
		"  porthole exec --view cow --diff web apt-get -y upgrade   see what it would "
		"change\n"
		"  porthole exec --keep out crashed             what is left of a container, and "
		"what you make of it\n"
		"  porthole exec image://nginx                  an image; or ./rootfs.tar.gz, or "
		"DIR/\n"
		"  porthole exec web,db,cache uptime            in all three at once\n"
		"  porthole exec --all --filter engine=podman -- ss -tln\n"
		"  porthole exec --prove web true               show that nothing changed\n",
	.opts = options,
	.opts_size = sizeof(struct exec_opts),
	.flags = VERB_STOP_AT_ARG | VERB_RUNS_CMD,
	.complete = COMPLETE_TARGET,
	.max_args = -1,
	.run = run,
};

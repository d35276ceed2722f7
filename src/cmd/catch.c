/* porthole catch: hold what a container leaves when it dies, and look at it. */
#include "cmd/catch.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/cli.h"
#include "cmd/again.h"
#include "cmd/visit_opts.h"
#include "out/json_print.h"
#include "session/seal.h"
#include "session/session.h"
#include "sys/mountinfo.h"

enum {
	EXIT_TIMEOUT = 124, /* timeout(1)'s */
	LOOK_MS = 1000,
	LOOK_SHARE = 100, /* at most one part in a hundred of a processor */
	CODE_WAIT_MS = 1000,
	REMOVED_WAIT_MS = 500, /* by its engine, after its end */
};

struct catch_opts {
	bool no_session, next, json, quiet;
	const char *user, *cwd, *kit;
	struct strv env;
	uint64_t timeout, keep_max;
};

#define O(field) offsetof(struct catch_opts, field)

static const struct opt options[] = {
	{OPT_FLAG, O(next), 0, "next", NULL, "wait for the target to start, if it does not run",
	 NULL},
	{OPT_UINT, O(timeout), 0, "timeout", "SECONDS", "give up when it still runs then", NULL},
	{OPT_SIZE, O(keep_max), 0, "keep-max", "BYTES",
	 "copy so much of what it had written to memory (k, m, g; default: 128m, files up to 16m)",
	 NULL},
	{OPT_FLAG, O(no_session), 0, "no-session", NULL, "only report", NULL},
	{OPT_STR, O(user), 'u', "user", "USER[:GROUP]",
	 "look as this user or uid of the target (default: root)", NULL},
	OPT_VISIT_CWD(O(cwd)),
	OPT_VISIT_ENV(O(env)),
	OPT_VISIT_KIT(O(kit)),
	{OPT_FLAG, O(quiet), 'q', "quiet", NULL, "no line when armed, and no greeting", NULL},
	{OPT_FLAG, O(json), 0, "json", NULL, "print the report and errors as JSON", NULL},
	{},
};

struct catcher {
	const struct target_roots *roots;
	const struct catch_opts *o;
	const struct request *req;
	struct ctx *ctx;
	struct target t;
	struct plan plan;
	struct last last;
	int sigfd;
	int mounts;	    /* its mount table, which wakes us when it changes */
	struct store store; /* its layers; none: not to be told, or not one of layers */
	struct rescue rescue, init;
	bool session;
};

static void catcher_done(struct catcher *c)
{
	plan_done(&c->plan);
	last_done(&c->last);
	cleanup_close(&c->sigfd);
	cleanup_close(&c->mounts);
	store_done(&c->store);
	rescue_done(&c->rescue);
	rescue_done(&c->init);
	target_done(&c->t);
}

static int make_plan(struct catcher *c, struct plan *p, struct err *e)
{
	int r = plan_make(p, &c->t, c->req, e);

	return r < 0 ? r : plan_hold(p, e);
}

/* Its mounts have changed: plan for those there are now. When it is just ending the former plan
 * holds. */
static void plan_again(struct catcher *c)
{
	struct plan p = PLAN_INIT;

	if (make_plan(c, &p, NULL) < 0) {
		plan_done(&p);
		return;
	}
	plan_done(&c->plan);
	c->plan = p;
}

/* Its layers on the host, if the first is what its root shows: an engine's files may tell of
 * another root than the process has. */
static void find_layers(struct catcher *c)
{
	struct store s = STORE_INIT;
	struct stat layer, shown;

	if (store_of_target(c->roots, &c->t, &s, NULL) == 0 && s.n_layers > 1 &&
	    fstat(s.layers[0].fd, &layer) == 0 && fstat(c->plan.root_fd, &shown) == 0 &&
	    layer.st_ino == shown.st_ino && layer.st_dev != shown.st_dev) {
		c->store = s;
		return;
	}
	store_done(&s);
}

static int block_signals(struct catcher *c, struct err *e)
{
	static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

	c->sigfd = fd_signals(ending, ARRAY_LEN(ending), NULL, e);
	return c->sigfd < 0 ? c->sigfd : 0;
}

static int arm(struct catcher *c, struct err *e)
{
	const struct target *t = &c->t;
	_cleanup_free_ char *image = t->image ? str_printable_dup(t->image) : NULL;
	int r;

	if (t->pidfd < 0)
		return err_say(e, ENOSYS, "catch needs Linux 5.3 (pidfd_open)");
	r = plan_make(&c->plan, t, c->req, e);
	if (r == 0)
		r = session_seal(&c->plan, e);
	if (r == 0)
		r = plan_hold(&c->plan, e);
	if (r == 0)
		r = block_signals(c, e);
	if (r < 0)
		return r;
	r = last_open(&c->last, c->roots, t);
	if (r == -ENOMEM)
		return err_set(e, r, "looking at '%s'", c->plan.label);
	find_layers(c);
	c->mounts = openat(t->proc_fd, "mountinfo", O_RDONLY | O_CLOEXEC);
	if (!c->o->quiet)
		fprintf(stderr,
			"porthole: armed on '%s' (%s%s%s, pid %d): waiting for its end; "
			"Ctrl-C disarms\n",
			c->plan.label, t->engine, image ? ", " : "", image ? image : "",
			(int)t->pid);
	return 0;
}

static int disarmed(const struct catcher *c, struct err *e)
{
	struct signalfd_siginfo si = {.ssi_signo = SIGTERM};

	if (read(c->sigfd, &si, sizeof(si)) < 0)
		si.ssi_signo = SIGTERM;
	err_say(e, EINTR, "disarmed: '%s' still runs", c->plan.label);
	return err_exit(e, 128 + (int)si.ssi_signo);
}

/* Until it ends. 0, or -errno when we are to stop before. */
static int watch(struct catcher *c, struct err *e)
{
	int64_t end = c->o->timeout ? last_now() + (int64_t)c->o->timeout * 1000 : INT64_MAX;
	int64_t next = last_now() + LOOK_MS;

	for (;;) {
		struct pollfd fds[] = {{.fd = c->t.pidfd, .events = POLLIN},
				       {.fd = c->sigfd, .events = POLLIN},
				       {.fd = c->mounts, .events = POLLPRI}};
		int64_t now = last_now(), wait = (next < end ? next : end) - now;
		int r = poll(fds, 3, wait < 0 ? 0 : (int)wait);

		if (r < 0 && errno != EINTR)
			return err_set(e, errno, "waiting for the end of '%s'", c->plan.label);
		if (r > 0 && fds[0].revents)
			return 0;
		if (r > 0 && fds[1].revents)
			return disarmed(c, e);
		if (r > 0 && fds[2].revents)
			plan_again(c);
		now = last_now();
		if (now >= end) {
			err_say(e, ETIMEDOUT, "'%s' still runs after %llu second%s", c->plan.label,
				(unsigned long long)c->o->timeout, c->o->timeout == 1 ? "" : "s");
			return err_exit(e, EXIT_TIMEOUT);
		}
		if (now < next)
			continue;
		last_look(&c->last, c->roots, &c->t);
		next = last_now() +
		       (c->last.cost * LOOK_SHARE > LOOK_MS ? c->last.cost * LOOK_SHARE : LOOK_MS);
	}
}

/* What is mounted in what we hold. */
static void count_mounts(const struct catcher *c, struct caught *out)
{
	_cleanup_mountinfo_ struct mountinfo m = {};
	char *text;

	if (c->mounts < 0 || lseek(c->mounts, 0, SEEK_SET) < 0 ||
	    fd_read_all(c->mounts, MOUNTINFO_MAX, &text, NULL) < 0 || mountinfo_parse(text, &m) < 0)
		return;
	out->mounts = m.n;
	for (size_t i = 0; i < m.n; i++)
		if (str_eq(m.v[i].fstype, "tmpfs") && !str_eq(m.v[i].target, "/dev") &&
		    !str_starts(m.v[i].target, "/proc/") && !str_starts(m.v[i].target, "/sys/"))
			strv_add(&out->memory, m.v[i].target);
}

static bool was_removed(const struct catcher *c)
{
	struct stat st;

	return c->store.n_layers && fstat(c->store.layers[0].fd, &st) == 0 && st.st_nlink == 0;
}

static bool runs_again(const struct catcher *c)
{
	_cleanup_free_ char *spec = ended_spec(&c->t, "pid:1"); /* ENGINE://ID */
	_cleanup_target_ struct target now = TARGET_INIT;

	return spec && target_resolve(c->roots, spec, &now, NULL) == 0 &&
	       now.state == TARGET_RUNNING && (now.pid != c->t.pid || now.start != c->t.start);
}

/* To standard output, unless the session's own output goes there. */
static int report(const struct catcher *c, const struct caught *x, struct err *e)
{
	FILE *out = c->session ? stderr : stdout;
	struct out_style style =
		out_style_of(fileno(out), c->session ? c->ctx->color_err : c->ctx->color);
	int r;

	if (c->ctx->json) {
		_cleanup_json_ json_t *j = caught_json(x);

		return out_json(out, j, &style, e);
	}
	r = caught_text(out, x, &style);
	return r < 0 ? err_set(e, r, "reporting the end of '%s'", c->plan.label) : 0;
}

static int look_at(struct catcher *c, const struct caught *before, struct err *e)
{
	_cleanup_free_ char *greeting = NULL;
	struct session_talk talk = {};
	int code;

	if (c->plan.shell && !c->o->quiet)
		greeting = str_fmt("porthole: in what is left of %s, as %s. What you write is "
				   "forgotten.\n%s",
				   c->plan.label, c->plan.who.name,
				   c->plan.kit.kind == KIT_NONE
					   ? ""
					   : "          Tools: " KIT_BIN
					     ", first in PATH. Leave with exit.\n");
	talk.greeting = greeting;
	code = session_run(&c->plan, &talk, e);
	if (code < 0)
		return code;
	if (c->plan.hold.root >= 0) /* all was copied */
		return code;
	if (!before->removed && was_removed(c))
		fprintf(stderr,
			"porthole: its engine has removed '%s' meanwhile, and with it what "
			"it had written outside of memory and volumes\n",
			c->plan.label);
	else if (!before->restarted && runs_again(c))
		fprintf(stderr,
			"porthole: '%s' was started again meanwhile: what it has written "
			"since then was seen too\n",
			c->plan.label);
	return code;
}

/* The image's layers below the copies of its own: a root that stays whole whatever is removed. */
static void stand_in(struct catcher *c)
{
	struct store *s = &c->store, mine = *s;
	_cleanup_free_ struct store_layer *layers = calloc(s->n_layers, sizeof(*layers));

	if (!layers || c->rescue.mnt < 0 || s->uid_map || s->gid_map || s->user_xattr)
		return;
	memcpy(layers, s->layers, s->n_layers * sizeof(*layers));
	layers[0].fd = c->rescue.mnt;
	if (c->init.mnt >= 0)
		layers[1].fd = c->init.mnt;
	mine.layers = layers;
	c->plan.hold.root = store_mount_ro(&mine, NULL, NULL);
}

/* Its own layers, against their removal or its next start: its writable one, and what docker writes
 * when it makes a container. */
static void save_layers(struct catcher *c)
{
	const struct store *s = &c->store;

	if (s->n_layers < 2 || rescue_copy(s->layers[0].fd, c->o->keep_max, &c->rescue) < 0)
		return;
	if (str_ends(s->layers[1].path, "-init/diff"))
		rescue_copy(s->layers[1].fd, c->o->keep_max, &c->init);
}

/* What is looked at: the copies, where they are all or all that is left; else they lie over the
 * root that is held, of which more can be seen as long as it is there. */
static void choose_root(struct catcher *c)
{
	const int64_t until = last_now() + REMOVED_WAIT_MS;

	if (c->rescue.mnt < 0)
		return;
	while (c->rescue.missed && !was_removed(c) && last_now() < until)
		nanosleep(&(struct timespec){.tv_nsec = 20 * 1000000L}, NULL);
	if (!c->rescue.missed || was_removed(c))
		stand_in(c);
	if (c->plan.hold.root < 0)
		c->plan.hold.over = fcntl(c->rescue.mnt, F_DUPFD_CLOEXEC, 3);
}

static int ended(struct catcher *c, struct err *e)
{
	struct caught x = {.t = &c->t, .label = c->plan.label, .last = &c->last};
	int r;

	last_count(&c->last); /* first: the engine removes the cgroup, and then the layer */
	if (c->session)
		save_layers(c);
	x.at = time(NULL);
	x.seen = last_now() - c->last.at;
	x.cwd = c->plan.cwd;
	x.rescue = &c->rescue;
	x.session = c->session;
	count_mounts(c, &x);
	ended_read(c->roots, &c->t, CODE_WAIT_MS, &x.how);
	choose_root(c);
	x.whole = c->plan.hold.root >= 0;
	last_told(&c->last, &c->t);
	x.removed = was_removed(c);
	x.restarted = !x.removed && runs_again(c);
	r = report(c, &x, e);
	if (r == 0 && c->session)
		r = look_at(c, &x, e);
	strv_done(&x.memory);
	return r;
}

static int find(struct catcher *c, const char *typed, struct err *e)
{
	int r = target_resolve(c->roots, typed, &c->t, e);

	if (c->o->next &&
	    (r == -ENOENT || r == -ESRCH ||
	     (r == 0 && c->t.state != TARGET_RUNNING && c->t.state != TARGET_PAUSED))) {
		if (!c->o->quiet)
			fprintf(stderr, "porthole: waiting for '%s' to start; Ctrl-C: no more\n",
				typed);
		*e = (struct err){};
		r = again_wait(c->roots, typed, NULL, c->o->timeout, &c->t, e);
		return r == -ETIMEDOUT ? err_exit(e, EXIT_TIMEOUT) : r;
	}
	r = r < 0 ? r : target_pin(c->roots, &c->t, e);
	if (r == -ESRCH && !c->o->next)
		err_hint(e,
			 "--next waits for its next start; 'porthole exec' opens what is left of "
			 "a stopped container");
	return r;
}

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	const struct catch_opts *o = opts;
	_cleanup_roots_ struct target_roots roots = {.root_fd = -EBADF, .proc_fd = -EBADF};
	bool tty = isatty(STDIN_FILENO) && ctx->tty_out;
	struct request req = {
		.user = o->user,
		.cwd = o->cwd,
		.kit = o->kit,
		.env = o->env,
		.view = "cow",
		.tty_in = isatty(STDIN_FILENO),
		.tty_out = ctx->tty_out,
		.quick = true,
		.argc = argc - 1,
		.argv = argv + 1,
	};
	_cleanup_(catcher_done) struct catcher c = {
		.roots = &roots,
		.o = o,
		.req = &req,
		.ctx = ctx,
		.t = TARGET_INIT,
		.plan = PLAN_INIT,
		.last = LAST_INIT,
		.sigfd = -EBADF,
		.mounts = -EBADF,
		.store = STORE_INIT,
		.rescue = RESCUE_INIT,
		.init = RESCUE_INIT,
	};
	int r;

	if (req.argc && str_eq(req.argv[0], "--")) {
		req.argc--;
		req.argv++;
	} else if (req.argc && *req.argv[0] == '-') { /* it would wait, and not find that command */
		err_say(e, EINVAL, "'%s' after the target would be the command to run",
			req.argv[0]);
		err_hint(e, "write options before the target: porthole catch [OPTION...] %s [CMD]",
			 argv[0]);
		return -EINVAL;
	}
	c.session = !o->no_session && (req.argc || tty);
	r = target_roots_open(&roots, e);
	if (r == 0)
		r = find(&c, argv[0], e);
	if (r == 0)
		r = arm(&c, e);
	if (r == 0)
		r = watch(&c, e);
	return r < 0 ? r : ended(&c, e);
}

const struct verb verb_catch = {
	.name = "catch",
	.args = "TARGET [CMD [ARG...]]",
	.summary = "Wait for a container's end, tell how it ended, and look at what is left",
	.details = "Waits until the target's first process ends. Then all of its mounts are held "
		   "as they "
		   "were, those\n"
		   "in memory (tmpfs, /dev/shm) too, whatever its engine cleans up or starts "
		   "again; it is "
		   "told how it\n"
		   "ended, what it had used and what ran in it; and CMD, or a shell, is run on "
		   "what is "
		   "left, with the\n"
		   "kit of tools at " KIT_PREFIX
		   ". What is written there is forgotten. Without CMD and without a terminal\n"
		   "there is only the report. The target is neither slowed down nor kept from its "
		   "end or "
		   "its restart.\n\n"
		   "The exit code is CMD's; 0 after a report alone; 124 after --timeout; 125 when "
		   "Porthole failed.",
	.examples =
		"  porthole catch web                       wait for its crash, then a shell on "
		"what is left\n"
		"  porthole catch web -- tar c /tmp >t.tar  save files that would be lost\n"
		"  porthole catch --keep-max 2g web         where it writes large files\n"
		"  porthole catch --json web                the report alone, where there is no "
		"terminal\n"
		"  porthole catch --next --timeout 60 job   from its start on\n",
	.opts = options,
	.opts_size = sizeof(struct catch_opts),
	.flags = VERB_STOP_AT_ARG | VERB_RUNS_CMD,
	.complete = COMPLETE_TARGET,
	.min_args = 1,
	.max_args = -1,
	.run = run,
};

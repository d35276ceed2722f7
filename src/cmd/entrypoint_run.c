/*
 * The rehearsal of an entry point: a session on the container's files whose command is the
 * container's own. It runs in a child, which is watched for its time, and whose standard error is
 * looked through for what strace says.
 */
#include "cmd/entrypoint.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "session/seal.h"
#include "session/session.h"
#include "sys/pidfd.h"
#include "sys/userns.h"

enum { FAILED_SHOWN = 6, LINE_BYTES = 512, GRACE = 3, TIMED_OUT = 124 };

/* ---- the plan ---- */

/* What makes a loader load something: for the command, not for strace. */
static bool is_loader_var(const char *var)
{
	return str_starts(var, "LD_") || str_starts(var, "GLIBC_TUNABLES=");
}

static int set_env(const struct entrypoint *ep, bool strace, struct plan *p)
{
	const struct strv *env = &ep->entry.env;
	const char *path = strv_var(&ep->entry.env, "PATH");
	const char *home = ep->report.home ? ep->report.home : "/";
	int r = 0;

	strv_done(&p->env);
	for (size_t i = 0; r == 0 && i < env->n; i++)
		if (!strace || !is_loader_var(env->v[i]))
			r = strv_add(&p->env, env->v[i]);
	if (r == 0 && !path)
		r = strv_push(&p->env, str_fmt("PATH=%s", entry_default_path));
	if (r == 0 && !strv_var(env, "HOME"))
		r = strv_push(&p->env, str_fmt("HOME=%s", home));
	if (r == 0) /* by which what it leaves is found */
		r = strv_push(&p->env, str_fmt("PORTHOLE_SESSION=%s", p->cookie));
	free(p->path);
	p->path = strdup(path ? path : entry_default_path);
	return r < 0 || !p->path ? -ENOMEM : 0;
}

static int add_strace(const struct entrypoint *ep, const char *expr, struct strv *argv)
{
	const struct strv *env = &ep->entry.env;
	int r = strv_add(argv, KIT_BIN "/strace") ?: strv_add(argv, "-f");

	if (r == 0 && *expr)
		r = strv_add(argv, "-e") ?: strv_add(argv, expr);
	for (size_t i = 0; r == 0 && i < env->n; i++)
		if (is_loader_var(env->v[i]))
			r = strv_add(argv, "-E") ?: strv_add(argv, env->v[i]);
	return r < 0 ? r : strv_add(argv, "--");
}

static int set_argv(const struct entrypoint *ep, const struct rehearsal *h, struct plan *p)
{
	const struct strv *base = h->argc ? &ep->entry.entrypoint : &ep->entry.argv;
	int r = h->strace ? add_strace(ep, h->strace, &p->argv) : 0;

	for (size_t i = 0; r == 0 && i < base->n; i++)
		r = strv_add(&p->argv, base->v[i]);
	for (int i = 0; r == 0 && i < h->argc; i++)
		r = strv_add(&p->argv, h->argv[i]);
	return r;
}

/* A session's plan, with the container's own words in place of what a visitor would have. */
static int make_plan(const struct entrypoint *ep, const struct target *t, const struct store *store,
		     const struct rehearsal *h, struct plan *p, struct err *e)
{
	const struct entry *en = &ep->entry;
	char *placeholder[] = {"true"};
	struct request req = {
		.user = en->user && *en->user ? en->user : "0",
		.cwd = en->cwd && *en->cwd ? en->cwd : "/",
		.kit = h->strace ? NULL : "none",
		.tty_in = true, /* neither a terminal nor our input */
		.quick = true,
		.argc = 1,
		.argv = placeholder,
	};
	bool limited = en->memory || en->pids || en->cpus > 0,
	     may_limit = !limited || userns_is_first();
	int r;

	if (may_limit)
		req.limits = (struct limits){en->memory, en->pids, en->cpus};
	if (!ep->report.user_known && ep->report.n) { /* the user comes first of all */
		_cleanup_free_ char *why = entrypoint_clause(ep->report.findings[0].text);

		err_say(e, ENOENT, "%s", why ? why : "");
		err_hint(e, "%s", ep->report.findings[0].fix);
		return err_exit(e, EXIT_CANNOT_RUN);
	}
	if (!en->argv.n && !h->argc) {
		err_say(e, ENOENT, "'%s' has nothing to run", t->name);
		err_hint(e, "name a command: porthole entrypoint --run %s -- CMD", t->name);
		return -ENOENT;
	}
	r = plan_make_store(p, t, store, &req, e);
	if (r < 0)
		return r;
	strv_done(&p->argv);
	p->caps_ambient = false;
	p->rehearsal = true;
	p->no_new_privs = en->no_new_privs;
	r = confined_make(p, h->devices, e);
	if (r < 0)
		return r;
	if (!may_limit && strv_add(&p->confined.left, "its limits of memory, processors and "
						      "processes (setting them needs root)") < 0)
		return err_set(e, ENOMEM, "planning the rehearsal");
	if (set_argv(ep, h, p) < 0 || set_env(ep, h->strace, p) < 0)
		return err_set(e, ENOMEM, "planning the rehearsal");
	return session_seal(p, e);
}

/* ---- what strace says ---- */

/* The last system calls that failed. */
struct failed {
	char line[LINE_BYTES]; /* of what comes in */
	size_t len;
	char last[FAILED_SHOWN][LINE_BYTES];
	size_t n;
	int code; /* 126 or 127: strace itself says that it cannot run the program; else 0 */
	char own[LINE_BYTES]; /* what it says of itself before all else: it did not begin */
	bool begun;	      /* there was a line */
};

/* By docker's contract, whatever strace's own code is. */
static int strace_code(const char *line)
{
	if (strstr(line, "strace: Cannot find executable ") || strstr(line, "strace: Can't stat "))
		return EXIT_NOT_FOUND;
	if (!strstr(line, "strace: exec: "))
		return 0;
	return str_ends(line, "No such file or directory") ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}

/* "openat(...) = -1 ENOENT (No such file or directory)", maybe with "[pid  42] " before it. */
static bool is_failure(const char *line)
{
	static const char *const dull[] = {"EAGAIN", "EINTR",  "ERESTART",
					   "ECHILD", "ENOTTY", "EINPROGRESS"};
	const char *p = line, *ret = strstr(line, " = -1 E");

	if (str_starts(p, "[pid "))
		p += strcspn(p, "]") + 1;
	p += strspn(p, " ");
	if (!ret || !islower((unsigned char)*p) ||
	    p[strspn(p, "abcdefghijklmnopqrstuvwxyz_0123456789")] != '(')
		return false;
	for (size_t i = 0; i < ARRAY_LEN(dull); i++)
		if (str_starts(ret + strlen(" = -1 "), dull[i]))
			return false;
	return true;
}

static void take_text(struct failed *f, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (text[i] != '\n') {
			if (f->len < sizeof(f->line) - 1)
				f->line[f->len++] = text[i];
			continue;
		}
		f->line[f->len] = '\0';
		f->len = 0;
		f->code = strace_code(f->line) ?: f->code;
		if (!f->begun && !f->code && str_starts(f->line, KIT_BIN "/strace: "))
			memcpy(f->own, f->line, sizeof(f->line));
		f->begun = true;
		if (is_failure(f->line))
			memcpy(f->last[f->n++ % FAILED_SHOWN], f->line, sizeof(f->line));
	}
}

/* The program was not run at all. 125, with `e`. */
static int strace_failed(const struct failed *f, struct err *e)
{
	_cleanup_free_ char *why = str_printable_dup(f->own + strlen(KIT_BIN "/strace: "));

	err_say(e, EINVAL, "strace itself failed, and so the program was not run: %s",
		why ? why : "");
	err_hint(e, "--strace=EXPR is its -e EXPR: names of system calls (openat,connect), or "
		    "%%file, %%network, %%process");
	return -EINVAL;
}

static void print_failed(const struct failed *f)
{
	size_t first = f->n > FAILED_SHOWN ? f->n - FAILED_SHOWN : 0;

	if (f->n)
		fputs("porthole: the last system calls that failed:\n", stderr);
	for (size_t i = first; i < f->n; i++) {
		_cleanup_free_ char *line = str_printable_dup(f->last[i % FAILED_SHOWN]);

		fprintf(stderr, "  %s\n", line ? line : "");
	}
}

/* ---- the child, and its watch ---- */

struct watch {
	pid_t pid;
	int pidfd, errors, trace; /* the latter two: read ends; trace -EBADF: none */
	struct failed failed;
	uint64_t oom_kills;
	bool timed_out;
};

static volatile sig_atomic_t watched;

static void pass_on(int sig)
{
	if (watched > 0)
		kill(watched, sig);
}

/* What the child has to tell. */
struct told {
	struct err e;
	uint64_t oom_kills;
};

/* In the child: the session. What else than its code there is to tell goes through the pipe. */
static void rehearse(const struct plan *p, pid_t parent, int errors, int trace)
	__attribute__((noreturn));

static void rehearse(const struct plan *p, pid_t parent, int errors, int trace)
{
	struct session_talk talk = {};
	struct told told = {};
	int code;

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* the session clears up when we are gone */
	if (getppid() != parent)
		_exit(EXIT_PORTHOLE);
	if (trace >= 0)
		dup2(trace, STDERR_FILENO);
	code = session_run(p, &talk, &told.e);
	told.oom_kills = talk.oom_kills;
	fd_write_all(errors, &told, sizeof(told));
	_exit(code < 0 ? EXIT_PORTHOLE : code);
}

static int start(const struct plan *p, bool strace, struct watch *w, struct err *e)
{
	int errors[2] = {-EBADF, -EBADF}, trace[2] = {-EBADF, -EBADF};
	pid_t self = getpid();

	*w = (struct watch){.pidfd = -EBADF, .errors = -EBADF, .trace = -EBADF};
	if (pipe2(errors, O_CLOEXEC) < 0 || (strace && pipe2(trace, O_CLOEXEC) < 0)) {
		int num = errno;

		cleanup_close(&errors[0]);
		cleanup_close(&errors[1]);
		return err_set(e, num, "starting the rehearsal");
	}
	w->errors = errors[0];
	w->trace = trace[0];
	fflush(NULL);
	w->pid = fork();
	if (w->pid == 0)
		rehearse(p, self, errors[1], trace[1]);
	cleanup_close(&errors[1]);
	cleanup_close(&trace[1]);
	if (w->pid < 0)
		return err_set(e, errno, "starting the rehearsal");
	w->pidfd = pidfd_get(w->pid);
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/* Pass on what comes from strace. False: it has ended. */
static bool relay_trace(struct watch *w)
{
	char text[16384];
	ssize_t n = read(w->trace, text, sizeof(text));

	if (n <= 0)
		return n < 0 && errno == EINTR;
	take_text(&w->failed, text, (size_t)n);
	fd_write_all(STDERR_FILENO, text, (size_t)n);
	return true;
}

/* Until the child has ended; after its time it is asked to, and then made to. */
static void watch(struct watch *w, uint64_t timeout)
{
	int64_t deadline = timeout ? now_ms() + (int64_t)timeout * 1000 : INT64_MAX;

	for (;;) {
		struct pollfd fds[] = {{.fd = w->pidfd, .events = POLLIN},
				       {.fd = w->trace, .events = POLLIN}};
		int64_t left = deadline - now_ms();
		int n;

		if (left <= 0) {
			kill(w->pid, w->timed_out ? SIGKILL : SIGTERM);
			deadline = w->timed_out ? INT64_MAX : now_ms() + GRACE * 1000;
			w->timed_out = true;
			continue;
		}
		n = poll(fds, ARRAY_LEN(fds), left > 1000000 ? 1000000 : (int)left);
		if (n <= 0)
			continue;
		if (fds[1].revents && !relay_trace(w)) {
			cleanup_close(&w->trace);
			w->trace = -EBADF;
		} else if (fds[0].revents && !fds[1].revents) {
			return;
		}
	}
}

/* Its exit code; or its error. */
static int result(struct watch *w, struct err *e)
{
	struct told told = {};
	int status = 0;

	while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (read(w->errors, &told, sizeof(told)) != (ssize_t)sizeof(told))
		told = (struct told){};
	w->oom_kills = told.oom_kills;
	if (told.e.num) {
		*e = told.e;
		return -told.e.num;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int entrypoint_run(const struct entrypoint *ep, const struct target *t, const struct store *store,
		   const struct rehearsal *h, struct err *e)
{
	_cleanup_plan_ struct plan p = PLAN_INIT;
	struct sigaction act = {.sa_handler = pass_on}, ignore = {.sa_handler = SIG_IGN};
	struct target who = *t; /* of the files only: nothing of its process is used */
	struct watch w;
	int64_t began;
	int r, code;

	who.pidfd = who.proc_fd = -EBADF;
	who.pid = 0;
	r = make_plan(ep, &who, store, h, &p, e);
	if (r < 0)
		return r;
	began = now_ms();
	r = start(&p, h->strace != NULL, &w, e);
	if (r == 0) {
		watched = w.pid;
		sigaction(SIGINT, &ignore, NULL); /* of the terminal's: the child has it, too */
		sigaction(SIGQUIT, &ignore, NULL);
		sigaction(SIGTERM, &act, NULL);
		sigaction(SIGHUP, &act, NULL);
		watch(&w, h->timeout);
	}
	code = r < 0 ? r : result(&w, e);
	if (code == 1 && w.failed.code)
		code = w.failed.code;
	cleanup_close(&w.pidfd);
	cleanup_close(&w.errors);
	cleanup_close(&w.trace);
	if (code < 0 && entrypoint_fix(&ep->report))
		err_hint(e, "%s", entrypoint_fix(&ep->report));
	if (code == 1 && *w.failed.own)
		return strace_failed(&w.failed, e);
	if (code >= 0) {
		print_failed(&w.failed);
		entrypoint_tell(ep, &(struct rehearsed){.code = code,
							.ms = now_ms() - began,
							.timeout = h->timeout,
							.oom_kills = w.oom_kills,
							.timed_out = w.timed_out,
							.left = &p.confined.left});
	}
	return code >= 0 && w.timed_out ? TIMED_OUT : code;
}

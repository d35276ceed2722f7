/* One command: who asks for it, whether it may be, and what it becomes. Runs in a process of its
 * own, so that what is hostile, or a directory that hangs, is in nobody's way. */
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "launch/broker.h"
#include "launch/broker_log.h"
#include "launch/hostwire.h"
#include "launch/rules.h"
#include "session/agent.h"
#include "session/wire.h"

enum { QUESTION_MAX = 600 };

/* What a narrowed container may set: no variable that makes a program load or run something. */
static const char *const harmless[] = {"TERM", "COLORTERM", "LANG", "LC_*", "TZ", "NO_COLOR"};

#define HARMLESS_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.@+,:-"

struct caller {
	struct broker_call *c;
	struct ucred who;
	struct hostwire req;
	struct plan p;
};

_Noreturn static void fail(struct caller *x, struct err *e)
{
	struct wire_msg m = {.type = WIRE_FAIL, .err = *e};

	/* who asked leaves as soon as this is said, and we are told to end: the log has our code */
	signal(SIGHUP, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	if (!m.err.exit)
		m.err.exit = EXIT_PORTHOLE;
	wire_send(x->c->sock, &m, -EBADF);
	_exit(m.err.exit);
}

static bool is_owner(const struct caller *x)
{
	return x->who.uid == geteuid();
}

/* The socket is in the container's files only; who came to it some other way is not served. */
static int check_caller(struct caller *x, struct err *e)
{
	socklen_t len = sizeof(x->who);
	struct stat st;
	char path[32];

	if (getsockopt(x->c->sock, SOL_SOCKET, SO_PEERCRED, &x->who, &len) < 0)
		return err_set(e, errno, "asking who wants to run something");
	if (!x->c->root_ino)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/root", x->who.pid);
	if (stat(path, &st) < 0 || st.st_dev != x->c->root_dev || st.st_ino != x->c->root_ino) {
		err_say(e, EACCES,
			"who asks has another root directory than the container, so it is not "
			"served");
		err_hint(e, "outside of chroot and of inner containers it is");
		return -EACCES;
	}
	return 0;
}

/* Somebody who is not the launcher's user may be on the host who he is here, without groups. */
static int find_user(struct caller *x, struct err *e)
{
	const char *asked = *x->req.user ? x->req.user : NULL;
	_cleanup_free_ char *own = str_fmt("%u:%u", x->who.uid, x->who.gid);

	if (!own)
		return err_set(e, ENOMEM, "looking up the user");
	if (str_eq(asked, "target"))
		return err_say(e, ENOENT, "there is no user 'target' on the host");
	if (is_owner(x))
		return plan_user(&x->p, asked, e);
	if (plan_user(&x->p, own, e) < 0)
		return -e->num;
	x->p.who.ngroups = 0;
	if (!asked || str_eq(asked, x->p.who.name) || str_eq(asked, own))
		return 0;
	err_say(e, EPERM, "uid %u of the container may run commands on the host as itself only",
		x->who.uid);
	err_hint(e, "as root in the container, -u takes any user of the host");
	return -EPERM;
}

/* --- its environment --- */

static bool is_harmless(const char *var)
{
	size_t n = strcspn(var, "=");
	const char *value = var[n] ? var + n + 1 : "";
	bool known = false;

	for (size_t i = 0; i < ARRAY_LEN(harmless); i++) {
		size_t len = strlen(harmless[i]);

		known = known || (harmless[i][len - 1] == '*'
					  ? strncmp(var, harmless[i], len - 1) == 0
					  : n == len && strncmp(var, harmless[i], n) == 0);
	}
	/* TERM and LANG may name files, where a slash is in them */
	return known && !value[strspn(value, HARMLESS_CHARS)];
}

static int set_var(struct caller *x, const char *name, const char *value)
{
	_cleanup_free_ char *var = str_fmt("%s=%s", name, value);

	return var ? env_set(&x->p.env, var) : -ENOMEM;
}

static int base_env(struct caller *x)
{
	const struct who *w = &x->p.who;
	const struct broker *b = x->c->b;
	_cleanup_free_ char *mark = str_fmt("%s.%u", b->cookie, x->c->id);
	int r = mark ? set_var(x, "PATH", b->path) : -ENOMEM;

	if (r == 0)
		r = set_var(x, "HOME", w->home ?: w->uid == 0 ? "/root" : "/");
	if (r == 0)
		r = set_var(x, "USER", w->name);
	if (r == 0)
		r = set_var(x, "LOGNAME", w->name);
	if (r == 0)
		r = set_var(x, "SHELL", w->shell ?: "/bin/sh");
	return r;
}

static int find_env(struct caller *x, struct err *e)
{
	const struct broker *b = x->c->b;
	_cleanup_free_ char *mark = str_fmt("%s.%u", b->cookie, x->c->id);
	bool narrow = rules_narrow(b->o.rules);
	int r = base_env(x);

	for (size_t i = 0; i < x->req.env.n && r == 0; i++) {
		const char *var = x->req.env.v[i];
		size_t n = strcspn(var, "=");

		if (n == 0 || !var[n])
			return err_say(e, EINVAL, "-e takes NAME=VALUE or NAME, not '%s'", var);
		if (narrow && !is_harmless(var)) {
			err_say(e, EPERM,
				"the launcher allows chosen commands only, and so no variable "
				"'%.*s'",
				(int)n, var);
			err_hint(e, "TERM, COLORTERM, LANG, LC_*, TZ and NO_COLOR are taken, as "
				    "plain words");
			return err_exit(e, EXIT_CANNOT_RUN);
		}
		r = env_set(&x->p.env, var);
		if (r == 0 && n == 4 && str_starts(var, "PATH=")) {
			free(x->p.path);
			x->p.path = strdup(var + 5);
		}
	}
	if (r == 0)
		r = mark ? set_var(x, BROKER_MARK, mark) : -ENOMEM;
	return r < 0 || !x->p.path ? err_set(e, ENOMEM, "preparing the environment") : 0;
}

/* --- where, and what --- */

/* With a list of what is allowed, a directory of the caller's choice would be one more way to tell
 * a program what to do: it is / then. */
static int find_cwd(struct caller *x, struct err *e)
{
	bool asked = x->req.flags & HOSTWIRE_CWD_ASKED;
	const char *cwd = *x->req.cwd == '/' ? x->req.cwd : "/";
	struct wire_msg note = {.type = WIRE_NOTE};
	struct stat st;

	if (asked && rules_closed(x->c->b->o.rules)) {
		err_say(e, EPERM,
			"the launcher allows chosen commands only, and those start in /: no -w");
		return err_exit(e, EXIT_CANNOT_RUN);
	}
	if (rules_closed(x->c->b->o.rules))
		cwd = "/";
	if (!asked && (stat(cwd, &st) < 0 || !S_ISDIR(st.st_mode))) {
		err_say(&note.err, ENOENT,
			"%s is no directory of the host: the command starts in /", cwd);
		wire_send(x->c->sock, &note, -EBADF);
		cwd = "/";
	}
	x->p.cwd_asked = asked;
	x->p.cwd = strdup(cwd);
	if (!x->p.cwd)
		return err_set(e, ENOMEM, "starting the command");
	(void)!chdir(cwd); /* for the look-up; who it will be goes there again */
	return 0;
}

/* No words: a shell. */
static int find_words(struct caller *x, struct err *e)
{
	struct plan *p = &x->p;

	if (!p->argv.n && strv_add(&p->argv, p->who.shell ?: "/bin/sh") < 0)
		return err_set(e, ENOMEM, "starting the command");
	return 0;
}

/* As a person can read it; quoted where blanks would be mistaken. */
static char *command_text(const struct plan *p)
{
	_cleanup_buf_ struct buf b = {};

	for (size_t i = 0; i < p->argv.n; i++) {
		_cleanup_free_ char *word = str_printable_dup(p->argv.v[i]);
		bool plain = word && *word && !word[strcspn(word, " '\"\\\t$`;&|<>()*?")];

		buf_printf(&b, plain ? "%s%s" : "%s'%s'", i ? " " : "", word ?: "?");
	}
	return buf_take(&b);
}

/* Ask the launcher, who asks a person. 0: yes. */
static int ask(struct caller *x, struct err *e)
{
	_cleanup_free_ char *text = command_text(&x->p), *cwd = str_printable_dup(x->p.cwd);
	_cleanup_free_ char *name = str_printable_dup(x->c->b->o.container);
	struct wire_msg m = {.type = WIRE_ASK};
	char c = 'n';
	int pair[2];

	if (!text || !cwd || !name || pipe2(pair, O_CLOEXEC) < 0)
		return err_set(e, errno, "asking the launcher");
	if (strlen(text) > QUESTION_MAX) {
		err_say(e, E2BIG, "the command is too long to be shown to who decides about it");
		return err_exit(e, EXIT_CANNOT_RUN);
	}
	err_say(&m.err, EPERM, "'%s' wants to run on this host, as %s in %s: %s", name,
		x->p.who.name, cwd, text);
	wire_send(x->c->b->link, &m, pair[1]);
	close(pair[1]);
	while (read(pair[0], &c, 1) < 0 && errno == EINTR)
		;
	close(pair[0]);
	if (c == 'y')
		return 0;
	if (c == 't')
		err_say(e, EPERM,
			"'%s' needs a yes of whoever launched this container, who has no "
			"terminal to be asked on",
			text);
	else
		err_say(e, EPERM, "whoever launched this container did not say yes to '%s'", text);
	return err_exit(e, EXIT_CANNOT_RUN);
}

/* The pattern (rules.h) that allows just that: what it cannot spell is any one letter. */
static char *command_pattern(const struct plan *p)
{
	_cleanup_buf_ struct buf b = {};

	for (size_t i = 0; i < p->argv.n; i++) {
		const char *word = p->argv.v[i];

		buf_printf(&b, "%s%s", i ? " " : "", *word ? "" : "*");
		for (; *word; word++)
			buf_printf(&b, "%c",
				   *word <= ' ' || strchr("'\"\\*?[\177", *word) ? '?' : *word);
	}
	return buf_take(&b);
}

static int refused(const struct caller *x, const char *why, struct err *e)
{
	_cleanup_free_ char *text = command_text(&x->p);
	_cleanup_free_ char *pattern = command_pattern(&x->p);

	if (why)
		err_say(e, EPERM,
			"'%s' is denied on the host: the container was launched with "
			"--deny '%s'",
			text ?: "?", why);
	else
		err_say(e, EPERM, "'%s' is not among what this container may run on the host",
			text ?: "?");
	if (!why)
		err_hint(e, "whoever launches it can add --allow '%s'", pattern ?: "?");
	return err_exit(e, EXIT_CANNOT_RUN);
}

/* The program by its one name, so that it is run by that which was looked at. */
static int check_rules(struct caller *x, struct err *e)
{
	const struct rules *rules = x->c->b->o.rules;
	_cleanup_rules_program_ struct rules_program prog = {};
	struct plan *p = &x->p;
	const char *why;
	char *path;

	if (!rules_narrow(rules))
		return 0;
	if (x->req.flags & HOSTWIRE_TOOLS) {
		err_say(e, EPERM,
			"the launcher allows chosen commands only, which are the host's own: no "
			"--with-tools");
		return err_exit(e, EXIT_CANNOT_RUN);
	}
	if (rules_find(p->argv.v[0], p->path, &prog) < 0) {
		err_say(e, ENOENT, "there is no command '%s' on the host", p->argv.v[0]);
		return err_exit(e, EXIT_NOT_FOUND);
	}
	switch (rules_decide(rules, &prog, p->path, &p->argv, &why)) {
	case RULES_REFUSE:
		return refused(x, why, e);
	case RULES_ASK:
		if (ask(x, e) < 0)
			return -e->num;
		break;
	case RULES_RUN:
		break;
	}
	path = strdup(prog.path);
	if (!path)
		return err_set(e, ENOMEM, "starting the command");
	free(p->argv.v[0]);
	p->argv.v[0] = path;
	return 0;
}

/* --- its descriptors --- */

/* A terminal would let the host's programs type into it, and a path is no file that was opened. */
static int check_fd(int fd, int nr, struct err *e)
{
	int flags = fcntl(fd, F_GETFL);
	struct stat st;

	if (flags < 0 || flags & O_PATH || fstat(fd, &st) < 0 || S_ISDIR(st.st_mode) || isatty(fd))
		return err_say(e, EINVAL, "descriptor %d is no file, pipe or socket to hand over",
			       nr);
	return 0;
}

static int place_fds(struct caller *x, int *slave, int *master, struct err *e)
{
	bool tty = x->req.flags & HOSTWIRE_TTY;
	struct winsize ws = {.ws_row = x->req.rows, .ws_col = x->req.cols};
	int r = 0;

	for (int i = 0; i < 3 && r == 0 && !tty; i++)
		if (x->c->fds[i] >= 0)
			r = check_fd(x->c->fds[i], i, e);
	if (r == 0 && tty)
		r = session_pty(&x->p, master, slave, e);
	if (r == 0 && tty && ws.ws_row)
		ioctl(*slave, TIOCSWINSZ, &ws);
	if (r == 0 && tty && ioctl(*slave, TIOCSCTTY, 0) < 0)
		return err_set(e, errno, "making a terminal session on the host");
	for (int i = 0; i < 3 && r == 0; i++) {
		int fd = tty ? *slave : x->c->fds[i]; /* none: /dev/null, which is there */

		if (fd >= 0 && dup2(fd, i) < 0)
			r = err_set(e, errno, "handing over descriptor %d", i);
	}
	return r;
}

/* As a shell would have started it. */
static void settle(const struct broker_call *c)
{
	struct rlimit l;
	sigset_t none;

	for (int sig = 1; sig <= SIGRTMAX; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (c->nofile && getrlimit(RLIMIT_NOFILE, &l) == 0) {
		l.rlim_cur = c->nofile;
		setrlimit(RLIMIT_NOFILE, &l);
	}
}

static int prepare(struct caller *x, struct err *e)
{
	int r = hostwire_parse(x->c->msg, x->c->len, &x->req);

	if (r < 0)
		return err_say(e, -r, "what came over the socket is no request of host exec");
	x->p.label = strdup("the host");
	x->p.where = strdup("the host");
	x->p.path = strdup(x->c->b->path);
	x->p.caps_all = true;
	x->p.tty = x->req.flags & HOSTWIRE_TTY;
	if (!x->p.label || !x->p.where || !x->p.path || strv_add_all(&x->p.argv, &x->req.argv) < 0)
		return err_set(e, ENOMEM, "starting the command");
	r = check_caller(x, e);
	if (r == 0)
		r = find_user(x, e);
	if (r == 0)
		r = find_env(x, e);
	if (r == 0)
		r = find_cwd(x, e);
	if (r == 0)
		r = find_words(x, e);
	return r;
}

_Noreturn void broker_call_run(struct broker_call *c)
{
	struct caller x = {.c = c, .p = PLAN_INIT};
	struct wire_msg ready = {.type = WIRE_READY};
	int slave = -EBADF, master = -EBADF;
	struct err e = {}, log = {};

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	setsid();
	settle(c);
	if (prepare(&x, &e) < 0 || check_rules(&x, &e) < 0) {
		broker_log_start(c, &x.who, &x.p, e.msg, &log);
		fail(&x, &e);
	}
	if (broker_log_start(c, &x.who, &x.p, NULL, &e) < 0 ||
	    (x.req.flags & HOSTWIRE_TOOLS && broker_tools(&x.p, is_owner(&x), &e) < 0) ||
	    place_fds(&x, &slave, &master, &e) < 0)
		fail(&x, &e);
	wire_send(c->sock, &ready, master);
	cleanup_close(&master);
	cleanup_close(&slave);
	command_exec(&x.p, &e);
	fail(&x, &e);
}

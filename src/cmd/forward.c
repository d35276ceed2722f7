/* porthole forward: ports of a container reached from outside, and the other way round. */
#include "cmd/forward.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "sys/pidfd.h"

struct forward_opts {
	struct strv local, remote, dynamic;
	const char *address;
	bool json, quiet, background, no_command;
	unsigned verbose;
};

#define O(field) offsetof(struct forward_opts, field)

static const struct opt options[] = {
	{OPT_LIST, O(local), 'L', "local", "SPEC",
	 "listen here, connect in the container: [ADDR:]PORT:[HOST:]PORT[/udp]", NULL},
	{OPT_LIST, O(remote), 'R', "remote", "SPEC",
	 "listen in the container, connect from here; PORT alone: a SOCKS proxy", NULL},
	{OPT_LIST, O(dynamic), 'D', "dynamic", "[ADDR:]PORT",
	 "a SOCKS proxy (4, 4a, 5) whose connections leave from the container", NULL},
	{OPT_STR, O(address), 0, "address", "ADDR",
	 "where PORTs that are given without -L listen (default: localhost; * is everywhere)",
	 NULL},
	{OPT_FLAG, O(background), 'f', "background", NULL,
	 "go to the background once all ports listen; the process to kill is said", NULL},
	{OPT_FLAG, O(no_command), 'N', "no-command", NULL, "run no command (it is so without CMD)",
	 NULL},
	{OPT_COUNT, O(verbose), 'v', "verbose", NULL, "a line for each connection, no screen",
	 NULL},
	{OPT_FLAG, O(quiet), 'q', "quiet", NULL, "say nothing but errors", NULL},
	{OPT_FLAG, O(json), 0, "json", NULL, "events as JSON, one a line", NULL},
	{},
};

struct run {
	struct forward *f;
	struct fwd_rule *rules;
	size_t n_rules;
	sigset_t before;
	int sigfd, cmd_fd;
	int tell; /* in the background: to who started us, a struct err, once; -EBADF: told */
	pid_t cmd;
	int code; /* of the command; -1: none yet */
};

static void run_done(struct run *x)
{
	forward_close(x->f);
	cleanup_close(&x->sigfd);
	cleanup_close(&x->cmd_fd);
	for (size_t i = 0; i < x->n_rules; i++)
		fwd_rule_done(&x->rules[i]);
	free(x->rules);
}

/* "8080:80", ":80", "80", "53/udp": as kubectl port-forward takes them. */
static bool is_port_word(const char *s)
{
	size_t n = strspn(s, "0123456789:");

	return n && s[strcspn(s, "0123456789")] &&
	       (!s[n] || str_eq(s + n, "/udp") || str_eq(s + n, "/tcp"));
}

/* The same in ssh's words; ":80" is any port that is free. A new string. */
static char *port_spec(const char *word, const char *address)
{
	const char *zero = *word == ':' ? "0" : "";

	if (!address)
		return str_fmt("%s%s", zero, word);
	return strchr(address, ':') && *address != '[' ? str_fmt("[%s]:%s%s", address, zero, word)
						       : str_fmt("%s:%s%s", address, zero, word);
}

static int add_rule(struct run *x, char flag, const char *text, struct err *e)
{
	struct fwd_rule *v = reallocarray(x->rules, x->n_rules + 1, sizeof(*v));
	int r;

	if (!v)
		return err_set(e, ENOMEM, "reading the options");
	x->rules = v;
	r = fwd_rule_parse(flag, text, &v[x->n_rules], e);
	x->n_rules += r == 0;
	return r;
}

static int add_rules(struct run *x, char flag, const struct strv *texts, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < texts->n && r == 0; i++)
		r = add_rule(x, flag, texts->v[i], e);
	return r;
}

/* `argv`: what follows the target; *n: how many of these are ports. */
static int parse_rules(const struct forward_opts *o, struct run *x, int argc, char **argv, int *n,
		       struct err *e)
{
	int r = 0;

	for (*n = 0; *n < argc && is_port_word(argv[*n]) && r == 0; ++*n) {
		_cleanup_free_ char *text = port_spec(argv[*n], o->address);

		r = text ? add_rule(x, 'L', text, e) : err_set(e, ENOMEM, "reading the ports");
	}
	if (r == 0)
		r = add_rules(x, 'L', &o->local, e);
	if (r == 0)
		r = add_rules(x, 'R', &o->remote, e);
	if (r == 0)
		r = add_rules(x, 'D', &o->dynamic, e);
	if (r < 0 || x->n_rules)
		return r;
	err_say(e, EINVAL, "nothing to forward: give a port, -L, -R or -D");
	err_hint(e, "such as 'porthole forward web 8080:80': port 8080 here is port 80 there");
	return -EINVAL;
}

/* --- in the background --- */

static int check_background(const struct forward_opts *o, char **cmd, struct err *e)
{
	if (cmd && o->no_command)
		return err_say(e, EINVAL, "-N runs no command, and '%s' is one", cmd[0]);
	if (!o->background || !cmd)
		return 0;
	err_say(e, EINVAL, "-f goes to the background, and '%s' cannot run there", cmd[0]);
	err_hint(e, "without -f it runs here, as long as '%s' does", cmd[0]);
	return -EINVAL;
}

/* 0 in the process that goes on; 1 in the one that started it, once all ports listen, or -errno. */
static int go_back(struct run *x, bool quiet, struct err *e)
{
	_cleanup_close_ int hear = -EBADF;
	struct err said = {};
	int pair[2];
	pid_t pid;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_set(e, errno, "making a pipe");
	hear = pair[0];
	x->tell = pair[1];
	pid = fork();
	if (pid < 0)
		return err_set(e, errno, "starting a process");
	if (pid == 0) {
		setsid();
		return 0;
	}
	cleanup_close(&x->tell);
	x->tell = -EBADF;
	if (read(hear, &said, sizeof(said)) != (ssize_t)sizeof(said))
		return err_say(e, EIO, "what should go on in the background was killed");
	if (said.num) {
		*e = said;
		return -e->num;
	}
	if (!quiet)
		fprintf(stderr, "porthole: goes on in the background; 'kill %d' ends it\n",
			(int)pid);
	return 1;
}

/* What went wrong is for who started us to say. */
static int told(struct run *x, int r, const struct err *e)
{
	static const struct err good = {};
	_cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (x->tell < 0)
		return r;
	fflush(stdout);
	fd_write_all(x->tell, r < 0 ? e : &good, sizeof(*e));
	if (r < 0)
		_exit(EXIT_PORTHOLE);
	cleanup_close(&x->tell);
	x->tell = -EBADF;
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	return 0;
}

/* --- signals, and the command --- */

static void on_signal(void *data)
{
	struct run *x = data;
	struct signalfd_siginfo si;

	if (read(x->sigfd, &si, sizeof(si)) != sizeof(si))
		return;
	if (x->cmd <= 0) {
		x->code = si.ssi_signo == SIGINT ? 0 : 128 + (int)si.ssi_signo;
		forward_stop(x->f);
	} else if (si.ssi_signo != SIGINT && si.ssi_signo != SIGQUIT) {
		kill(x->cmd, (int)si.ssi_signo); /* Ctrl-C reaches it by itself */
	}
}

static void reap(struct run *x)
{
	int status;

	while (waitpid(x->cmd, &status, 0) < 0)
		if (errno != EINTR)
			return;
	x->cmd = 0;
	x->code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void on_cmd_end(void *data)
{
	struct run *x = data;

	reap(x);
	forward_stop(x->f);
}

static int take_signals(struct run *x, struct err *e)
{
	static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

	signal(SIGPIPE, SIG_IGN);
	x->sigfd = fd_signals(ending, ARRAY_LEN(ending), &x->before, e);
	return x->sigfd < 0 ? x->sigfd : 0;
}

/* PORTHOLE_PORT: of the first rule that listens on one; PORTHOLE_PORTS: all of them. */
static void set_ports(const struct run *x)
{
	_cleanup_buf_ struct buf all = {};

	for (size_t i = 0; i < x->n_rules; i++)
		if (!x->rules[i].from.path)
			buf_printf(&all, "%s%u", all.len ? " " : "", x->rules[i].from.port);
	if (!all.data)
		return;
	setenv("PORTHOLE_PORTS", all.data, 1);
	all.data[strcspn(all.data, " ")] = '\0';
	setenv("PORTHOLE_PORT", all.data, 1);
}

static int start_command(struct run *x, char **argv, struct err *e)
{
	set_ports(x);
	x->cmd = fork();
	if (x->cmd == 0) {
		signal(SIGPIPE, SIG_DFL);
		sigprocmask(SIG_SETMASK, &x->before, NULL);
		execvp(argv[0], argv);
		fprintf(stderr, "porthole: cannot run '%s': %s\n", argv[0], strerror(errno));
		_exit(errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN);
	}
	if (x->cmd < 0)
		return err_set(e, errno, "starting '%s'", argv[0]);
	x->cmd_fd = pidfd_get(x->cmd);
	if (x->cmd_fd < 0)
		return err_set(e, x->cmd_fd, "holding '%s'", argv[0]);
	return forward_watch(x->f, x->cmd_fd, on_cmd_end, x, e);
}

/* --- */

static int listen_all(struct run *x, struct show *s, struct err *e)
{
	for (size_t i = 0; i < x->n_rules; i++) {
		int r = forward_add(x->f, &x->rules[i], e);

		if (r < 0)
			return r;
		show_listening(s, &x->rules[i]);
	}
	return 0;
}

static int serve(struct run *x, struct show *s, char **cmd, struct err *e)
{
	int r = listen_all(x, s, e);

	if (r == 0)
		r = forward_watch(x->f, x->sigfd, on_signal, x, e);
	r = told(x, r, e);
	if (r == 0 && cmd)
		r = start_command(x, cmd, e);
	if (r == 0)
		r = forward_run(x->f, e);
	if (x->cmd > 0) { /* the target ended: the command has nothing to talk to */
		kill(x->cmd, SIGTERM);
		reap(x);
	}
	s->f = NULL;
	forward_close(TAKE_PTR(x->f));
	show_end(s);
	return r < 0 ? r : x->code;
}

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	const struct forward_opts *o = opts;
	_cleanup_(run_done) struct run x = {.sigfd = -EBADF, .cmd_fd = -EBADF, .tell = -EBADF};
	_cleanup_roots_ struct target_roots roots = {.root_fd = -EBADF, .proc_fd = -EBADF};
	_cleanup_target_ struct target t = TARGET_INIT;
	_cleanup_free_ char *label = NULL;
	int ports = 0, r = parse_rules(o, &x, argc - 1, argv + 1, &ports, e);
	char **cmd = argc > 1 + ports ? argv + 1 + ports : NULL;

	argv[argc] = NULL; /* there were options before the end, or it is there */
	if (r == 0)
		r = check_background(o, cmd, e);
	if (r < 0)
		return r;
	r = target_open(&roots, argv[0], &t, e);
	if (r == 0)
		r = take_signals(&x, e);
	if (r == 0 && o->background)
		r = go_back(&x, o->quiet, e);
	if (r != 0)
		return r < 0 ? r : 0;
	label = str_printable_dup(t.name);

	struct show s = {.json = ctx->json,
			 .quiet = o->quiet || (cmd && !o->verbose),
			 .verbose = o->verbose,
			 .live = ctx->tty_out && !o->verbose && !o->background && !cmd &&
				 !ctx->json && !o->quiet,
			 .out = cmd ? stderr : stdout,
			 .label = label ? label : "?",
			 .style = out_style_of(STDOUT_FILENO, ctx->color)};
	struct fwd_talk talk = {.event = show_event, .second = show_second, .data = &s};

	x.f = forward_open(&t, &talk, e);
	s.f = x.f;
	return x.f ? serve(&x, &s, cmd, e) : told(&x, -e->num, e);
}

const struct verb verb_forward = {
	.name = "forward",
	.args = "TARGET [PORT...] [-- CMD [ARG...]]",
	.summary = "Reach a container's ports, or give it ports of the host",
	.details =
		"-L listens here and connects inside the container, also to what listens only "
		"on its loopback or on a\n"
		"unix socket; -R listens inside and connects from here; -D is a SOCKS proxy. "
		"The syntax is ssh's:\n"
		"[ADDR:]PORT:[HOST:]PORT, without addresses localhost on both sides; /PATH of a "
		"unix socket or @NAME of\n"
		"an abstract one stands for either half, [::1] for IPv6, * for every address, "
		"/udp at the end for UDP.\n"
		"Port 0 is any that is free. PORTs without -L are as kubectl port-forward takes "
		"them: 8080:80, 80 for\n"
		"80:80, :80 for any that is free. Nothing is put into the container and nothing "
		"needs to be there.\n\n"
		"It runs until Ctrl-C, or as long as CMD, whose PORTHOLE_PORT is the first port "
		"that listens; the exit\n"
		"code is then CMD's. HOST is a number, localhost, or a name of /etc/hosts on the "
		"side that connects.",
	.examples =
		"  porthole forward web 8080:80                    http://localhost:8080\n"
		"  porthole forward web :80                        the same on a free port, which "
		"is printed\n"
		"  porthole forward -fN web -L 8080:localhost:80   as with ssh, in the background\n"
		"  porthole forward db -L 0:/run/pg/.s.PGSQL.5432  a unix socket, on a free "
		"port\n"
		"  porthole forward db -L 0:5432 -- sh -c 'psql -h localhost -p "
		"$PORTHOLE_PORT'\n"
		"  porthole forward web -R 5432:localhost:5432     the host's database, inside\n"
		"  porthole forward web -D 1080                    curl -x "
		"socks5h://localhost:1080 ...\n"
		"  porthole forward dns -L 5353:53/udp             UDP\n",
	.opts = options,
	.opts_size = sizeof(struct forward_opts),
	.flags = VERB_RUNS_CMD,
	.complete = COMPLETE_TARGET,
	.min_args = 1,
	.max_args = -1,
	.run = run,
};

#include "launch/detach.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "launch/ended.h"
#include "launch/keeper.h"
#include "launch/log.h"
#include "launch/name.h"
#include "launch/state.h"
#include "session/session.h"

enum { ROWS = 24, COLS = 80 };

/* What the supervisor has. */
struct detached {
	const struct plan *plan;
	const struct launch *launch;
	struct launch_state state;
	int dir;  /* of the state */
	int tell; /* to who started us: a struct err, once; -EBADF: told */
	int end;  /* to the keeper: a struct keeper_end */
	int held; /* the name */
};

/* --- the keeper, and what lies between it and the supervisor --- */

/* The supervisor's side of it, and the keeper's. */
struct between {
	int in, out;
	int keeper_end;
	struct keeper k;
};

static void between_done(struct between *b)
{
	cleanup_close(&b->in);
	cleanup_close(&b->out);
	cleanup_close(&b->keeper_end);
	cleanup_close(&b->k.from);
	cleanup_close(&b->k.to);
	cleanup_close(&b->k.end);
}

/* A terminal, at which the supervisor is as a person's own shell would be: whoever attaches sits in
 * front of it. As large as the one it is started from. */
static int open_terminal(struct between *b, struct err *e)
{
	struct winsize size = {};
	struct termios raw;
	char path[32];
	int nr;

	b->k.from = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (b->k.from < 0 || unlockpt(b->k.from) < 0 || ioctl(b->k.from, TIOCGPTN, &nr) < 0)
		return err_set(e, errno, "making a terminal");
	snprintf(path, sizeof(path), "/dev/pts/%d", nr);
	b->in = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	b->out = b->in < 0 ? -EBADF : fcntl(b->in, F_DUPFD_CLOEXEC, 3);
	b->k.to = fcntl(b->k.from, F_DUPFD_CLOEXEC, 3);
	if (b->out < 0 || b->k.to < 0)
		return err_set(e, errno, "making a terminal");
	for (int fd = 0; fd < 3 && !size.ws_row; fd++)
		ioctl(fd, TIOCGWINSZ, &size);
	if (!size.ws_row || !size.ws_col)
		size = (struct winsize){.ws_row = ROWS, .ws_col = COLS};
	ioctl(b->in, TIOCSWINSZ, &size);
	if (tcgetattr(b->in, &raw) == 0) {
		cfmakeraw(&raw); /* nobody types into a line that is not there yet */
		raw.c_oflag |= OPOST | ONLCR;
		tcsetattr(b->in, TCSANOW, &raw);
	}
	return 0;
}

/* `from` reads what is written to `to`. */
static int open_pipe(int *from, int *to, struct err *e)
{
	int pair[2];

	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_set(e, errno, "making a pipe");
	*from = pair[0];
	*to = pair[1];
	return 0;
}

static int open_between(const struct detached *d, struct between *b, struct err *e)
{
	int r = open_pipe(&b->k.end, &b->keeper_end, e);

	if (r == 0 && d->plan->tty)
		return open_terminal(b, e);
	if (r == 0)
		r = open_pipe(&b->k.from, &b->out, e);
	if (r == 0 && d->launch->input)
		return open_pipe(&b->in, &b->k.to, e);
	if (r == 0 && (b->in = open("/dev/null", O_RDONLY | O_CLOEXEC)) < 0)
		r = err_set(e, errno, "opening /dev/null");
	return r;
}

/* Our output goes to the keeper from here on; its end is when the last of us has closed it. */
static int start_keeper(struct detached *d, struct err *e)
{
	_cleanup_(between_done) struct between b = {
		.in = -EBADF,
		.out = -EBADF,
		.keeper_end = -EBADF,
		.k = {.dir = d->dir,
		      .from = -EBADF,
		      .to = -EBADF,
		      .end = -EBADF,
		      .tty = d->plan->tty,
		      .name = d->state.name},
	};
	int r = open_between(d, &b, e);
	pid_t pid = r < 0 ? -1 : fork();

	if (r < 0)
		return r;
	if (pid == 0)
		keeper_main(&b.k);
	if (pid < 0)
		return err_set(e, errno, "starting a process");
	/* whoever attaches changes its size, which a signal tells */
	if (d->plan->tty && ioctl(b.in, TIOCSCTTY, 0) < 0)
		return err_set(e, errno, "taking the terminal");
	if (dup2(b.in, STDIN_FILENO) < 0 || dup2(b.out, STDOUT_FILENO) < 0 ||
	    dup2(b.out, STDERR_FILENO) < 0)
		return err_set(e, errno, "handing over descriptors");
	d->end = TAKE_FD(b.keeper_end);
	return 0;
}

/* --- the supervisor --- */

static void tell(struct detached *d, const struct err *e)
{
	if (d->tell < 0)
		return;
	fd_write_all(d->tell, e, sizeof(*e));
	cleanup_close(&d->tell);
	d->tell = -EBADF;
}

/* The command runs. */
static void started(void *data, pid_t agent, pid_t command)
{
	struct detached *d = data;
	struct err e = {};

	d->state.agent = launch_proc_of(agent);
	d->state.command = launch_proc_of(command);
	d->state.began = true;
	/* what went wrong is told; nobody would find it */
	if (launch_state_write(d->dir, &d->state, &e) < 0)
		kill(agent, SIGKILL);
	tell(d, &e);
}

static char *ended(void *data)
{
	struct detached *d = data;

	return d->launch->ended ? d->launch->ended(d->launch->data) : NULL;
}

static int prepare(void *data, struct err *e)
{
	struct detached *d = data;

	return d->launch->prepare(d->launch->data, e);
}

static int watch(void *data)
{
	struct detached *d = data;

	return d->launch->watch(d->launch->data);
}

static void attend(void *data, pid_t agent)
{
	struct detached *d = data;

	d->launch->attend(d->launch->data, agent);
}

/* For who is attached. */
static void last_words(const struct detached *d, int code, const struct err *e)
{
	struct keeper_end end = {.code = code};

	if (e)
		snprintf(end.why, sizeof(end.why), "%s", e->msg);
	if (d->end >= 0)
		fd_write_all(d->end, &end, sizeof(end));
}

_Noreturn static void supervisor_main(struct detached *d)
{
	struct session_talk talk = {.started = started, .ended = ended, .data = d};
	struct err e = {};
	int r;

	if (d->launch->watch) {
		talk.prepare = prepare;
		talk.watch = watch;
		talk.attend = attend;
	}
	setsid();
	if (chdir("/") < 0)
		_exit(EXIT_PORTHOLE);
	d->state.supervisor = launch_proc_of(getpid());
	r = launch_state_write(d->dir, &d->state, &e);
	if (r == 0)
		r = start_keeper(d, &e);
	if (r == 0)
		r = d->launch->run
			    ? d->launch->run(d->plan, d->state.name, &talk, d->launch->run_data, &e)
			    : session_run(d->plan, &talk, &e);
	if (r >= 0)
		r = session_blame_kit(d->plan, r, &e);
	if (r < 0 && !e.exit)
		e.exit = EXIT_PORTHOLE;
	if (d->launch->over)
		d->launch->over(d->launch->data);
	cleanup_close(&d->held);
	launch_ended(d->dir, d->state.name, r < 0 ? e.exit : r, r < 0 ? e.msg : NULL);
	tell(d, &e); /* when it never began */
	last_words(d, r < 0 ? e.exit : r, r < 0 ? &e : NULL);
	_exit(r < 0 ? e.exit : r);
}

/* --- who starts it --- */

static int fill(struct detached *d, struct err *e)
{
	const struct plan *p = d->plan;

	d->state.name = strdup(d->launch->name);
	d->state.id = strdup(p->cookie);
	d->state.image = p->beside.host ? strdup(d->launch->image)
					: str_fmt("%s, beside %s", d->launch->image, p->label);
	d->state.target = p->beside.host ? NULL : strdup(p->label);
	d->state.target_pid = p->target->pid;
	d->state.by_engine = d->launch->run;
	d->state.rm = d->launch->rm;
	d->state.created = time(NULL);
	d->state.supervisor = launch_proc_of(getpid());
	if (!d->state.name || !d->state.id || !d->state.image ||
	    (!d->state.target && !p->beside.host))
		return err_set(e, ENOMEM, "starting it in the background");
	return launch_name_check(d->state.name, e);
}

static int start(struct detached *d, struct err *e)
{
	_cleanup_close_ int hear = -EBADF;
	struct err said = {};
	int pair[2];
	pid_t pid;
	ssize_t n;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_set(e, errno, "making a pipe");
	hear = pair[0];
	d->tell = pair[1];
	pid = fork();
	if (pid == 0) {
		close(hear);
		supervisor_main(d);
	}
	cleanup_close(&d->tell);
	d->tell = -EBADF;
	if (pid < 0)
		return err_set(e, errno, "starting a process");
	do {
		n = read(hear, &said, sizeof(said));
	} while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(said))
		return err_say(e, EIO, "'%s' was killed before it began", d->state.name);
	if (!said.num)
		return 0;
	waitpid(pid, NULL, 0);
	launch_log_rest(d->dir, STDERR_FILENO); /* an engine's own words */
	*e = said;
	return -e->num;
}

int launch_detached(const struct plan *p, const struct launch *l, struct err *e)
{
	struct detached d = {.plan = p,
			     .launch = l,
			     .dir = -EBADF,
			     .tell = -EBADF,
			     .end = -EBADF,
			     .held = -EBADF};
	int r = fill(&d, e);

	if (r == 0)
		r = launch_name_take(d.state.name, &d.held, e);
	if (r == 0)
		r = d.dir = launch_reserve(&d.state, e);
	if (r >= 0) {
		launch_ended_forget(d.state.name); /* another's, of before */
		r = start(&d, e);
	}
	if (r < 0 && d.dir >= 0)
		launch_forget(d.dir, d.state.name);
	cleanup_close(&d.dir);
	cleanup_close(&d.held);
	launch_state_done(&d.state);
	return r;
}

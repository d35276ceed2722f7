#include "launch/detach.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "launch/state.h"
#include "session/session.h"
#include "sys/title.h"

enum { CHUNK = 16384 };

/* What the supervisor has. */
struct detached {
	const struct plan *plan;
	const struct launch *launch;
	struct launch_state state;
	int dir;  /* of the state */
	int tell; /* to who started us: a struct err, once; -EBADF: told */
};

/* --- the keeper: reads what the container says until nobody is left to say anything --- */

static int open_log(int dir)
{
	return openat(dir, LAUNCH_LOG, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC,
		      0600);
}

/* At most two files of LAUNCH_LOG_MAX: who says more is remembered for the last of it. */
static void keep_log(int dir, int from)
{
	_cleanup_close_ int log = open_log(dir);
	static char buf[CHUNK];
	ssize_t n;

	while ((n = read(from, buf, sizeof(buf))) > 0 || (n < 0 && errno == EINTR)) {
		struct stat st;

		if (n < 0 || log < 0)
			continue;
		if (fstat(log, &st) == 0 && st.st_size + n > LAUNCH_LOG_MAX) {
			renameat(dir, LAUNCH_LOG, dir, LAUNCH_LOG_OLD);
			cleanup_close(&log);
			log = open_log(dir);
		}
		if (log >= 0)
			fd_write_all(log, buf, (size_t)n); /* a full /run loses what comes now */
	}
}

_Noreturn static void keeper_main(struct detached *d, int from)
{
	int *const keep[] = {&d->dir, &from};

	/* it ends when all others have: no signal of ours is for it */
	fd_keep_only(keep, ARRAY_LEN(keep));
	setsid();
	for (int sig = 1; sig < 32; sig++)
		signal(sig, SIG_IGN);
	title_set("ph-keeper");
	keep_log(d->dir, from);
	launch_forget(d->dir, d->state.name);
	_exit(0);
}

/* Our output goes to the keeper from here on; its end is when the last of us has closed it. */
static int start_keeper(struct detached *d, struct err *e)
{
	_cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	_cleanup_close_ int from = -EBADF, to = -EBADF;
	int pair[2];
	pid_t pid;

	if (null < 0 || pipe2(pair, O_CLOEXEC) < 0)
		return err_set(e, errno, "making a pipe");
	from = pair[0];
	to = pair[1];
	pid = fork();
	if (pid == 0)
		keeper_main(d, from);
	if (pid < 0)
		return err_set(e, errno, "starting a process");
	if (dup2(null, STDIN_FILENO) < 0 || dup2(to, STDOUT_FILENO) < 0 ||
	    dup2(to, STDERR_FILENO) < 0)
		return err_set(e, errno, "handing over descriptors");
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
	launch_state_write(d->dir, &d->state, &e); /* what went wrong is told */
	tell(d, &e);
}

static char *ended(void *data)
{
	struct detached *d = data;

	return d->launch->ended ? d->launch->ended(d->launch->data) : NULL;
}

_Noreturn static void supervisor_main(struct detached *d)
{
	struct session_talk talk = {.started = started, .ended = ended, .data = d};
	struct err e = {};
	int r;

	setsid();
	if (chdir("/") < 0)
		_exit(EXIT_PORTHOLE);
	d->state.supervisor = launch_proc_of(getpid());
	r = launch_state_write(d->dir, &d->state, &e);
	if (r == 0)
		r = start_keeper(d, &e);
	if (r == 0)
		r = session_blame_kit(d->plan, session_run(d->plan, &talk, &e), &e);
	if (r < 0 && !e.exit)
		e.exit = EXIT_PORTHOLE;
	launch_forget(d->dir, d->state.name);
	tell(d, &e); /* when it never began */
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
	*e = said;
	return -e->num;
}

int launch_detached(const struct plan *p, const struct launch *l, struct err *e)
{
	struct detached d = {.plan = p, .launch = l, .dir = -EBADF, .tell = -EBADF};
	int r = fill(&d, e);

	if (r == 0)
		r = d.dir = launch_reserve(&d.state, e);
	if (r >= 0)
		r = start(&d, e);
	if (r < 0 && d.dir >= 0)
		launch_forget(d.dir, d.state.name);
	cleanup_close(&d.dir);
	launch_state_done(&d.state);
	return r;
}

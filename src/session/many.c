#include "session/many.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"

enum { PIPE_FULL = (1 << 20) / MANY_LINE * 2 }; /* reads that empty the largest pipe */

/* What is heard of one stream, up to the last newline. */
struct stream {
	int fd;
	char *line; /* MANY_LINE bytes */
	size_t len;
};

struct child {
	pid_t pid; /* 0: this place is free */
	size_t i;
	struct stream out[2]; /* standard output, standard error */
	int said;	      /* struct err, when there was no session */
};

struct crowd {
	const struct many *m;
	struct child child[MANY_MAX];
	size_t next; /* to be started */
	size_t running;
	int sigfd;
	sigset_t before; /* the mask we came with */
	int asked;	 /* the signal that told us to end, 0: none */
};

static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCHLD};

#define CHILD_INIT ((struct child){.out = {{.fd = -EBADF}, {.fd = -EBADF}}, .said = -EBADF})

static void child_done(struct child *c)
{
	for (size_t k = 0; k < 2; k++) {
		cleanup_close(&c->out[k].fd);
		free(c->out[k].line);
	}
	cleanup_close(&c->said);
	*c = CHILD_INIT;
}

static void crowd_done(struct crowd *w)
{
	for (size_t k = 0; k < MANY_MAX; k++) {
		if (w->child[k].pid > 0) {
			kill(w->child[k].pid, SIGKILL);
			waitpid(w->child[k].pid, NULL, 0);
		}
		child_done(&w->child[k]);
	}
	cleanup_close(&w->sigfd);
	sigprocmask(SIG_SETMASK, &w->before, NULL);
}

static int crowd_init(struct crowd *w, const struct many *m, struct err *e)
{
	*w = (struct crowd){.m = m, .sigfd = -EBADF};
	for (size_t k = 0; k < MANY_MAX; k++)
		w->child[k] = CHILD_INIT;
	w->sigfd = fd_signals(signals, ARRAY_LEN(signals), &w->before, e);
	return w->sigfd < 0 ? w->sigfd : 0;
}

/* In the child: nothing of the others', its own output, and the session. */
_Noreturn static void be_child(struct crowd *w, size_t i, pid_t parent, const int out[2], int said)
{
	const struct many *m = w->m;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), code;
	struct err e = {};

	setpgid(0, 0);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent || null < 0 ||
	    dup2(null, 0) < 0 || dup2(out[0], 1) < 0 || dup2(out[1], 2) < 0)
		_exit(EXIT_PORTHOLE);
	for (size_t k = 0; k < MANY_MAX; k++)
		child_done(&w->child[k]);
	cleanup_close(&w->sigfd);
	sigprocmask(SIG_SETMASK, &w->before, NULL);
	code = m->run(m->data, i, &e);
	fflush(NULL);
	if (code < 0) {
		code = e.exit ? e.exit : EXIT_PORTHOLE;
		if (!e.num)
			err_set(&e, -code, "it failed without saying why");
		fd_write_all(said, &e, sizeof(e));
	}
	_exit(code);
}

/* A pipe of which only our end does not block. */
static int listen_pipe(int *ours, int *theirs)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	*ours = p[0];
	*theirs = p[1];
	return fd_nonblock(p[0], true);
}

static int start(struct crowd *w, struct child *c, size_t i, struct err *e)
{
	_cleanup_close_ int out = -EBADF, errs = -EBADF, said = -EBADF;
	pid_t parent = getpid();
	int r = listen_pipe(&c->out[0].fd, &out);

	if (r == 0)
		r = listen_pipe(&c->out[1].fd, &errs);
	if (r == 0)
		r = listen_pipe(&c->said, &said);
	for (size_t k = 0; k < 2 && r == 0; k++)
		if (!(c->out[k].line = malloc(MANY_LINE)))
			r = -ENOMEM;
	if (r < 0)
		return err_set(e, r, "making pipes");
	fflush(NULL); /* or it would be printed twice */
	c->pid = fork();
	if (c->pid == 0)
		be_child(w, i, parent, (const int[]){out, errs}, said);
	if (c->pid < 0) {
		c->pid = 0;
		return err_set(e, errno, "starting a process");
	}
	c->i = i;
	return 0;
}

/* Start as many as may run. */
static void start_more(struct crowd *w)
{
	const struct many *m = w->m;

	for (size_t k = 0; k < m->parallel; k++) {
		struct child *c = &w->child[k];

		while (!c->pid && w->next < m->n) {
			struct err e = {};

			if (w->asked)
				err_say(&e, EINTR, "interrupted before its turn came");
			else if (start(w, c, w->next, &e) == 0)
				w->running++;
			if (e.num) {
				child_done(c);
				m->ended(m->data, w->next,
					 w->asked ? 128 + w->asked : EXIT_PORTHOLE, &e);
			}
			w->next++;
		}
	}
}

/* Pass on each whole line; all that is left when it is `over`. */
static void pass_lines(const struct many *m, struct child *c, size_t k, bool over)
{
	struct stream *s = &c->out[k];
	size_t at = 0;
	char *end;

	while ((end = memchr(s->line + at, '\n', s->len - at))) {
		size_t n = (size_t)(end - (s->line + at)) + 1;

		m->heard(m->data, c->i, (int)k + 1, s->line + at, n);
		at += n;
	}
	if (s->len > at && (over || (at == 0 && s->len == MANY_LINE))) {
		m->heard(m->data, c->i, (int)k + 1, s->line + at, s->len - at);
		at = s->len;
	}
	memmove(s->line, s->line + at, s->len - at);
	s->len -= at;
}

/* Read what there is now; a buffer full at most, so that none starves the others. False when there
 * was nothing. */
static bool hear(const struct many *m, struct child *c, size_t k)
{
	struct stream *s = &c->out[k];
	ssize_t n = s->fd < 0 ? 0 : read(s->fd, s->line + s->len, MANY_LINE - s->len);

	if (n <= 0) {
		if (s->fd >= 0 && (n == 0 || (errno != EAGAIN && errno != EINTR))) {
			close(s->fd);
			s->fd = -EBADF;
		}
		return false;
	}
	s->len += (size_t)n;
	pass_lines(m, c, k, false);
	return true;
}

/* The child has ended: hear the rest, and tell. */
static void finish(struct crowd *w, struct child *c, int status)
{
	int code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	const struct many *m = w->m;
	struct err e = {};

	for (size_t k = 0; k < 2; k++) {
		/* what is in the pipe, not what a hostile target goes on writing to it */
		for (int n = 0; n < PIPE_FULL && hear(m, c, k); n++)
			;
		pass_lines(m, c, k, true);
	}
	if (read(c->said, &e, sizeof(e)) != (ssize_t)sizeof(e))
		e = (struct err){};
	if (WIFSIGNALED(status))
		err_say(&e, EIO,
			"its session's process was killed by signal %d; what it had started is "
			"killed too",
			WTERMSIG(status));
	m->ended(m->data, c->i, code, &e);
	child_done(c);
	w->running--;
}

static void reap(struct crowd *w)
{
	for (size_t k = 0; k < MANY_MAX; k++) {
		struct child *c = &w->child[k];
		int status;

		if (c->pid > 0 && waitpid(c->pid, &status, WNOHANG) == c->pid)
			finish(w, c, status);
	}
}

static void take_signals(struct crowd *w)
{
	struct signalfd_siginfo si;

	while (read(w->sigfd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		int sig = (int)si.ssi_signo;

		if (sig == SIGCHLD) {
			reap(w);
			continue;
		}
		if (sig != SIGUSR1 && sig != SIGUSR2)
			w->asked = sig;
		for (size_t k = 0; k < MANY_MAX; k++)
			if (w->child[k].pid > 0)
				kill(w->child[k].pid, sig);
	}
}

static int attend(struct crowd *w, struct err *e)
{
	struct pollfd fds[1 + 2 * MANY_MAX];

	fds[0] = (struct pollfd){.fd = w->sigfd, .events = POLLIN};
	for (size_t k = 0; k < 2 * (size_t)MANY_MAX; k++)
		fds[1 + k] = (struct pollfd){.fd = w->child[k / 2].out[k % 2].fd, .events = POLLIN};
	if (poll(fds, ARRAY_LEN(fds), -1) < 0)
		return errno == EINTR ? 0 : err_set(e, errno, "waiting for the sessions");
	for (size_t k = 0; k < 2 * (size_t)MANY_MAX; k++)
		if (fds[1 + k].revents)
			hear(w->m, &w->child[k / 2], k % 2);
	if (fds[0].revents)
		take_signals(w);
	return 0;
}

int many_run(const struct many *m, struct err *e)
{
	_cleanup_(crowd_done) struct crowd w;
	int r = crowd_init(&w, m, e);

	while (r == 0) {
		start_more(&w);
		if (!w.running)
			break;
		r = attend(&w, e);
	}
	return r;
}

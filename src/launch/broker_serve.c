/* The broker's process: who asks, what runs, what has ended. All that is hostile is taken apart in
 * a child of its own (broker_call.c); here only lengths, numbers and descriptors count. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fd.h"
#include "launch/broker.h"
#include "launch/broker_log.h"
#include "launch/hostwire.h"
#include "session/wire.h"
#include "sys/title.h"

enum {
	CALLS = BROKER_CALLS_MAX,
	LISTENER = CALLS, /* in the places of epoll's data */
	LINK,
	CHILDREN,
	SPARE_FDS = 64,	    /* for what is not a call */
	REQUEST_MS = 10000, /* to say what is asked for */
	SETTLE_MS = 3500,   /* for the container to have what the host has mounted */
	GRACE_MS = 3000,    /* between asking a command to end and ending it */
	LAST_GRACE_MS = 300,
	AGAIN_MS = 20,
};

struct call {
	int sock;      /* -EBADF: who asked is gone */
	pid_t pid;     /* 0: nothing runs (yet, or any more) */
	uint32_t id;   /* 0: this place is free */
	int64_t until; /* ms of CLOCK_MONOTONIC: then the place is taken back; 0: no end is set */
	bool cut;      /* asked to end */
};

struct server {
	struct broker *b;
	int ep, link, sigfd, mounts;
	uint32_t last_id;
	size_t most;
	rlim_t nofile;
	dev_t root_dev;
	ino_t root_ino;
	struct call calls[CALLS];
};

static char request[HOSTWIRE_MAX];

static void listen_to(struct server *s, int fd, uint64_t place)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = place};

	epoll_ctl(s->ep, EPOLL_CTL_ADD, fd, &ev);
}

static void refuse(int sock, int num, const char *text, const char *hint)
{
	struct wire_msg m = {.type = WIRE_FAIL};

	err_say(&m.err, num, "%s", text);
	err_hint(&m.err, "%s", hint);
	wire_send(sock, &m, -EBADF);
}

/* Children may hold a copy for a moment, so closing alone would leave it in the epoll. */
static void hang_up(struct server *s, struct call *c)
{
	if (c->sock >= 0)
		epoll_ctl(s->ep, EPOLL_CTL_DEL, c->sock, NULL);
	cleanup_close(&c->sock);
	c->sock = -EBADF;
}

static void let_go(struct server *s, struct call *c)
{
	s->b->live[c - s->calls] = 0;
	hang_up(s, c);
	*c = (struct call){.sock = -EBADF};
}

static void admit(struct server *s)
{
	int sock = accept4(s->b->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (sock < 0)
		return;
	for (size_t i = 0; i < s->most; i++) {
		struct call *c = &s->calls[i];

		if (c->id)
			continue;
		*c = (struct call){.sock = sock, .until = clock_ms() + REQUEST_MS};
		s->last_id = s->last_id == UINT32_MAX ? 1 : s->last_id + 1;
		c->id = s->last_id;
		listen_to(s, sock, i);
		return;
	}
	refuse(sock, EAGAIN, "too many commands of this container run on the host already",
	       "try again when some have ended; a thousand may run at once");
	cleanup_close(&sock);
}

static void launch(struct server *s, struct call *c, size_t len, int fds[3])
{
	struct broker_call x = {.b = s->b,
				.sock = c->sock,
				.id = c->id,
				.root_dev = s->root_dev,
				.root_ino = s->root_ino,
				.msg = request,
				.len = len,
				.fds = {fds[0], fds[1], fds[2]},
				.nofile = s->nofile};

	c->until = 0;
	s->b->live[c - s->calls] = c->id;
	c->pid = fork();
	if (c->pid == 0)
		broker_call_run(&x);
	for (int i = 0; i < 3; i++)
		cleanup_close(&fds[i]);
	if (c->pid > 0)
		return;
	c->pid = 0;
	refuse(c->sock, EAGAIN, "the host cannot start another process now",
	       "its limit of processes, or its memory, is used up");
	let_go(s, c);
}

/* A signal for a command: what a terminal would send goes to all of its group. */
static void pass_on(const struct call *c, int sig)
{
	bool group = sig == SIGINT || sig == SIGQUIT || sig == SIGHUP || sig == SIGSTOP ||
		     sig == SIGCONT;

	if (sig < 1 || sig > SIGRTMAX)
		return;
	if (!group || kill(-c->pid, sig) < 0)
		kill(c->pid, sig); /* ours, and not waited for yet: no other has this number */
}

/* Who asked is gone, or the launcher is. */
static void cut(struct server *s, struct call *c, int64_t grace)
{
	hang_up(s, c);
	c->cut = true;
	c->until = clock_ms() + grace;
	pass_on(c, SIGHUP);
	pass_on(c, SIGTERM);
	pass_on(c, SIGCONT);
}

static void hear(struct server *s, struct call *c)
{
	_cleanup_close_ int fd = -EBADF;
	struct wire_msg m;
	int fds[3], r;

	if (!c->id || c->sock < 0)
		return;
	if (c->pid) {
		r = wire_recv(c->sock, &m, &fd);
		if (r == 1 && m.type == WIRE_SIGNAL)
			pass_on(c, m.num);
		else if (r != -EAGAIN && r != 1)
			cut(s, c, GRACE_MS);
		return;
	}
	r = hostwire_recv(c->sock, request, fds);
	if (r > 0) {
		launch(s, c, (size_t)r, fds);
		return;
	}
	if (r == -EAGAIN)
		return;
	if (r < 0)
		refuse(c->sock, EBADMSG, "what came over the socket is no request of host exec",
		       "porthole inside and outside are of different versions, perhaps");
	let_go(s, c);
}

/* A command may have mounted or unmounted something: who asked for it finds that done when it has
 * ended. Whoever has launched the container is told of all mounts before he hears us. */
static void settle(struct server *s)
{
	const struct wire_msg m = {.type = WIRE_SETTLE};
	struct pollfd p = {.fd = s->mounts, .events = POLLPRI};
	int pair[2];

	if (poll(&p, 1, 0) <= 0 || pipe2(pair, O_CLOEXEC) < 0)
		return;
	wire_send(s->b->link, &m, pair[1]);
	cleanup_close(&pair[1]);
	p = (struct pollfd){.fd = pair[0], .events = POLLIN};
	while (poll(&p, 1, SETTLE_MS) < 0 && errno == EINTR)
		;
	cleanup_close(&pair[0]);
}

static void reap(struct server *s)
{
	struct signalfd_siginfo si;
	int status;
	pid_t pid;

	(void)!read(s->sigfd, &si, sizeof(si));
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		int code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
		const struct wire_msg m = {.type = WIRE_ENDED, .num = code};

		for (size_t i = 0; i < CALLS; i++) {
			struct call *c = &s->calls[i];

			if (!c->id || c->pid != pid)
				continue;
			broker_log_end(s->b, c->id, code);
			c->pid = 0;
			if (c->cut) {
				c->until = 1; /* what it has left behind is ended now */
				break;
			}
			settle(s);
			wire_send(c->sock, &m, -EBADF);
			let_go(s, c);
			break;
		}
	}
}

/* Take back the places whose time is over; of commands that were asked to end, nothing stays. */
static void end_due(struct server *s)
{
	static uint32_t due[CALLS];
	int64_t now = clock_ms();
	bool any = false;

	memset(due, 0, sizeof(due));
	for (size_t i = 0; i < CALLS; i++) {
		struct call *c = &s->calls[i];

		if (!c->id || !c->until || c->until > now)
			continue;
		if (!c->cut) { /* it never said what it wants */
			let_go(s, c);
			continue;
		}
		due[i] = c->id;
		any = true;
		if (c->pid)
			kill(c->pid, SIGKILL);
	}
	if (any)
		broker_sweep(s->b->cookie, due);
	for (size_t i = 0; i < CALLS; i++) {
		struct call *c = &s->calls[i];

		if (due[i] && (!c->pid || waitpid(c->pid, NULL, WNOHANG)))
			let_go(s, c);
		else if (due[i]) /* it dies, or waits for a disk */
			c->until = now + AGAIN_MS;
	}
}

static int wait_ms(const struct server *s)
{
	int64_t first = INT64_MAX, now = clock_ms();

	for (size_t i = 0; i < CALLS; i++)
		if (s->calls[i].id && s->calls[i].until && s->calls[i].until < first)
			first = s->calls[i].until;
	return first == INT64_MAX ? -1 : first > now ? (int)(first - now) : 0;
}

/* The launcher is gone, and with it the container: so is what it had run. */
_Noreturn static void finish(struct server *s)
{
	int64_t until = clock_ms() + LAST_GRACE_MS;
	bool any = true;

	cleanup_close(&s->b->listener);
	for (size_t i = 0; i < CALLS; i++)
		if (s->calls[i].id && s->calls[i].pid && !s->calls[i].cut)
			cut(s, &s->calls[i], LAST_GRACE_MS);
	while (any && clock_ms() < until) {
		struct pollfd p = {.fd = s->sigfd, .events = POLLIN};

		any = false;
		for (size_t i = 0; i < CALLS; i++)
			any = any || s->calls[i].pid;
		if (any && poll(&p, 1, 10) >= 0)
			reap(s);
	}
	for (size_t i = 0; i < CALLS; i++)
		if (s->calls[i].cut)
			s->calls[i].until = 1;
	end_due(s);
	_exit(0);
}

/* Room for all who may come, if we are given that. */
static void set_limits(struct server *s)
{
	struct rlimit l;

	s->most = CALLS;
	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return;
	s->nofile = l.rlim_cur;
	if (l.rlim_cur < CALLS + SPARE_FDS) {
		l.rlim_cur = l.rlim_max < CALLS + SPARE_FDS ? l.rlim_max : CALLS + SPARE_FDS;
		setrlimit(RLIMIT_NOFILE, &l);
	}
	if (l.rlim_cur < CALLS + SPARE_FDS)
		s->most = l.rlim_cur > 2 * SPARE_FDS ? (size_t)l.rlim_cur - SPARE_FDS : SPARE_FDS;
}

static void prepare(struct server *s, int hold, pid_t inside)
{
	int *const keep[] = {&s->b->listener, &s->b->o.log, &s->link, &hold};
	sigset_t set;
	struct stat st;
	char path[32];
	int null;

	fd_keep_only(keep, ARRAY_LEN(keep));
	null = open("/dev/null", O_RDWR); /* as 0, then 1 and 2 */
	if (null < 0 || dup(null) < 0 || dup(null) < 0)
		_exit(EXIT_PORTHOLE);
	setsid();
	title_set("porthole: host exec");
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	signal(SIGPIPE, SIG_IGN);
	for (int sig = 1; sig < SIGRTMIN; sig++)
		if (sig != SIGCHLD && sig != SIGPIPE)
			signal(sig, SIG_DFL);
	sigfillset(&set); /* children start with none blocked */
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s->sigfd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	s->ep = epoll_create1(EPOLL_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/root", inside);
	if (inside > 0 && stat(path, &st) == 0) {
		s->root_dev = st.st_dev;
		s->root_ino = st.st_ino;
	}
	s->mounts = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC); /* perhaps */
	if (s->sigfd < 0 || s->ep < 0 || chdir("/") < 0)
		_exit(EXIT_PORTHOLE);
}

_Noreturn void broker_serve(struct broker *b, int link, int hold, pid_t inside)
{
	static struct server s;

	s = (struct server){.b = b, .link = link};
	for (size_t i = 0; i < CALLS; i++)
		s.calls[i].sock = -EBADF;
	prepare(&s, hold, inside);
	b->link = s.link;
	set_limits(&s);
	listen_to(&s, b->listener, LISTENER);
	listen_to(&s, s.link, LINK);
	listen_to(&s, s.sigfd, CHILDREN);
	for (;;) {
		struct epoll_event ev[32];
		int n = epoll_wait(s.ep, ev, ARRAY_LEN(ev), wait_ms(&s));

		for (int i = 0; i < n; i++) {
			if (ev[i].data.u64 == LISTENER)
				admit(&s);
			else if (ev[i].data.u64 == LINK)
				finish(&s);
			else if (ev[i].data.u64 == CHILDREN)
				reap(&s);
			else
				hear(&s, &s.calls[ev[i].data.u64]);
		}
		end_due(&s);
	}
}

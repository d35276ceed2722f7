#include "session/lodge.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "session/host.h"
#include "session/wire.h"
#include "sys/caps.h"
#include "sys/loopback.h"
#include "sys/ns.h"
#include "sys/proc.h"
#include "sys/title.h"

enum { TEXT_MAX = 16 << 20 };

/* What is handed over, the last one last. */
enum hand { HAND_SOCK, HAND_GUARD, HAND_STDIO, HAND_PLAN = HAND_STDIO + 3, HANDS };

/* The plan as the agent needs it: this, its groups, then words, each with a NUL. */
struct sheet {
	struct who who; /* without what it points at */
	uint64_t caps;
	char cookie[17];
	uint8_t kit, view;
	bool caps_ambient, no_new_privs, cwd_asked, tty, quiet;
	size_t argc, envc;
};

enum { WORD_LABEL, WORD_WHERE, WORD_CWD, WORD_PATH, WORDS };

/* --- the steward --- */

struct steward {
	struct agent *a;
	const struct lodging *w;
	struct target init;
	pid_t client;
	int client_fd, call;
};

/* Nobody called: what the engine had to say is on standard error already. */
static int no_call(struct steward *s, struct err *e)
{
	err_say(e, EIO, "%s did not start the container", s->w->engine);
	err_hint(e, "what it says about it is above; without --engine none is needed");
	return -EIO;
}

static int await_call(struct steward *s, struct err *e)
{
	struct pollfd fds[2] = {{.fd = s->w->listener, .events = POLLIN},
				{.fd = s->client_fd, .events = POLLIN}};

	while (poll(fds, 2, -1) < 0)
		if (errno != EINTR)
			return err_set(e, errno, "waiting for %s", s->w->engine);
	s->call = fds[0].revents ? accept4(s->w->listener, NULL, NULL, SOCK_CLOEXEC) : -EBADF;
	return s->call < 0 ? no_call(s, e) : 0;
}

/* Who calls is held: by the kernel's word, and in a container that shares our user namespace. */
static int hold(struct steward *s, unsigned *own, struct err *e)
{
	_cleanup_close_ int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct ucred who = {};
	socklen_t len = sizeof(who);
	int r = getsockopt(s->call, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0 ? -errno : 0;

	if (r == 0 && who.pid <= 0) {
		err_say(e, ESRCH, "the containers of this %s run on another machine than we",
			s->w->engine);
		err_hint(e, "it must be an engine of this machine, and not of one around it");
		return -ESRCH;
	}
	s->init.pid = who.pid;
	s->init.proc_fd = r < 0 ? r : proc_dir_open(s->a->host_proc, who.pid);
	s->init.pidfd = (int)syscall(SYS_pidfd_open, who.pid, 0);
	if (s->init.proc_fd < 0 || s->init.pidfd < 0)
		return err_set(e, ESRCH, "looking at the container that %s has made", s->w->engine);
	r = ns_different(s->init.proc_fd, self, HOST_NS | CLONE_NEWNS | CLONE_NEWUSER, own, e);
	if (r < 0)
		return r;
	if (*own & CLONE_NEWUSER || !(*own & CLONE_NEWNS))
		return err_say(e, ENOTSUP,
			       "%s made a container in %s, and a container of the host's is in "
			       "none",
			       s->w->engine,
			       *own & CLONE_NEWUSER ? "a user namespace" : "our mount namespace");
	return 0;
}

/* Where the engine cannot do as the plan says, that is told. */
static void compare(struct steward *s, unsigned own)
{
	struct wire_msg m = {.type = WIRE_NOTE};
	const unsigned more = own & HOST_NS & ~s->w->own, less = s->w->own & ~own;
	char names[64];

	if (s->a->plan->quiet)
		return;
	if (more) {
		err_say(&m.err, ENOTSUP, "%s cannot keep this of the host, it is its own: %s",
			s->w->engine, ns_names(more, names, sizeof(names)));
		wire_send(s->a->sock, &m, -EBADF);
	}
	if (less) {
		err_say(&m.err, ENOTSUP, "%s cannot give it this of its own, it is the host's: %s",
			s->w->engine, ns_names(less, names, sizeof(names)));
		wire_send(s->a->sock, &m, -EBADF);
	}
}

/* [child] The host's devices come and go: see to them, with the rights that the agent may not
 * have, until the container ends. */
_Noreturn static void watch_devices(struct steward *s, int done)
{
	struct devices *d = &s->a->devices;
	int *const keep[] = {&d->watch, &d->from, &d->to, &s->init.pidfd};

	close(done);
	fd_keep_only(keep, d->watch >= 0 ? ARRAY_LEN(keep) : 0);
	setsid();
	while (d->watch >= 0) {
		struct pollfd fds[2] = {{.fd = s->init.pidfd, .events = POLLIN},
					{.fd = d->watch, .events = POLLIN}};

		if ((poll(fds, 2, -1) < 0 && errno != EINTR) || fds[0].revents)
			break;
		if (fds[1].revents)
			devices_settle(d);
	}
	_exit(0);
}

/* [child] Among the container's processes: build the view where the container is. */
_Noreturn static void build(struct steward *s, unsigned own, int done)
{
	struct plan in = *s->a->plan;
	struct err e = {};

	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	in.place = openat(s->init.proc_fd, "ns/mnt", O_RDONLY | O_CLOEXEC);
	s->a->plan = &in;
	own &= HOST_NS & ~(unsigned)CLONE_NEWPID;
	if (in.place < 0 || (own && ns_join(s->init.pidfd, s->init.proc_fd, own) < 0))
		err_set(&e, errno, "entering the container that %s has made", s->w->engine);
	if (own & CLONE_NEWNET)
		loopback_up(); /* not every engine does */
	if (e.num || agent_enter(s->a, &e) < 0)
		agent_fail(s->a, &e);
	(void)!write(done, "", 1);
	watch_devices(s, done);
}

static int place(struct steward *s, unsigned own, struct err *e)
{
	_cleanup_close_ int hear = -EBADF, done = -EBADF;
	int pair[2];
	pid_t pid;
	char c;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_set(e, errno, "making a pipe");
	hear = pair[0];
	done = pair[1];
	if (own & CLONE_NEWPID && ns_join(s->init.pidfd, s->init.proc_fd, CLONE_NEWPID) < 0)
		return err_set(e, errno, "entering the container that %s has made", s->w->engine);
	pid = fork();
	if (pid == 0)
		build(s, own, done);
	if (pid < 0)
		return err_set(e, errno, "starting a process");
	cleanup_close(&done);
	done = -EBADF;
	if (read(hear, &c, 1) == 1)
		return 0;
	/* it has told the supervisor more */
	return err_say(e, EIO, "the container's files could not be put together");
}

static int write_word(int fd, const char *word)
{
	return fd_write_all(fd, word ? word : "", word ? strlen(word) + 1 : 1);
}

static int write_words(int fd, const struct strv *v)
{
	int r = 0;

	for (size_t i = 0; i < v->n && r == 0; i++)
		r = write_word(fd, v->v[i]);
	return r;
}

/* A file in memory: arguments and variables may be megabytes. */
static int write_sheet(const struct plan *p, struct err *e)
{
	_cleanup_close_ int fd = (int)memfd_create("plan", MFD_CLOEXEC);
	struct sheet t = {
		.who = p->who,
		.caps = p->caps,
		.kit = (uint8_t)p->kit.kind,
		.view = (uint8_t)p->view,
		.caps_ambient = p->caps_ambient,
		.no_new_privs = p->no_new_privs,
		.cwd_asked = p->cwd_asked,
		.tty = p->tty,
		.quiet = p->quiet,
		.argc = p->argv.n,
		.envc = p->env.n,
	};
	const char *const words[WORDS] = {p->label, p->where, p->cwd, p->path};
	int r = fd < 0 ? -errno : 0;

	memcpy(t.cookie, p->cookie, sizeof(t.cookie));
	r = r ?: fd_write_all(fd, &t, sizeof(t));
	r = r ?: fd_write_all(fd, p->who.groups, p->who.ngroups * sizeof(gid_t));
	for (size_t i = 0; i < WORDS && r == 0; i++)
		r = write_word(fd, words[i]);
	r = r ?: write_words(fd, &p->argv) ?: write_words(fd, &p->env);
	if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = -errno;
	return r < 0 ? err_set(e, r, "writing down what the container runs") : TAKE_FD(fd);
}

static int hand_over(struct steward *s, struct err *e)
{
	const struct agent *a = s->a;
	const struct wire_msg who = {.type = WIRE_AGENT, .num = s->init.pid};
	_cleanup_close_ int plan = write_sheet(a->plan, e);
	const int hands[HANDS] = {a->sock,
				  a->guard,
				  a->plan->tty ? a->stdio[0] : -EBADF,
				  a->plan->tty ? a->stdio[1] : -EBADF,
				  a->plan->tty ? a->stdio[2] : -EBADF,
				  plan};
	int r = plan < 0 ? plan : 0;

	if (r == 0)
		wire_send(a->sock, &who, -EBADF);
	for (int i = 0; i < HANDS && r == 0; i++) {
		const struct wire_msg m = {.type = WIRE_HAND, .num = i};

		if (hands[i] >= 0 && (r = wire_send(s->call, &m, hands[i])) < 0)
			err_set(e, r, "starting the command in the container of %s", s->w->engine);
	}
	return r;
}

static int begin(struct steward *s, struct err *e)
{
	unsigned own = 0;
	int r = await_call(s, e);

	if (r == 0)
		r = hold(s, &own, e);
	if (r == 0) {
		compare(s, own);
		r = place(s, own, e);
	}
	return r < 0 ? r : hand_over(s, e);
}

/* Until we can be told to end, whoever waits for an engine may have had enough of it. */
static void hear_signals(bool on)
{
	sigset_t set;

	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	if (on)
		sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* A pid namespace ends when all that was in it has been waited for, who built the view as well. */
static int await_client(pid_t client)
{
	int status = 0;
	pid_t pid;

	do {
		pid = waitpid(-1, &status, 0);
	} while (pid != client && (pid > 0 || errno == EINTR));
	return status;
}

_Noreturn void lodge_steward(struct agent *a)
{
	struct steward s = {.a = a,
			    .w = a->plan->lodging,
			    .init = TARGET_INIT,
			    .client_fd = -EBADF,
			    .call = -EBADF};
	struct err e = {};
	int status = 0, r;

	hear_signals(true);
	r = s.client = s.w->start(s.w->data, a->stdio, &e);
	title_set("porthole: engine"); /* that takes the environment */
	if (r > 0) {
		s.client_fd = (int)syscall(SYS_pidfd_open, s.client, 0);
		r = begin(&s, &e);
	}
	hear_signals(false);
	if (r < 0) {
		const struct wire_msg m = {.type = WIRE_FAIL, .err = e};

		wire_send(a->sock, &m, -EBADF);
		if (s.client > 0)
			kill(s.client, SIGTERM);
	}
	/* what is open here would make others believe that the supervisor or the agent lives */
	fd_keep_only(NULL, 0);
	setsid();
	if (s.client > 0)
		status = await_client(s.client);
	s.w->over(s.w->data);
	if (r < 0)
		_exit(e.exit ? e.exit : EXIT_PORTHOLE);
	_exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

/* --- in the container --- */

/* The next word of a text that ends at `end`; "" when there is none. */
static const char *next_word(const char **at, const char *end)
{
	const char *word = *at < end ? *at : "";

	*at += *at < end ? strlen(word) + 1 : 0;
	return word;
}

static int read_words(const char **at, const char *end, size_t n, struct strv *out)
{
	int r = 0;

	for (size_t i = 0; i < n && *at < end && r == 0; i++)
		r = strv_add(out, next_word(at, end));
	return r;
}

static int read_sheet(int fd, struct plan *p, struct err *e)
{
	char *text = NULL, **const words[WORDS] = {&p->label, &p->where, &p->cwd, &p->path};
	const char *at, *end;
	struct sheet t;
	size_t len = 0;
	int r = fd_read_all(fd, TEXT_MAX, &text, &len);

	if (r == 0 && len < sizeof(t))
		r = -EBADMSG;
	if (r < 0)
		return err_set(e, r, "reading what the container runs");
	memcpy(&t, text, sizeof(t));
	p->who = t.who;
	p->who.name = p->who.home = p->who.shell = NULL;
	p->who.groups = (gid_t *)(void *)(text + sizeof(t)); /* stays as long as we */
	p->caps = t.caps & caps_bounding();
	p->caps_lost = t.caps & ~caps_bounding();
	p->kit.kind = t.kit;
	p->view = t.view;
	p->beside.on = p->beside.host = true;
	p->caps_ambient = t.caps_ambient;
	p->no_new_privs = t.no_new_privs;
	p->cwd_asked = t.cwd_asked;
	p->tty = t.tty;
	p->quiet = t.quiet;
	memcpy(p->cookie, t.cookie, sizeof(p->cookie));
	at = text + sizeof(t) + t.who.ngroups * sizeof(gid_t);
	end = text + len;
	for (size_t i = 0; i < WORDS; i++)
		*words[i] = (char *)next_word(&at, end);
	if (!p->cwd[0])
		p->cwd = NULL;
	r = read_words(&at, end, t.argc, &p->argv) ?: read_words(&at, end, t.envc, &p->env);
	return r < 0 || !p->argv.n ? err_set(e, ENOMEM, "reading what the container runs") : 0;
}

static int call(const char *path, struct err *e)
{
	_cleanup_close_ int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	if (s < 0 || connect(s, (struct sockaddr *)&a, sizeof(a)) < 0) {
		err_say(e, errno, "whoever had this container made has gone");
		err_hint(e, "it is made and ended by 'porthole host run --engine', and starts by "
			    "nothing else");
		return -e->num;
	}
	return TAKE_FD(s);
}

/* What the engine did not give, though we have it. */
static void say_lost(const struct agent *a)
{
	_cleanup_free_ char *list = caps_list(a->plan->caps_lost);
	struct wire_msg m = {.type = WIRE_NOTE};

	if (!a->plan->caps_lost || a->plan->quiet || !list)
		return;
	err_say(&m.err, EPERM, "the engine does not give it these capabilities: %s", list);
	wire_send(a->sock, &m, -EBADF);
}

int lodge_begin(const char *path, struct err *e)
{
	struct session_cgroup cgroup = SESSION_CGROUP_INIT;
	struct freeze freeze = FREEZE_INIT;
	struct plan p = PLAN_INIT;
	int hands[HANDS] = {-EBADF, -EBADF, -EBADF, -EBADF, -EBADF, -EBADF}, r;
	struct agent a = {.plan = &p,
			  .parts = {.proc_fd = -EBADF, .target_proc = -EBADF},
			  .says_started = true,
			  .devices = DEVICES_INIT,
			  .placed = true,
			  .cgroup = &cgroup,
			  .freeze = &freeze,
			  .stdio = &hands[HAND_STDIO]};
	int sock = call(path, e);

	if (sock < 0)
		return sock;
	while (hands[HAND_PLAN] < 0) {
		struct wire_msg m;
		int fd;

		if (wire_recv(sock, &m, &fd) <= 0)
			_exit(EXIT_PORTHOLE); /* why has been told there */
		if (m.type == WIRE_HAND && m.num >= 0 && m.num < HANDS)
			hands[m.num] = fd;
	}
	r = read_sheet(hands[HAND_PLAN], &p, e);
	if (r < 0)
		return r;
	for (int i = 0; !p.tty && i < 3; i++)
		hands[HAND_STDIO + i] = i;
	a.sock = hands[HAND_SOCK];
	a.guard = hands[HAND_GUARD];
	say_lost(&a);
	/* the root is another by now */
	a.host_proc = chdir("/") == 0 ? open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC) : -errno;
	if (a.host_proc < 0)
		return err_set(e, errno, "opening /proc");
	agent_main(&a);
}

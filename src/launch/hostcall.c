#include "launch/hostcall.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "launch/hostwire.h"
#include "session/channels.h"
#include "session/wire.h"

struct asker {
	const struct hostcall *call;
	struct plan plan; /* only what channels look at */
	struct channels channels;
	int sock, sigfd;
};

static const char *const passed[] = {"TERM", "COLORTERM", "LANG", "TZ", "NO_COLOR"};

/* Where the host's / is shown, by profile. */
static const char *const roots[] = {"/host", "/media/root", "/run/host"};

char *hostcall_cwd(void)
{
	_cleanup_free_ char *cwd = getcwd(NULL, 0);
	const char *host = getenv("HOST");

	if (!cwd || *cwd != '/')
		return strdup("/");
	for (size_t i = 0; i <= ARRAY_LEN(roots); i++) {
		const char *root = i ? roots[i - 1] : host;
		size_t n = root && *root == '/' ? strlen(root) : 0;

		if (n < 2 || strncmp(cwd, root, n) != 0 || (cwd[n] && cwd[n] != '/'))
			continue;
		return strdup(cwd[n] ? cwd + n : "/");
	}
	return strdup(cwd);
}

static int connect_to(const char *path, struct err *e)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	_cleanup_close_ int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (s < 0 || strlen(path) >= sizeof(a.sun_path))
		return err_set(e, s < 0 ? errno : ENAMETOOLONG, "making a socket");
	memcpy(a.sun_path, path, strlen(path));
	if (connect(s, (struct sockaddr *)&a, sizeof(a)) == 0)
		return TAKE_FD(s);
	if (errno == ENOENT || errno == ENOTDIR) {
		err_say(e, ENOENT, "there is no way to a host from here");
		err_hint(e,
			 "'porthole host run' launches containers that have one; in another that "
			 "has the host's processes and rights, 'porthole exec --force 1 CMD' runs "
			 "it among the host's files");
		return -ENOENT;
	}
	if (errno == ECONNREFUSED)
		return err_say(e, ECONNREFUSED,
			       "whoever launched this container is gone, and with it the way to "
			       "the host");
	return err_set(e, errno, "reaching the host through %s", path);
}

static int open_signals(struct asker *x, struct err *e)
{
	static const int all[] = {SIGTERM, SIGINT,  SIGHUP,   SIGQUIT, SIGUSR1,
				  SIGUSR2, SIGTSTP, SIGWINCH, SIGCONT, SIGALRM};

	signal(SIGPIPE, SIG_IGN);
	x->sigfd = fd_signals(all, ARRAY_LEN(all), NULL, e);
	return x->sigfd < 0 ? x->sigfd : 0;
}

static int add_passed(struct strv *env)
{
	int r = 0;

	for (char **v = environ; *v && r == 0; v++) {
		bool pass = str_starts(*v, "LC_");

		for (size_t i = 0; i < ARRAY_LEN(passed); i++)
			pass = pass || (strncmp(*v, passed[i], strlen(passed[i])) == 0 &&
					(*v)[strlen(passed[i])] == '=');
		/* a narrowed container may pass no others, so none is tried */
		if (pass && !strpbrk(*v, "/ \t"))
			r = strv_add(env, *v);
	}
	return r;
}

static int ask(struct asker *x, struct err *e)
{
	const struct hostcall *c = x->call;
	static const int none[3] = {-EBADF, -EBADF, -EBADF};
	struct winsize ws = {};
	_cleanup_strv_ struct strv env = {};
	struct hostwire h = {
		.flags = (c->tty ? HOSTWIRE_TTY : 0U) | (c->with_tools ? HOSTWIRE_TOOLS : 0U) |
			 (c->cwd_asked ? HOSTWIRE_CWD_ASKED : 0U),
		.user = c->user,
		.cwd = c->cwd,
		.argv = c->argv,
	};
	int r = add_passed(&env);

	if (r == 0)
		r = strv_add_all(&env, &c->env);
	if (r < 0)
		return err_set(e, ENOMEM, "asking the host");
	h.env = env;
	if (c->tty && ioctl(isatty(0) ? 0 : 1, TIOCGWINSZ, &ws) == 0) {
		h.rows = ws.ws_row;
		h.cols = ws.ws_col;
	}
	r = hostwire_send(x->sock, &h, c->tty ? none : x->channels.stdio);
	if (r == -E2BIG) {
		err_say(e, E2BIG,
			"the command's words and variables are more than %d KiB, which is the most "
			"that host exec takes",
			HOSTWIRE_MAX >> 10);
		err_hint(e, "pass the list on standard input, as with xargs(1)");
		return -E2BIG;
	}
	/* where the other has hung up already, it has said why */
	return r < 0 && r != -EPIPE ? err_set(e, r, "asking the host") : 0;
}

static void handle_signal(struct asker *x)
{
	struct wire_msg m = {.type = WIRE_SIGNAL};
	struct signalfd_siginfo si;

	if (read(x->sigfd, &si, sizeof(si)) != (ssize_t)sizeof(si))
		return;
	if (si.ssi_signo == SIGWINCH) {
		channels_resize(&x->channels);
		return;
	}
	/* nobody there would take it up again, so it is stopped as it is */
	m.num = si.ssi_signo == SIGTSTP ? SIGSTOP : (int)si.ssi_signo;
	wire_send(x->sock, &m, -EBADF);
	if (si.ssi_signo == SIGTSTP)
		raise(SIGSTOP);
}

static int gone(struct err *e)
{
	err_say(e, EPIPE, "the launcher's side ended, and with it the command on the host");
	return -EPIPE;
}

/* 1: go on, 0: it ended with *code, or -errno. */
static int hear(struct asker *x, int *code, struct err *e)
{
	struct wire_msg m;
	int fd, r = wire_recv(x->sock, &m, &fd);

	if (r <= 0)
		return gone(e);
	if (m.type == WIRE_READY && x->channels.master < 0) {
		x->channels.master = fd;
		channels_start(&x->channels, &x->plan);
		return 1;
	}
	cleanup_close(&fd);
	if (m.type == WIRE_NOTE && m.err.num && x->call->note)
		x->call->note(m.err.msg);
	if (m.type == WIRE_FAIL && m.err.num) {
		*e = m.err;
		return -e->num;
	}
	*code = m.num;
	return m.type != WIRE_ENDED;
}

static int attend(struct asker *x, struct err *e)
{
	struct pollfd fds[2 + 2 * RELAY_MAX];
	int code = EXIT_PORTHOLE, r = 1;

	while (r > 0) {
		fds[0] = (struct pollfd){.fd = x->sock, .events = POLLIN};
		fds[1] = (struct pollfd){.fd = x->sigfd, .events = POLLIN};
		if (poll(fds, 2 + channels_poll(&x->channels, &fds[2]), -1) < 0) {
			if (errno == EINTR)
				continue;
			return err_set(e, errno, "waiting for the command");
		}
		if (fds[1].revents)
			handle_signal(x);
		channels_move(&x->channels, &fds[2]);
		if (fds[0].revents)
			r = hear(x, &code, e);
	}
	channels_drain(&x->channels);
	return r < 0 ? r : code & 0xff;
}

int hostcall_run(const char *path, const struct hostcall *c, struct err *e)
{
	struct asker x = {.call = c,
			  .plan = {.tty = c->tty, .stdin_open = c->stdin_open},
			  .channels = CHANNELS_INIT,
			  .sigfd = -EBADF};
	int r = x.sock = connect_to(path, e);

	if (r >= 0)
		r = open_signals(&x, e);
	if (r == 0)
		r = channels_open(&x.channels, &x.plan, e);
	if (r == 0)
		r = ask(&x, e);
	if (r == 0) {
		channels_handed(&x.channels);
		r = attend(&x, e);
	}
	channels_done(&x.channels);
	cleanup_close(&x.sigfd);
	cleanup_close(&x.sock);
	return r;
}

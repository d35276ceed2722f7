#include "launch/attach.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "launch/end.h"
#include "launch/keeper.h"
#include "launch/state.h"

enum { NUDGE_MS = 50 };

enum how { GOES_ON, LEFT, ENDED, FAILED };

struct seat {
	const char *name;
	struct attach_ask *ask;
	int sock, sigfd;
	bool tty, takes;     /* it has a terminal; it takes input */
	bool typing;	     /* our input is read */
	bool person;	     /* it is a terminal's */
	bool nudge;	     /* its size is to be told once more */
	unsigned rows, cols; /* of its terminal */
	size_t matched;	     /* of the keys that leave it */
	struct termios saved;
	bool changed; /* our terminal, to be given back */
	int code;     /* ENDED: its exit code */
};

static void seat_done(struct seat *s)
{
	if (s->changed)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &s->saved);
	cleanup_close(&s->sock);
	cleanup_close(&s->sigfd);
}

/* --- keys --- */

/* "ctrl-X", or one byte. -1: neither. */
static int key_of(const char *word)
{
	if (word[0] && !word[1])
		return word[0];
	if (!str_starts(word, "ctrl-") || !word[5] || word[6])
		return -1;
	if (strchr("@[\\]^_", word[5]) || (word[5] >= 'a' && word[5] <= 'z'))
		return word[5] & 0x1f;
	return -1;
}

int attach_keys_parse(const char *text, struct attach_keys *out, struct err *e)
{
	_cleanup_strv_ struct strv words = {};

	*out = (struct attach_keys){};
	if (strv_split(&words, text, ",") < 0)
		return err_set(e, ENOMEM, "reading the keys");
	for (size_t i = 0; i < words.n; i++) {
		int key = key_of(words.v[i]);

		if (key < 0 || out->n == ATTACH_KEYS_MAX) {
			err_say(e, EINVAL, "'%s' are no keys that leave it", text);
			err_hint(e, "such as ctrl-p,ctrl-q: a letter, or ctrl- and one of a to z "
				    "@ [ \\ ] ^ _, with commas between them");
			return -EINVAL;
		}
		out->v[out->n++] = (char)key;
	}
	return 0;
}

/* --- what goes to it --- */

static void say(const struct seat *s, const struct keeper_msg *m, size_t data)
{
	/* where nobody hears it, that is seen at the next word that is awaited */
	send(s->sock, m, offsetof(struct keeper_msg, data) + data, MSG_NOSIGNAL);
}

static void say_size(struct seat *s)
{
	struct keeper_msg m = {.type = KEEPER_SIZE};
	struct winsize ws = {};

	if (!s->tty || ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) < 0 || !ws.ws_row)
		return;
	m.rows = ws.ws_row;
	m.cols = ws.ws_col;
	/* what fills the screen draws it again when its size changes, so it does */
	s->nudge = ws.ws_row > 1 && ws.ws_row == s->rows && ws.ws_col == s->cols;
	if (s->nudge)
		m.rows--;
	s->rows = 0;
	say(s, &m, 0);
}

/* All but the keys that leave it, of which the first ones are held back until the next is known.
 * LEFT or GOES_ON. */
static enum how typed(struct seat *s, const char *buf, size_t n)
{
	const struct attach_keys *k = &s->ask->keys;
	struct keeper_msg m = {.type = KEEPER_INPUT};
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		if (k->n && buf[i] == k->v[s->matched]) {
			if (++s->matched == k->n)
				return LEFT;
			continue;
		}
		memcpy(m.data + len, k->v, s->matched);
		len += s->matched;
		s->matched = k->n && buf[i] == k->v[0];
		if (!s->matched)
			m.data[len++] = buf[i];
	}
	if (len && s->takes && !s->ask->no_input)
		say(s, &m, len);
	return GOES_ON;
}

static enum how from_input(struct seat *s)
{
	char buf[KEEPER_DATA - ATTACH_KEYS_MAX];
	ssize_t n = read(STDIN_FILENO, buf, sizeof(buf));

	if (n > 0)
		return typed(s, buf, (size_t)n);
	if (n == 0 || (errno != EINTR && errno != EAGAIN))
		s->typing = false; /* it may still have something to say */
	return GOES_ON;
}

static enum how from_signal(struct seat *s)
{
	struct signalfd_siginfo si;

	if (read(s->sigfd, &si, sizeof(si)) != (ssize_t)sizeof(si))
		return GOES_ON;
	if (si.ssi_signo == SIGWINCH) {
		say_size(s);
		return GOES_ON;
	}
	if (si.ssi_signo == SIGHUP || !s->ask->signals)
		return LEFT;
	launch_signal(s->name, (int)si.ssi_signo, NULL); /* its end is told otherwise */
	return GOES_ON;
}

/* --- what comes from it --- */

static enum how lost(const struct seat *s, struct err *e)
{
	_cleanup_launch_state_ struct launch_state now = {};
	_cleanup_close_ int dir = launch_find(s->name, &now, NULL);

	if (dir < 0) {
		err_say(e, EIO, "'%s' was killed", s->name);
		return FAILED;
	}
	err_say(e, ETIMEDOUT, "'%s' goes on without us: nobody read for %d seconds what it says",
		s->name, KEEPER_STALL_S);
	err_hint(e, "'porthole attach %s' again; 'porthole logs %s' has it", s->name, s->name);
	return FAILED;
}

static enum how from_keeper(struct seat *s, struct err *e)
{
	const size_t head = offsetof(struct keeper_msg, data);
	struct keeper_msg m;
	ssize_t n = recv(s->sock, &m, sizeof(m), 0);
	int r;

	if (n < 0 && errno == EINTR)
		return GOES_ON;
	if (n < (ssize_t)head)
		return lost(s, e);
	if (m.type == KEEPER_OUTPUT) {
		r = fd_write_all(STDOUT_FILENO, m.data, (size_t)n - head);
		if (r < 0)
			err_set(e, r, "printing what '%s' says", s->name);
		return r < 0 ? FAILED : GOES_ON;
	}
	if (m.type != KEEPER_END)
		return GOES_ON;
	s->code = m.code;
	if ((size_t)n == head)
		return ENDED;
	err_say(e, EIO, "%.*s", (int)((size_t)n - head), m.data);
	err_exit(e, m.code);
	return FAILED;
}

/* --- the seat --- */

static int come_in(struct seat *s, int dir, struct err *e)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct keeper_msg m;

	snprintf(at.sun_path, sizeof(at.sun_path), "/proc/self/fd/%d/" KEEPER_SOCKET, dir);
	s->sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (s->sock < 0 || connect(s->sock, (struct sockaddr *)&at, sizeof(at)) < 0)
		return err_set(e, errno, "attaching to '%s'", s->name);
	if (recv(s->sock, &m, sizeof(m), 0) <= 0 || m.type != KEEPER_HELLO)
		return err_say(e, EBUSY, "%d others are attached to '%s' already, or it ends",
			       KEEPER_CLIENTS, s->name);
	s->tty = m.tty;
	s->takes = m.input;
	s->rows = m.rows;
	s->cols = m.cols;
	return 0;
}

static int catch_signals(struct seat *s, struct err *e)
{
	static const int caught[] = {SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH};

	signal(SIGPIPE, SIG_IGN);
	s->sigfd = fd_signals(caught, ARRAY_LEN(caught), NULL, e);
	return s->sigfd < 0 ? s->sigfd : 0;
}

/* Ours becomes its terminal's; where it has none we only see to it that the keys are heard: Ctrl-Q
 * would be for ours, and nobody presses Enter to leave what reads nothing. */
static void sit_down(struct seat *s)
{
	struct termios now;

	s->person = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &s->saved) == 0;
	s->typing = s->person || (s->takes && !s->ask->no_input);
	if (!s->person)
		return;
	now = s->saved;
	if (s->tty && !s->ask->no_input)
		cfmakeraw(&now);
	else
		now.c_iflag &= ~(tcflag_t)(IXON | IXOFF);
	if (!s->takes || s->ask->no_input)
		now.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	s->changed = tcsetattr(STDIN_FILENO, TCSADRAIN, &now) == 0;
	if (s->ask->greeting)
		fd_write_all(STDERR_FILENO, s->ask->greeting, strlen(s->ask->greeting));
}

static int stay(struct seat *s, struct err *e)
{
	enum how how = GOES_ON;

	say_size(s);
	while (how == GOES_ON) {
		struct pollfd p[] = {
			{.fd = s->sock, .events = POLLIN},
			{.fd = s->typing ? STDIN_FILENO : -1, .events = POLLIN},
			{.fd = s->sigfd, .events = POLLIN},
		};
		int n = poll(p, ARRAY_LEN(p), s->nudge ? NUDGE_MS : -1);

		if (n < 0 && errno != EINTR)
			return err_set(e, errno, "waiting for '%s'", s->name);
		if (n == 0)
			say_size(s);
		if (n <= 0)
			continue;
		if (p[2].revents)
			how = from_signal(s);
		if (how == GOES_ON && p[1].revents)
			how = from_input(s);
		if (how == GOES_ON && p[0].revents)
			how = from_keeper(s, e);
	}
	s->ask->left = how == LEFT;
	return how == FAILED ? -e->num : how == LEFT ? 0 : s->code;
}

int launch_attach(const char *name, struct attach_ask *ask, struct err *e)
{
	_cleanup_launch_state_ struct launch_state state = {};
	_cleanup_(seat_done) struct seat s = {
		.name = name, .ask = ask, .sock = -EBADF, .sigfd = -EBADF};
	_cleanup_close_ int dir = launch_find(name, &state, e);
	int r = dir < 0 ? dir : come_in(&s, dir, e);

	if (r == 0)
		r = catch_signals(&s, e);
	if (r < 0)
		return r;
	sit_down(&s);
	return stay(&s, e);
}

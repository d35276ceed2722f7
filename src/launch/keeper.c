#include "launch/keeper.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "launch/ended.h"
#include "launch/state.h"
#include "sys/title.h"

enum { LINE = 1024, END_MS = 1000, KILLED = 137 };

/* What it works with. */
struct desk {
	struct keeper *k;
	int log, listen;
	int client[KEEPER_CLIENTS];
	size_t n;
	char line[LINE]; /* what stands in the terminal's last line: a prompt, most often */
	size_t line_len; /* LINE: more than that, and not shown */
	char typed[KEEPER_DATA];
	size_t start, len; /* of what is not taken yet */
};

/* --- the log: at most two files of LAUNCH_LOG_MAX, the last of what was said --- */

static int open_log(int dir)
{
	return openat(dir, LAUNCH_LOG, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC,
		      0600);
}

static void add_log(struct desk *d, const char *data, size_t n)
{
	struct stat st;

	if (d->log >= 0 && fstat(d->log, &st) == 0 && st.st_size + (off_t)n > LAUNCH_LOG_MAX) {
		renameat(d->k->dir, LAUNCH_LOG, d->k->dir, LAUNCH_LOG_OLD);
		cleanup_close(&d->log);
		d->log = open_log(d->k->dir);
	}
	if (d->log >= 0)
		fd_write_all(d->log, data, n); /* a full /run loses what comes now */
}

static void add_line(struct desk *d, const char *data, size_t n)
{
	const char *nl = memrchr(data, '\n', n);

	if (nl) {
		d->line_len = 0;
		n -= (size_t)(nl + 1 - data);
		data = nl + 1;
	}
	if (d->line_len + n >= LINE) {
		d->line_len = LINE;
		return;
	}
	memcpy(d->line + d->line_len, data, n);
	d->line_len += n;
}

/* --- who is attached --- */

static void let_go(struct desk *d, size_t i)
{
	close(d->client[i]);
	d->client[i] = d->client[--d->n];
}

/* Waits for him, but not for long. */
static bool say(int fd, const struct keeper_msg *m, size_t data)
{
	return send(fd, m, offsetof(struct keeper_msg, data) + data, MSG_NOSIGNAL) > 0;
}

static void say_all(struct desk *d, struct keeper_msg *m, const char *data, size_t n)
{
	memcpy(m->data, data, n);
	for (size_t i = d->n; i-- > 0;)
		if (!say(d->client[i], m, n))
			let_go(d, i);
}

static void welcome(struct desk *d)
{
	const struct timeval stall = {.tv_sec = KEEPER_STALL_S};
	struct keeper_msg m = {.type = KEEPER_HELLO, .tty = d->k->tty, .input = d->k->to >= 0};
	_cleanup_close_ int fd = accept4(d->listen, NULL, NULL, SOCK_CLOEXEC);
	struct winsize ws = {};

	if (d->k->tty && ioctl(d->k->from, TIOCGWINSZ, &ws) == 0) {
		m.rows = ws.ws_row;
		m.cols = ws.ws_col;
	}
	if (fd < 0 || d->n == KEEPER_CLIENTS ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &stall, sizeof(stall)) < 0 || !say(fd, &m, 0))
		return;
	if (d->k->tty && d->line_len && d->line_len < LINE) {
		m.type = KEEPER_OUTPUT;
		memcpy(m.data, d->line, d->line_len);
		if (!say(fd, &m, d->line_len))
			return;
	}
	d->client[d->n++] = TAKE_FD(fd);
}

/* Pass on what can be taken now. */
static void type(struct desk *d)
{
	ssize_t n = write(d->k->to, d->typed + d->start, d->len - d->start);

	if (n > 0)
		d->start += (size_t)n;
	if ((n < 0 && errno != EAGAIN && errno != EINTR) || d->start == d->len)
		d->start = d->len = 0;
}

static void hear(struct desk *d, size_t i)
{
	struct keeper_msg m;
	const size_t head = offsetof(struct keeper_msg, data);
	ssize_t n = recv(d->client[i], &m, sizeof(m), MSG_DONTWAIT);

	if (n < (ssize_t)head) {
		if (n >= 0 || (errno != EAGAIN && errno != EINTR))
			let_go(d, i);
		return;
	}
	if (m.type == KEEPER_SIZE && d->k->tty && m.rows && m.cols)
		ioctl(d->k->from, TIOCSWINSZ,
		      &(struct winsize){.ws_row = m.rows, .ws_col = m.cols});
	if (m.type != KEEPER_INPUT || d->k->to < 0)
		return;
	d->start = 0;
	d->len = (size_t)n - head;
	memcpy(d->typed, m.data, d->len);
	type(d);
}

/* --- */

/* False at the end of what is said; of a terminal that is EIO. */
static bool listen_to(struct desk *d)
{
	struct keeper_msg m = {.type = KEEPER_OUTPUT};
	char buf[KEEPER_DATA];
	ssize_t n = read(d->k->from, buf, sizeof(buf));

	if (n <= 0)
		return n < 0 && (errno == EINTR || errno == EAGAIN);
	add_log(d, buf, (size_t)n);
	add_line(d, buf, (size_t)n);
	say_all(d, &m, buf, (size_t)n);
	return true;
}

static void keep(struct desk *d)
{
	struct pollfd p[3 + KEEPER_CLIENTS];
	bool more = true;

	while (more) {
		size_t n = d->n;

		p[0] = (struct pollfd){.fd = d->k->from, .events = POLLIN};
		p[1] = (struct pollfd){.fd = d->listen, .events = POLLIN};
		p[2] = (struct pollfd){.fd = d->len ? d->k->to : -1, .events = POLLOUT};
		for (size_t i = 0; i < n; i++) /* one who has gone is seen even so */
			p[3 + i] =
				(struct pollfd){.fd = d->client[i], .events = d->len ? 0 : POLLIN};
		if (poll(p, 3 + (nfds_t)n, -1) < 0)
			continue;
		if (p[2].revents)
			type(d);
		for (size_t i = n; i-- > 0;)
			if (p[3 + i].revents & POLLIN && !d->len)
				hear(d, i);
			else if (p[3 + i].revents & (POLLHUP | POLLERR))
				let_go(d, i);
		if (p[1].revents & POLLIN)
			welcome(d);
		if (p[0].revents)
			more = listen_to(d);
	}
}

static void say_end(struct desk *d)
{
	struct keeper_msg m = {.type = KEEPER_END, .code = KILLED};
	struct keeper_end end = {};
	struct pollfd p = {.fd = d->k->end, .events = POLLIN};
	size_t len;

	if (poll(&p, 1, END_MS) > 0 && read(d->k->end, &end, sizeof(end)) == sizeof(end))
		m.code = end.code;
	else
		snprintf(end.why, sizeof(end.why), "'%s' was killed", d->k->name);
	len = strnlen(end.why, sizeof(end.why) - 1);
	say_all(d, &m, end.why, len);
}

/* In the state's directory, wherever that is by name. */
static int open_socket(int dir)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t mask = umask(0177);
	int r;

	snprintf(at.sun_path, sizeof(at.sun_path), "/proc/self/fd/%d/" KEEPER_SOCKET, dir);
	r = fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
			    listen(fd, KEEPER_CLIENTS) < 0
		    ? -errno
		    : 0;
	umask(mask);
	return r < 0 ? r : TAKE_FD(fd);
}

_Noreturn void keeper_main(struct keeper *k)
{
	static struct desk d;
	int *const own[] = {&k->dir, &k->from, &k->end, &k->to};

	fd_keep_only(own, ARRAY_LEN(own));
	setsid();
	/* it ends when all others have: no signal of ours is for it */
	for (int sig = 1; sig < 32; sig++)
		signal(sig, SIG_IGN);
	title_set("ph-keeper");
	d = (struct desk){.k = k, .log = open_log(k->dir), .listen = open_socket(k->dir)};
	if (k->to >= 0)
		fd_nonblock(k->to, true);
	keep(&d);
	launch_ended(k->dir, k->name, -1, ENDED_BY_KILL);
	say_end(&d);
	unlinkat(k->dir, KEEPER_SOCKET, 0); /* nothing more comes to the log */
	_exit(0);
}

#include "session/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"

static void finish(struct relay *r)
{
	if (r->own_from)
		cleanup_close(&r->from);
	if (r->own_to)
		cleanup_close(&r->to);
	r->own_from = r->own_to = false;
	r->done = true;
	r->len = 0;
}

void relay_done(struct relay *r)
{
	if (!r->done)
		finish(r);
}

void relay_poll(const struct relay *r, struct pollfd fds[2])
{
	fds[0] = (struct pollfd){.fd = r->done || r->len ? -1 : r->from, .events = POLLIN};
	fds[1] = (struct pollfd){.fd = !r->done && r->len ? r->to : -1, .events = POLLOUT};
}

/* Read into the empty buffer; the end of input closes the other side. */
static void fill(struct relay *r)
{
	ssize_t n = read(r->from, r->buf, RELAY_BUF);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n > 0) {
		r->start = 0;
		r->len = (size_t)n;
		return;
	}
	if (n == 0 && r->tty_eof) {
		r->tty_eof = false;
		r->start = 0;
		r->len = 1;
		r->buf[0] = 4; /* ^D */
		r->from = -1;
		return;
	}
	finish(r); /* end of file; EIO: the last process closed its terminal */
}

static void empty(struct relay *r)
{
	ssize_t n = write(r->to, r->buf + r->start, r->len);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < 0) {
		finish(r); /* EPIPE: nobody reads any more */
		return;
	}
	r->start += (size_t)n;
	r->len -= (size_t)n;
	if (r->len == 0 && r->from < 0)
		finish(r);
}

void relay_move(struct relay *r, const struct pollfd fds[2])
{
	if (!r->done && r->len == 0 && fds[0].fd >= 0 && fds[0].revents)
		fill(r);
	if (!r->done && r->len && (fds[1].fd < 0 || fds[1].revents)) {
		/* just read: the other side is most often ready, so try without another poll */
		struct pollfd out = {.fd = r->to, .events = POLLOUT};

		if (fds[1].fd >= 0 || poll(&out, 1, 0) > 0)
			empty(r);
	}
}

void relay_drain(struct relay *r)
{
	int from = r->from;

	if (r->done || from < 0)
		return;
	fd_nonblock(from, true);
	do {
		if (r->len && fd_write_all(r->to, r->buf + r->start, r->len) < 0)
			break;
		r->start = 0;
		ssize_t n = read(from, r->buf, RELAY_BUF);
		r->len = n > 0 ? (size_t)n : 0;
	} while (r->len);
}

int tty_raw(int fd, struct termios *saved)
{
	struct termios raw;

	if (tcgetattr(fd, saved) < 0)
		return -errno;
	raw = *saved;
	cfmakeraw(&raw);
	return tcsetattr(fd, TCSADRAIN, &raw) < 0 ? -errno : 0;
}

void tty_restore(int fd, const struct termios *saved)
{
	tcsetattr(fd, TCSADRAIN, saved);
}

void tty_copy_size(int from, int to)
{
	struct winsize ws;

	if (ioctl(from, TIOCGWINSZ, &ws) == 0 && ws.ws_row)
		ioctl(to, TIOCSWINSZ, &ws);
}

/* Data of one connection, both ways: socket, pipe, socket. */
#include <fcntl.h>
#include <sys/socket.h>

#include "forward/loop.h"

enum {
	PIPE_BYTES = 1 << 20, /* the most a user without root gets by default */
	PIPE_SMALL = 65536,
	COPY_BYTES = 65536,
	BUDGET = 8 << 20, /* bytes for one connection before the others have their turn */
};

/* --- pipes are only held while there is something in them --- */

/* Large, but where receivers have left so many of those full that the next ones are small. */
static int pipe_get(struct forward *f, struct flow *fl)
{
	fl->room = PIPE_BYTES;
	if (f->n_pipes) {
		f->n_pipes--;
		fl->pipe[0] = f->pipes[f->n_pipes][0];
		fl->pipe[1] = f->pipes[f->n_pipes][1];
		return 0;
	}
	if (pipe2(fl->pipe, O_CLOEXEC | O_NONBLOCK) < 0) {
		fl->pipe[0] = fl->pipe[1] = -EBADF;
		return -errno;
	}
	if (f->n_large == PIPES_KEPT) {
		fl->room = PIPE_SMALL;
		return 0;
	}
	f->n_large++;
	fcntl(fl->pipe[0], F_SETPIPE_SZ, PIPE_BYTES); /* refused: it stays as it is */
	return 0;
}

static void pipe_put(struct forward *f, struct flow *fl)
{
	if (fl->pipe[0] < 0)
		return;
	if (!fl->pending && fl->room == PIPE_BYTES) {
		f->pipes[f->n_pipes][0] = fl->pipe[0];
		f->pipes[f->n_pipes++][1] = fl->pipe[1];
	} else {
		f->n_large -= fl->room == PIPE_BYTES;
		close(fl->pipe[0]);
		close(fl->pipe[1]);
	}
	fl->pipe[0] = fl->pipe[1] = -EBADF;
}

/* --- turns --- */

static void queue(struct stream *s)
{
	if (s->queued)
		return;
	s->queued = true;
	s->next = s->f->busy;
	s->f->busy = s;
}

void list_remove(struct stream **list, const struct stream *s)
{
	for (; *list; list = &(*list)->next)
		if (*list == s) {
			*list = s->next;
			return;
		}
}

void relay_unqueue(struct stream *s)
{
	if (s->queued)
		list_remove(&s->f->busy, s);
	s->queued = false;
}

void relay_queue(struct forward *f)
{
	struct stream *list = f->busy;

	f->busy = NULL;
	while (list) {
		struct stream *s = list;

		list = s->next;
		s->queued = false;
		relay_pump(s);
	}
}

/* --- one direction --- */

/* Out of the pipe. 1 went on, 0 not now, or -errno. */
static int drain(struct stream *s, int way)
{
	struct stream_end *to = &s->end[!way];
	struct flow *fl = &s->flow[way];
	ssize_t n;

	if (!to->out)
		return 0;
	n = splice(fl->pipe[0], NULL, to->w.fd, NULL, fl->pending,
		   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (n < 0 && errno == EAGAIN)
		to->out = false;
	if (n < 0)
		return errno == EAGAIN ? 0 : errno == EINTR ? 1 : -errno;
	fl->pending -= (size_t)n;
	s->c.bytes[way] += (uint64_t)n;
	return 1;
}

/* Where there is no descriptor left for a pipe: what can be sent is copied, and only then taken, so
 * that nothing is held here and connections go on to their end. As drain(). */
static int copy(struct stream *s, int way)
{
	static char data[COPY_BYTES];
	struct stream_end *from = &s->end[way], *to = &s->end[!way];
	ssize_t n, sent;

	if (!to->out)
		return 0;
	n = recv(from->w.fd, data, sizeof(data), MSG_PEEK | MSG_DONTWAIT);
	if (n == 0)
		s->flow[way].eof = true;
	if (n < 0 && errno == EAGAIN)
		from->in = false;
	if (n <= 0)
		return n == 0 || errno == EINTR ? 1 : errno == EAGAIN ? 0 : -errno;
	sent = send(to->w.fd, data, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0 && errno == EAGAIN)
		to->out = false;
	if (sent < 0)
		return errno == EAGAIN ? 0 : errno == EINTR ? 1 : -errno;
	if (recv(from->w.fd, data, (size_t)sent, MSG_DONTWAIT) != sent)
		return -EIO;
	s->c.bytes[way] += (uint64_t)sent;
	return 1;
}

/* Into the pipe, which is empty: so EAGAIN is the socket's. */
static int fill(struct stream *s, int way)
{
	struct stream_end *from = &s->end[way];
	struct flow *fl = &s->flow[way];
	ssize_t n;

	if (!from->in)
		return 0;
	if (fl->pipe[0] < 0 && pipe_get(s->f, fl) < 0) {
		loop_limited(s->f);
		return copy(s, way);
	}
	n = splice(from->w.fd, NULL, fl->pipe[1], NULL, fl->room,
		   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (n < 0 && errno == EAGAIN)
		from->in = false;
	if (n < 0)
		return errno == EAGAIN ? 0 : errno == EINTR ? 1 : -errno;
	fl->eof = n == 0;
	fl->pending = (size_t)n;
	return 1;
}

static int pump_way(struct stream *s, int way)
{
	struct flow *fl = &s->flow[way];
	uint64_t end = s->c.bytes[way] + BUDGET;
	int r = 1;

	while (r > 0 && s->c.bytes[way] < end) {
		if (fl->pending) {
			r = drain(s, way);
		} else if (!fl->eof) {
			r = fill(s, way);
		} else {
			if (!fl->shut)
				shutdown(s->end[!way].w.fd, SHUT_WR);
			fl->shut = true;
			r = 0;
		}
	}
	if (!fl->pending)
		pipe_put(s->f, fl);
	if (r > 0)
		queue(s);
	return r < 0 ? r : 0;
}

void relay_pump(struct stream *s)
{
	for (int way = 0; way < 2; way++) {
		int r = pump_way(s, way);

		if (r < 0) {
			stream_end(s, -r, strerror(-r));
			return;
		}
	}
	if (s->flow[0].shut && s->flow[1].shut)
		stream_end(s, 0, NULL);
}

void relay_ready(struct stream_end *end, uint32_t events)
{
	struct stream *s = end->s;

	if (events & EPOLLERR) {
		int num = 0;
		socklen_t len = sizeof(num);

		getsockopt(end->w.fd, SOL_SOCKET, SO_ERROR, &num, &len);
		if (num) {
			stream_end(s, num, strerror(num));
			return;
		}
	}
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP))
		end->in = true;
	if (events & (EPOLLOUT | EPOLLHUP))
		end->out = true;
	relay_pump(s);
}

void relay_start(struct stream *s)
{
	s->state = STREAM_RELAY;
	for (int i = 0; i < 2; i++)
		s->end[i].in = s->end[i].out = true;
	loop_tell(s->f, FWD_OPENED, &s->c, NULL);
	relay_pump(s);
}

void relay_release(struct stream *s)
{
	relay_unqueue(s);
	for (int way = 0; way < 2; way++)
		pipe_put(s->f, &s->flow[way]);
}

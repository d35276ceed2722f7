/* Connections: accepted, connected, ended. */
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/str.h"
#include "forward/loop.h"
#include "forward/socks.h"

enum {
	HANDSHAKE_MS = 30000,
	FULL_MS = 5000, /* how long a socket's queue may be full */
	AGAINS = 64,	/* tries in one round */
};

static const uint32_t ALL = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

static void set_options(int fd)
{
	int on = 1;

	/* refused on unix sockets, which need neither */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

static void reset_at_close(int fd)
{
	const struct linger now = {.l_onoff = 1};

	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

void stream_end(struct stream *s, int num, const char *why)
{
	struct forward *f = s->f;

	if (s->state == STREAM_DEAD)
		return;
	/* a SOCKS client that was not connected has to read why */
	if (s->state == STREAM_RELAY ? num != 0 : !s->socks)
		for (int i = 0; i < 2; i++)
			reset_at_close(s->end[i].w.fd);
	loop_tell(f, s->state == STREAM_RELAY ? FWD_CLOSED : FWD_FAILED, &s->c, why);
	s->state = STREAM_DEAD;
	relay_release(s);
	if (s->waits)
		list_remove(&f->waiting, s);
	for (int i = 0; i < 2; i++) {
		cleanup_close(&s->end[i].w.fd);
		s->end[i].w.fd = -EBADF;
	}
	loop_conn_out(f, &s->c);
	s->next = f->dead;
	f->dead = s;
}

void streams_bury(struct forward *f)
{
	while (f->dead) {
		struct stream *s = f->dead;

		f->dead = s->next;
		free(s->addrs);
		free(s->socks);
		free(s);
	}
}

/* --- connecting --- */

static void failed(struct stream *s, int num)
{
	const char *label = side_label(s->f, s->c.rule, true);
	char why[256];

	if (num == ECONNREFUSED)
		snprintf(why, sizeof(why), "nothing listens at %s in %s", s->c.to, label);
	else
		snprintf(why, sizeof(why), "connecting to %s in %s: %s", s->c.to, label,
			 num == ENOTSOCK ? "that is no socket"
			 : num == EAGAIN
				 ? "who listens there does not accept, and its queue is full"
				 : strerror(num));
	proxy_answer(s, num);
	stream_end(s, num, why);
}

static void connected(struct stream *s)
{
	free(s->addrs);
	s->addrs = NULL;
	set_options(s->end[1].w.fd);
	proxy_answer(s, 0);
	relay_start(s);
}

/* Start with the next address. 0 under way, or -errno: none is left. */
static int try_next(struct stream *s)
{
	struct stream_end *end = &s->end[1];
	int r = -EHOSTUNREACH;

	for (; s->at < s->addrs->n; s->at++) {
		const union fwd_addr *a = &s->addrs->v[s->at];

		cleanup_close(&end->w.fd);
		end->w.fd = side_socket(s->f, s->c.rule, true, a->sa.sa_family, SOCK_STREAM);
		if (end->w.fd < 0)
			return end->w.fd;
		side_tune(end->w.fd, a);
		/* before it is watched: a socket that does nothing yet is in error */
		r = connect(end->w.fd, &a->sa, fwd_addr_len(a)) < 0 ? -errno : 0;
		if (r == -EINPROGRESS)
			r = 0;
		if (r == 0) {
			s->at++;
			return loop_add(s->f, &end->w, ALL);
		}
	}
	return r;
}

static void connecting(struct stream *s)
{
	int num = 0, r;
	socklen_t len = sizeof(num);

	getsockopt(s->end[1].w.fd, SOL_SOCKET, SO_ERROR, &num, &len);
	if (!num) {
		connected(s);
		return;
	}
	r = s->at < s->addrs->n ? try_next(s) : -num;
	if (r < 0) /* what the first one said tells more than that there is no ::1 */
		failed(s,
		       r == -EADDRNOTAVAIL || r == -ENETUNREACH || r == -EAFNOSUPPORT ? num : -r);
}

static void wait_for_room(struct stream *s)
{
	s->waits = true;
	s->next = s->f->waiting;
	s->f->waiting = s;
}

static void connect_unix(struct stream *s)
{
	struct maker *m = side_maker(s->f, s->c.rule, true, NULL);
	int fd = m ? maker_connect_unix(m, s->c.rule->to.path) : -EPIPE;

	if (fd == -EAGAIN && clock_ms() - s->c.since < FULL_MS) {
		wait_for_room(s);
		return;
	}
	if (fd < 0) {
		if (fd == -EMFILE)
			loop_limited(s->f);
		failed(s, -fd);
		return;
	}
	s->end[1].w.fd = fd;
	if (loop_add(s->f, &s->end[1].w, ALL) < 0)
		failed(s, ENOMEM);
	else
		connected(s);
}

void streams_again(struct forward *f)
{
	struct stream *list = f->waiting, **end = &list;

	if (!list || clock_ms() < f->again)
		return;
	f->again = clock_ms() + AGAIN_MS;
	f->waiting = NULL;
	for (int i = 0; list && i < AGAINS; i++) {
		struct stream *s = list;

		list = s->next;
		s->waits = false;
		connect_unix(s);
	}
	while (*end)
		end = &(*end)->next;
	*end = f->waiting; /* those that were tried: after the others */
	f->waiting = list;
}

void stream_connect(struct stream *s, const struct fwd_point *to)
{
	_cleanup_free_ char *text = fwd_point_text(to);
	struct err e = {};
	int r;

	snprintf(s->c.to, sizeof(s->c.to), "%s", text ? text : "?");
	s->state = STREAM_CONNECTING;
	if (to->path) {
		connect_unix(s);
		return;
	}
	s->addrs = calloc(1, sizeof(*s->addrs));
	if (!s->addrs) {
		failed(s, ENOMEM);
		return;
	}
	r = fwd_lookup(side_root(s->f, s->c.rule, true), to->host, to->port,
		       side_label(s->f, s->c.rule, true), s->addrs, &e);
	if (r < 0) {
		proxy_answer(s, -r);
		stream_end(s, -r, e.msg);
		return;
	}
	r = try_next(s);
	if (r == -EMFILE)
		loop_limited(s->f);
	if (r < 0)
		failed(s, -r);
}

static void ready(struct watch *w, uint32_t events)
{
	struct stream_end *end = CONTAINER_OF(w, struct stream_end, w);
	struct stream *s = end->s;

	if (s->state == STREAM_RELAY)
		relay_ready(end, events);
	else if (s->state == STREAM_CONNECTING && end == &s->end[1])
		connecting(s);
	else if (s->state == STREAM_SOCKS)
		proxy_ready(s);
	else if (s->state == STREAM_CONNECTING && events & EPOLLERR)
		stream_end(s, ECONNRESET, "it left before it was connected");
}

/* --- accepting --- */

static void name_peer(struct stream *s, int fd, const union fwd_addr *peer)
{
	char text[FWD_ADDR_TEXT];
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (peer->sa.sa_family != AF_UNIX)
		snprintf(s->c.who, sizeof(s->c.who), "%s", fwd_addr_text(peer, text));
	else if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 && cred.pid > 0)
		snprintf(s->c.who, sizeof(s->c.who), "process %d", (int)cred.pid);
	else
		snprintf(s->c.who, sizeof(s->c.who), "unix socket");
}

void stream_accepted(struct listener *l, int fd, const union fwd_addr *peer)
{
	struct stream *s = calloc(1, sizeof(*s));
	struct socks *socks = l->rule->socks ? calloc(1, sizeof(*socks)) : NULL;

	if (!s || (l->rule->socks && !socks)) {
		free(s);
		close(fd);
		return;
	}
	*s = (struct stream){.c.rule = l->rule, .f = l->f, .socks = socks, .state = STREAM_SOCKS};
	for (int i = 0; i < 2; i++) {
		s->end[i].s = s;
		s->end[i].w = (struct watch){.ready = ready, .fd = i ? -EBADF : fd};
		s->flow[i].pipe[0] = s->flow[i].pipe[1] = -EBADF;
	}
	name_peer(s, fd, peer);
	set_options(fd);
	loop_conn_in(l->f, &s->c);
	if (loop_add(l->f, &s->end[0].w, ALL) < 0)
		stream_end(s, ENOMEM, strerror(ENOMEM));
	else if (!socks)
		stream_connect(s, &l->rule->to);
}

void streams_second(struct forward *f)
{
	int64_t now = clock_ms();

	for (struct fwd_conn *c = f->first, *next; c; c = next) {
		struct stream *s = CONTAINER_OF(c, struct stream, c);

		next = c->next;
		if (c->rule->udp)
			continue;
		if (s->state == STREAM_SOCKS && now - c->since > HANDSHAKE_MS)
			stream_end(s, ETIMEDOUT, "it did not say where to connect to");
	}
}

void streams_close(struct forward *f)
{
	for (struct fwd_conn *c = f->first, *next; c; c = next) {
		next = c->next;
		if (!c->rule->udp)
			stream_end(CONTAINER_OF(c, struct stream, c), ECONNRESET,
				   "forwarding ended");
	}
	streams_bury(f);
	while (f->n_pipes) {
		f->n_pipes--;
		close(f->pipes[f->n_pipes][0]);
		close(f->pipes[f->n_pipes][1]);
	}
}

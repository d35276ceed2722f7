#include "forward/loop.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/str.h"

enum { EVENTS = 256, SECOND_MS = 1000, REST_MS = 50, LIMIT_WORDS_MS = 10000 };

/* A descriptor of the caller's. */
struct outer {
	struct watch w;
	void (*ready)(void *data);
	void *data;
	struct outer *next;
};

int loop_add(struct forward *f, struct watch *w, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = w};

	return epoll_ctl(f->epoll, EPOLL_CTL_ADD, w->fd, &ev) < 0 ? -errno : 0;
}

int loop_change(struct forward *f, struct watch *w, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = w};

	return epoll_ctl(f->epoll, EPOLL_CTL_MOD, w->fd, &ev) < 0 ? -errno : 0;
}

void loop_conn_in(struct forward *f, struct fwd_conn *c)
{
	c->id = ++f->next_id;
	c->since = clock_ms();
	c->prev = f->last;
	*(f->last ? &f->last->next : &f->first) = c;
	f->last = c;
	f->n_conns++;
}

void loop_conn_out(struct forward *f, struct fwd_conn *c)
{
	*(c->prev ? &c->prev->next : &f->first) = c->next;
	*(c->next ? &c->next->prev : &f->last) = c->prev;
	f->n_conns--;
}

void loop_tell(struct forward *f, enum fwd_event what, const struct fwd_conn *c, const char *why)
{
	f->talk.event(f->talk.data, what, c, why);
}

void loop_limited(struct forward *f)
{
	int64_t now = clock_ms();

	if (!f->rest)
		listeners_rest(f, true);
	f->rest = now + REST_MS;
	if (f->limited && now - f->limited < LIMIT_WORDS_MS)
		return;
	f->limited = now;
	loop_tell(f, FWD_LIMITED, NULL, NULL);
}

/* --- sides --- */

struct maker *side_maker(struct forward *f, const struct fwd_rule *r, bool connects, struct err *e)
{
	struct maker *m = r->reverse == connects ? &f->here : &f->there;

	if (m->sock < 0 && maker_start(m, NULL, e) < 0)
		return NULL;
	return m;
}

int side_socket(struct forward *f, const struct fwd_rule *r, bool connects, int family, int type)
{
	int fd;

	if (r->reverse != connects)
		return maker_socket(&f->there, family, type);
	fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return fd < 0 ? -errno : fd;
}

/* Where the host's default is BBR, it paces what we send by timers, and a stream through us is half
 * as fast as it could be. */
void side_tune(int fd, const union fwd_addr *a)
{
	if (fwd_addr_is_loopback(a))
		setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", strlen("reno"));
}

int side_root(const struct forward *f, const struct fwd_rule *r, bool connects)
{
	return r->reverse == connects ? f->host_root : f->there.root;
}

const char *side_label(const struct forward *f, const struct fwd_rule *r, bool connects)
{
	return r->reverse == connects ? "the host" : f->label;
}

/* --- the ends of others --- */

static void on_target_end(struct watch *w, uint32_t events)
{
	struct forward *f = CONTAINER_OF(w, struct forward, target_end);

	if (f->stop)
		return;
	loop_tell(f, FWD_TARGET_ENDED, NULL, NULL);
	err_say(&f->err, ESRCH, "'%s' ended while its ports were forwarded", f->label);
	f->stop = true;
}

static void on_maker_end(struct watch *w, uint32_t events)
{
	struct forward *f = CONTAINER_OF(w, struct forward, maker_end);

	if (f->stop)
		return;
	err_say(&f->err, EPIPE, "the process that makes sockets in '%s' was killed", f->label);
	f->stop = true;
}

static void on_outer(struct watch *w, uint32_t events)
{
	struct outer *o = CONTAINER_OF(w, struct outer, w);

	o->ready(o->data);
}

int forward_watch(struct forward *f, int fd, void (*ready)(void *data), void *data, struct err *e)
{
	struct outer *o = calloc(1, sizeof(*o));
	int r;

	if (!o)
		return err_set(e, ENOMEM, "watching a descriptor");
	*o = (struct outer){.w = {.ready = on_outer, .fd = fd},
			    .ready = ready,
			    .data = data,
			    .next = f->outers};
	f->outers = o;
	r = loop_add(f, &o->w, EPOLLIN);
	return r < 0 ? err_set(e, r, "watching a descriptor") : 0;
}

/* --- start, run, end --- */

/* As many descriptors as we may have. */
static void raise_limit(void)
{
	struct rlimit max, raised;

	if (getrlimit(RLIMIT_NOFILE, &max) < 0)
		return;
	raised = (struct rlimit){.rlim_cur = 1 << 20, .rlim_max = 1 << 20};
	if (max.rlim_max >= raised.rlim_max || setrlimit(RLIMIT_NOFILE, &raised) < 0) {
		max.rlim_cur = max.rlim_max;
		setrlimit(RLIMIT_NOFILE, &max);
	}
}

struct forward *forward_open(const struct target *t, const struct fwd_talk *talk, struct err *e)
{
	struct forward *f = calloc(1, sizeof(*f));
	int r;

	if (!f) {
		err_set(e, ENOMEM, "forwarding");
		return NULL;
	}
	raise_limit();
	*f = (struct forward){.target = t,
			      .talk = *talk,
			      .label = str_printable_dup(t->name),
			      .there = MAKER_INIT,
			      .here = MAKER_INIT,
			      .epoll = epoll_create1(EPOLL_CLOEXEC),
			      .host_root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC),
			      .target_end = {.ready = on_target_end, .fd = t->pidfd},
			      .maker_end = {.ready = on_maker_end}};
	if (!f->label || f->epoll < 0 || f->host_root < 0)
		r = err_set(e, errno, "preparing to forward");
	else
		r = maker_start(&f->there, t, e);
	f->maker_end.fd = f->there.sock;
	if (r == 0 && loop_add(f, &f->maker_end, EPOLLRDHUP) < 0)
		r = err_set(e, errno, "preparing to forward");
	if (r == 0 && t->pidfd >= 0 && loop_add(f, &f->target_end, EPOLLIN) < 0)
		r = err_set(e, errno, "preparing to forward");
	if (r == 0)
		return f;
	forward_close(f);
	return NULL;
}

int forward_add(struct forward *f, struct fwd_rule *rule, struct err *e)
{
	return listener_open(f, rule, e);
}

static void each_second(struct forward *f)
{
	streams_second(f);
	for (struct listener *l = f->listeners; l; l = l->next)
		if (l->rule->udp)
			udp_expire(l, false);
	f->talk.second(f->talk.data);
	for (struct fwd_conn *c = f->first; c; c = c->next) {
		c->last[0] = c->bytes[0];
		c->last[1] = c->bytes[1];
	}
}

static int wait_ms(const struct forward *f, int64_t second)
{
	int64_t left = second - clock_ms();

	if (f->busy || left <= 0)
		return 0;
	if (f->waiting && left > AGAIN_MS)
		left = AGAIN_MS;
	return f->rest && left > REST_MS ? REST_MS : (int)left;
}

int forward_run(struct forward *f, struct err *e)
{
	struct epoll_event events[EVENTS];
	int64_t second = clock_ms() + SECOND_MS;

	while (!f->stop) {
		int n = epoll_wait(f->epoll, events, EVENTS, wait_ms(f, second));

		if (n < 0 && errno != EINTR)
			return err_set(e, errno, "waiting for connections");
		if (f->rest && clock_ms() >= f->rest) {
			f->rest = 0;
			listeners_rest(f, false);
		}
		for (int i = 0; i < n; i++) {
			struct watch *w = events[i].data.ptr;

			if (w->fd >= 0) /* closed in this round */
				w->ready(w, events[i].events);
		}
		streams_again(f);
		relay_queue(f);
		streams_bury(f);
		if (clock_ms() >= second) {
			each_second(f);
			streams_bury(f);
			second = clock_ms() + SECOND_MS;
		}
	}
	if (f->err.num)
		*e = f->err;
	return -f->err.num;
}

void forward_stop(struct forward *f)
{
	f->stop = true;
}

const struct fwd_conn *forward_conns(const struct forward *f, size_t *n)
{
	*n = f->n_conns;
	return f->first;
}

void forward_close(struct forward *f)
{
	if (!f)
		return;
	listeners_close(f); /* UDP peers too */
	streams_close(f);
	maker_stop(&f->there);
	maker_stop(&f->here);
	while (f->outers) {
		struct outer *o = f->outers;

		f->outers = o->next;
		free(o);
	}
	cleanup_close(&f->epoll);
	cleanup_close(&f->host_root);
	free(f->label);
	free(f);
}

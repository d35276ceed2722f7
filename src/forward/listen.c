/* Where connections come from. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/str.h"
#include "forward/loop.h"

enum { BACKLOG = 4096, ACCEPTS = 64 };

static bool none_left(int num)
{
	return num == EMFILE || num == ENFILE || num == ENOBUFS || num == ENOMEM;
}

/* Level-triggered: what is not accepted in this round is in the next. */
static void accept_ready(struct watch *w, uint32_t events)
{
	struct listener *l = CONTAINER_OF(w, struct listener, w);

	for (int i = 0; i < ACCEPTS && !l->f->rest; i++) {
		union fwd_addr peer = {};
		socklen_t len = sizeof(peer);
		int fd = accept4(w->fd, &peer.sa, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0 && none_left(errno))
			loop_limited(l->f);
		if (fd < 0 && errno != ECONNABORTED && errno != EINTR)
			return;
		if (fd >= 0)
			stream_accepted(l, fd, &peer);
	}
}

static int refused(const struct forward *f, const struct fwd_rule *r, const char *where, int num,
		   struct err *e)
{
	const char *side = side_label(f, r, false);

	if (num == EADDRINUSE && r->from.path && *where == '/') {
		err_say(e, num, "%s exists already in %s", where, side);
		err_hint(e, "choose another path, or remove it if nothing listens there any more");
	} else if (num == EADDRINUSE) {
		err_say(e, num, "port %u is in use in %s (%s)", r->from.port, side, where);
		err_hint(e, "choose another one, or 0 for any that is free");
	} else if (num == EADDRNOTAVAIL) {
		err_say(e, num, "%s is no address of %s", where, side);
	} else if (num == EPIPE) {
		err_say(e, num, "the process that makes sockets in %s was killed", side);
	} else {
		err_set(e, num, "listening at %s in %s", where, side);
		if (num == EACCES && r->from.port && r->from.port < 1024)
			err_hint(e, "ports below 1024 are for root: choose another, or run with "
				    "sudo");
	}
	return -num;
}

static int add(struct forward *f, const struct fwd_rule *r, int fd, struct err *e)
{
	struct listener *l = calloc(1, sizeof(*l));

	if (!l) {
		close(fd);
		return err_set(e, ENOMEM, "listening");
	}
	*l = (struct listener){.w = {.ready = r->udp ? udp_ready : accept_ready, .fd = fd},
			       .f = f,
			       .rule = r,
			       .next = f->listeners};
	f->listeners = l;
	return loop_add(f, &l->w, EPOLLIN) < 0 ? err_set(e, errno, "listening") : 0;
}

/* One address; *port is the one it became. 0 or -errno. */
static int bind_one(struct forward *f, const struct fwd_rule *r, const union fwd_addr *a, bool both,
		    int *out)
{
	_cleanup_close_ int fd =
		side_socket(f, r, false, a->sa.sa_family, r->udp ? SOCK_DGRAM : SOCK_STREAM);
	int on = 1, off = !both;

	if (fd < 0)
		return fd;
	if (!r->udp) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		side_tune(fd, a);
	}
	if (a->sa.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, &a->sa, fwd_addr_len(a)) < 0 || (!r->udp && listen(fd, BACKLOG) < 0))
		return -errno;
	*out = TAKE_FD(fd);
	return 0;
}

static void set_port(union fwd_addr *a, uint16_t port)
{
	if (a->sa.sa_family == AF_INET)
		a->in.sin_port = htons(port);
	else
		a->in6.sin6_port = htons(port);
}

/* No such protocol there: the other address will do. */
static bool not_there(int num)
{
	return num == -EADDRNOTAVAIL || num == -EAFNOSUPPORT || num == -EACCES;
}

/* All addresses: one has to work, and a port that is taken is an error for each. */
static int open_ports(struct forward *f, struct fwd_rule *r, struct fwd_addrs *all, struct err *e)
{
	bool any = str_eq(r->from.host, "*"), chosen = !r->from.port;
	char text[FWD_ADDR_TEXT];
	int good = 0, ret = 0;

	for (size_t i = 0; i < all->n; i++) {
		union fwd_addr *a = &all->v[i];
		socklen_t len = sizeof(*a);
		int fd = -EBADF;

		set_port(a, r->from.port);
		ret = bind_one(f, r, a, any, &fd);
		if (ret == -EADDRINUSE && good && chosen) /* free on the first address only */
			continue;
		if (ret < 0 && not_there(ret) && (good || i + 1 < all->n))
			continue;
		if (ret < 0)
			return refused(f, r, fwd_addr_text(a, text), -ret, e);
		if (getsockname(fd, &a->sa, &len) == 0)
			r->from.port = fwd_addr_port(a);
		ret = add(f, r, fd, e);
		if (ret < 0)
			return ret;
		good++;
		if (any) /* :: takes IPv4 too */
			return 0;
	}
	return 0;
}

int listener_open(struct forward *f, struct fwd_rule *r, struct err *e)
{
	struct fwd_addrs all = {};
	struct maker *m;
	int ret;

	if (r->from.path) {
		m = side_maker(f, r, false, e);
		if (!m)
			return -e->num;
		/* a port of the container is for all in it; one of the host for its owner */
		ret = maker_listen_unix(m, r->from.path, r->reverse ? 0666 : 0600);
		return ret < 0 ? refused(f, r, r->from.path, -ret, e) : add(f, r, ret, e);
	}
	ret = fwd_lookup(side_root(f, r, false), r->from.host, r->from.port,
			 side_label(f, r, false), &all, e);
	return ret < 0 ? ret : open_ports(f, r, &all, e);
}

void listeners_rest(struct forward *f, bool rest)
{
	for (struct listener *l = f->listeners; l; l = l->next)
		loop_change(f, &l->w, rest ? 0 : EPOLLIN);
}

void listeners_close(struct forward *f)
{
	while (f->listeners) {
		struct listener *l = f->listeners;

		f->listeners = l->next;
		if (l->rule->udp)
			udp_expire(l, true);
		cleanup_close(&l->w.fd);
		free(l);
	}
}

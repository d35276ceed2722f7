/* UDP: for each peer a socket of its own on the other side, so that answers find their way. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/str.h"
#include "forward/loop.h"

enum {
	DATAGRAM_MAX = 65536,
	AT_ONCE = 64,	    /* datagrams in one turn */
	SILENT_MS = 120000, /* then a peer is forgotten */
	PEERS_MAX = 1024,   /* of one port: then the one that is silent for longest is forgotten */
};

struct udp_peer {
	struct fwd_conn c;
	struct watch w; /* connected to the other side */
	struct listener *l;
	union fwd_addr addr;
	int64_t used;
	struct udp_peer *next;
};

static void forget(struct udp_peer **at, const char *why)
{
	struct udp_peer *p = *at;

	*at = p->next;
	p->l->n_peers--;
	loop_tell(p->l->f, FWD_CLOSED, &p->c, why);
	loop_conn_out(p->l->f, &p->c);
	cleanup_close(&p->w.fd);
	p->w.fd = -EBADF;
	p->next = p->l->dead; /* there may be an event for it in this round */
	p->l->dead = p;
}

static void bury(struct listener *l)
{
	while (l->dead) {
		struct udp_peer *p = l->dead;

		l->dead = p->next;
		free(p);
	}
}

void udp_expire(struct listener *l, bool all)
{
	int64_t now = clock_ms();
	struct udp_peer **at = &l->peers;

	bury(l);
	while (*at) {
		if (all || now - (*at)->used > SILENT_MS)
			forget(at, NULL);
		else
			at = &(*at)->next;
	}
	if (all)
		bury(l);
}

/* What comes back. */
static void answer_ready(struct watch *w, uint32_t events)
{
	struct udp_peer *p = CONTAINER_OF(w, struct udp_peer, w);
	static char data[DATAGRAM_MAX];

	for (int i = 0; i < AT_ONCE; i++) {
		ssize_t n = recv(w->fd, data, sizeof(data), MSG_DONTWAIT);

		if (n < 0) /* also that nothing listens there: as the peer sees it, silence */
			return;
		p->used = clock_ms();
		p->c.bytes[1] += (uint64_t)n;
		sendto(p->l->w.fd, data, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL, &p->addr.sa,
		       fwd_addr_len(&p->addr));
	}
}

static int connect_peer(struct udp_peer *p)
{
	const struct fwd_rule *r = p->c.rule;
	struct fwd_addrs all = {};
	int ret = fwd_lookup(side_root(p->l->f, r, true), r->to.host, r->to.port,
			     side_label(p->l->f, r, true), &all, NULL);

	for (size_t i = 0; i < all.n; i++) {
		cleanup_close(&p->w.fd);
		p->w.fd = side_socket(p->l->f, r, true, all.v[i].sa.sa_family, SOCK_DGRAM);
		if (p->w.fd < 0)
			return p->w.fd;
		if (connect(p->w.fd, &all.v[i].sa, fwd_addr_len(&all.v[i])) == 0)
			return loop_add(p->l->f, &p->w, EPOLLIN);
		ret = -errno;
	}
	return ret;
}

static bool is_same(const union fwd_addr *a, const union fwd_addr *b)
{
	if (a->sa.sa_family != b->sa.sa_family || fwd_addr_port(a) != fwd_addr_port(b))
		return false;
	return a->sa.sa_family == AF_INET ? a->in.sin_addr.s_addr == b->in.sin_addr.s_addr
					  : memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, 16) == 0 &&
						    a->in6.sin6_scope_id == b->in6.sin6_scope_id;
}

static struct udp_peer *new_peer(struct listener *l, const union fwd_addr *from)
{
	struct udp_peer *p = calloc(1, sizeof(*p));
	_cleanup_free_ char *to = fwd_point_text(&l->rule->to);
	char text[FWD_ADDR_TEXT];
	int r;

	if (!p)
		return NULL;
	*p = (struct udp_peer){.c.rule = l->rule,
			       .w = {.ready = answer_ready, .fd = -EBADF},
			       .l = l,
			       .addr = *from,
			       .next = l->peers};
	snprintf(p->c.who, sizeof(p->c.who), "%s", fwd_addr_text(from, text));
	snprintf(p->c.to, sizeof(p->c.to), "%s", to ? to : "?");
	r = connect_peer(p);
	if (r < 0) {
		if (r == -EMFILE)
			loop_limited(l->f);
		loop_tell(l->f, FWD_FAILED, &p->c, strerror(-r));
		cleanup_close(&p->w.fd);
		free(p);
		return NULL;
	}
	l->peers = p;
	l->n_peers++;
	loop_conn_in(l->f, &p->c);
	loop_tell(l->f, FWD_OPENED, &p->c, NULL);
	return p;
}

/* The list is by last use, so the last one is the one to forget. */
static struct udp_peer *peer_of(struct listener *l, const union fwd_addr *from)
{
	struct udp_peer **at = &l->peers;

	while (*at && !is_same(&(*at)->addr, from)) {
		if (!(*at)->next && l->n_peers >= PEERS_MAX) {
			forget(at, "others needed its place");
			break;
		}
		at = &(*at)->next;
	}
	if (*at && is_same(&(*at)->addr, from)) {
		struct udp_peer *p = *at;

		*at = p->next;
		p->next = l->peers;
		l->peers = p;
		return p;
	}
	return new_peer(l, from);
}

void udp_ready(struct watch *w, uint32_t events)
{
	struct listener *l = CONTAINER_OF(w, struct listener, w);
	static char data[DATAGRAM_MAX];

	for (int i = 0; i < AT_ONCE && !l->f->rest; i++) {
		union fwd_addr from = {};
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(w->fd, data, sizeof(data), MSG_DONTWAIT, &from.sa, &len);
		struct udp_peer *p;

		if (n < 0)
			return;
		p = peer_of(l, &from);
		if (!p)
			continue;
		p->used = clock_ms();
		/* lost where it does not fit, as datagrams are */
		if (send(p->w.fd, data, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			p->c.bytes[0] += (uint64_t)n;
	}
}

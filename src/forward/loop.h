/*
 * What the files of this layer share: the loop, its watches, its connections.
 *
 * Layer: forward, private to it.
 */
#pragma once

#include <sys/epoll.h>

#include "forward/addr.h"
#include "forward/forward.h"
#include "forward/maker.h"

struct watch {
	void (*ready)(struct watch *w, uint32_t events);
	int fd;
};

#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

struct listener;
struct outer;
struct stream;
struct udp_peer;

enum {
	PIPES_KEPT = 64, /* no more are large: what is stuck in pipes is bounded by them */
	AGAIN_MS = 20,
};

struct forward {
	const struct target *target;
	struct fwd_talk talk;
	char *label; /* the target's name, printable */
	int epoll, host_root;
	struct maker there, here; /* `here` runs for unix sockets alone */
	struct fwd_conn *first, *last;
	size_t n_conns;
	uint64_t next_id;
	struct listener *listeners;
	struct stream *busy;	/* have more to do at once */
	struct stream *dead;	/* freed after the round */
	struct stream *waiting; /* connect again at `again`, clock_ms() */
	int64_t again;
	int pipes[PIPES_KEPT][2];
	size_t n_pipes, n_large; /* kept; large ones, those in use too */
	int64_t limited;	 /* when the limit was told last, clock_ms(); 0: never */
	struct watch target_end, maker_end;
	struct outer *outers;
	struct err err;
	int64_t rest; /* until when listeners rest, clock_ms(); 0: they do not */
	bool stop;
};

/* Level or edge (EPOLLET) as `events` says. 0 or -errno. */
int loop_add(struct forward *f, struct watch *w, uint32_t events);
int loop_change(struct forward *f, struct watch *w, uint32_t events);

/* Into and out of the list of connections; `c` is numbered and timed, or forgotten. */
void loop_conn_in(struct forward *f, struct fwd_conn *c);
void loop_conn_out(struct forward *f, struct fwd_conn *c);
void loop_tell(struct forward *f, enum fwd_event what, const struct fwd_conn *c, const char *why);

/* After EMFILE and its like: say so, not more than once in ten seconds, and let listeners rest. */
void loop_limited(struct forward *f);

/* --- sockets of either side --- */

/* A socket on the side that connects (`connects`) or listens. Ours or -errno. */
int side_socket(struct forward *f, const struct fwd_rule *r, bool connects, int family, int type);
struct maker *side_maker(struct forward *f, const struct fwd_rule *r, bool connects, struct err *e);
/* Before it listens at `a` or connects to it: what suits loopback, where nothing is lost. */
void side_tune(int fd, const union fwd_addr *a);
/* Its root, for /etc/hosts, and its name. */
int side_root(const struct forward *f, const struct fwd_rule *r, bool connects);
const char *side_label(const struct forward *f, const struct fwd_rule *r, bool connects);

/* --- listeners (listen.c) --- */

struct listener {
	struct watch w;
	struct forward *f;
	const struct fwd_rule *rule;
	struct listener *next;
	struct udp_peer *peers; /* newest first */
	struct udp_peer *dead;
	size_t n_peers;
};

/* Listen at the path, or at each address, of the rule. 0 or -errno with `e`. */
int listener_open(struct forward *f, struct fwd_rule *r, struct err *e);
/* They rest (no descriptors are left), or go on. */
void listeners_rest(struct forward *f, bool rest);
void listeners_close(struct forward *f);

/* --- streams (stream.c, relay.c) --- */

enum stream_state { STREAM_SOCKS, STREAM_CONNECTING, STREAM_RELAY, STREAM_DEAD };

struct stream_end {
	struct watch w;
	struct stream *s;
	bool in, out; /* may be read, written, as far as we know */
};

struct flow {
	int pipe[2];
	size_t room; /* what may be in it */
	size_t pending;
	bool eof, shut;
};

struct stream {
	struct fwd_conn c;
	struct forward *f;
	enum stream_state state;
	struct stream_end end[2]; /* who connected, and what it is connected to */
	struct flow flow[2];	  /* from end[0], from end[1] */
	struct fwd_addrs *addrs;  /* still to be tried, from `at` on */
	size_t at;
	struct socks *socks;
	struct stream *next; /* of one of the lists of struct forward */
	bool queued, waits;
};

/* A connection that was accepted: `fd` is taken. */
void stream_accepted(struct listener *l, int fd, const union fwd_addr *peer);
/* Connect, to `to`; later, the relay starts. */
void stream_connect(struct stream *s, const struct fwd_point *to);
/* End it; `num`: 0, or an errno, and then both sides see a reset. `why`: for the event. */
void stream_end(struct stream *s, int num, const char *why);
/* Connect those that wait, if it is time to. */
void streams_again(struct forward *f);
/* Those whose handshake takes too long, and freeing. */
void streams_second(struct forward *f);
void streams_bury(struct forward *f);
void streams_close(struct forward *f);

/* Move what can be moved. */
void relay_start(struct stream *s);
void relay_pump(struct stream *s);
void relay_ready(struct stream_end *end, uint32_t events);
/* Those that had more to do. */
void relay_queue(struct forward *f);
void relay_release(struct stream *s);
void relay_unqueue(struct stream *s);
void list_remove(struct stream **list, const struct stream *s);

/* A SOCKS client said something. */
void proxy_ready(struct stream *s);
/* Answer it: 0, or why it was not connected. */
void proxy_answer(struct stream *s, int num);

/* --- UDP (udp.c) --- */

/* Datagrams have come to a listener: they are passed on. */
void udp_ready(struct watch *w, uint32_t events);
/* Peers that are silent for long are forgotten; `all`: every one. Not while events are dealt with.
 */
void udp_expire(struct listener *l, bool all);

#include "watch/tcpinfo.h"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

static const char *const states[] = {
	"?",	     "ESTABLISHED", "SYN-SENT",	  "SYN-RECEIVED", "FIN-WAIT-1", "FIN-WAIT-2",
	"TIME-WAIT", "CLOSED",	    "CLOSE-WAIT", "LAST-ACK",	  "LISTEN",	"CLOSING",
};

enum { LISTEN_STATE = 10, STUCK_MS = 5000 };

static void name(int fd, int (*get)(int, struct sockaddr *, socklen_t *), char out[72])
{
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} a = {};
	socklen_t len = sizeof(a);
	char host[INET6_ADDRSTRLEN] = "?";

	*out = '\0';
	if (get(fd, &a.sa, &len) < 0)
		return;
	if (a.sa.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &a.in6.sin6_addr, host, sizeof(host));
		snprintf(out, 72, "[%s]:%u", host, ntohs(a.in6.sin6_port));
	} else {
		inet_ntop(AF_INET, &a.in.sin_addr, host, sizeof(host));
		snprintf(out, 72, "%s:%u", host, ntohs(a.in.sin_port));
	}
}

/* A TCP socket, by what it says itself. */
static bool is_tcp(int fd)
{
	int protocol = 0;
	socklen_t len = sizeof(protocol);

	return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == 0 &&
	       protocol == IPPROTO_TCP;
}

static void fill(struct tcpinfo *x, const struct tcp_info *i)
{
	x->state = i->tcpi_state < ARRAY_LEN(states) ? states[i->tcpi_state] : "?";
	x->listens = i->tcpi_state == LISTEN_STATE;
	if (x->listens) {
		x->waiting = i->tcpi_unacked;
		x->backlog = i->tcpi_sacked;
		return;
	}
	x->rtt = i->tcpi_rtt;
	x->rttvar = i->tcpi_rttvar;
	x->rto = i->tcpi_rto;
	x->cwnd = i->tcpi_snd_cwnd;
	x->ssthresh = i->tcpi_snd_ssthresh;
	x->mss = i->tcpi_snd_mss;
	x->pmtu = i->tcpi_pmtu;
	x->unacked = i->tcpi_unacked;
	x->lost = i->tcpi_lost;
	x->retrans = i->tcpi_retrans;
	x->total_retrans = i->tcpi_total_retrans;
	x->backoff = i->tcpi_backoff;
	x->probes = i->tcpi_probes;
	x->last_sent = i->tcpi_last_data_sent;
	x->last_received = i->tcpi_last_data_recv;
	x->acked = i->tcpi_bytes_acked;
	x->received = i->tcpi_bytes_received;
	x->delivery = i->tcpi_delivery_rate;
	x->peer_window = i->tcpi_snd_wnd;
}

int tcpinfo_read(int pidfd, int fd, struct tcpinfo *out, struct err *e)
{
	_cleanup_close_ int s = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	struct tcp_info info = {};
	socklen_t len = sizeof(info);
	int bytes = 0;

	*out = (struct tcpinfo){.state = "?"};
	if (s < 0 && errno == EBADF)
		return err_say(e, EBADF, "it has no descriptor %d", fd);
	if (s < 0) {
		err_set(e, errno, "taking a look at descriptor %d", fd);
		if (e && e->num == EPERM)
			err_hint(e, "this needs CAP_SYS_PTRACE: run with sudo");
		if (e && e->num == ENOSYS)
			err_hint(e, "it needs Linux 5.6 (pidfd_getfd)");
		return e ? -e->num : -EPERM;
	}
	if (!is_tcp(s) || getsockopt(s, IPPROTO_TCP, TCP_INFO, &info, &len) < 0) {
		err_say(e, ENOTSUP, "descriptor %d is no TCP socket", fd);
		err_hint(e, "'porthole tap --list TARGET' shows what it is");
		return -ENOTSUP;
	}
	fill(out, &info);
	name(s, getsockname, out->local);
	name(s, getpeername, out->remote);
	len = sizeof(out->congestion) - 1;
	getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, out->congestion, &len);
	if (!out->listens && ioctl(s, SIOCINQ, &bytes) == 0)
		out->unread = (uint32_t)bytes;
	if (!out->listens && ioctl(s, SIOCOUTQ, &bytes) == 0)
		out->unsent = (uint32_t)bytes;
	return 0;
}

unsigned tcpinfo_words(const struct tcpinfo *x, const char *out[], unsigned max)
{
	const struct {
		bool holds;
		const char *words;
	} all[] = {
		{x->listens && x->waiting > x->backlog,
		 "its queue is full: new connections are dropped until it accepts some"},
		{x->listens && x->waiting && x->waiting <= x->backlog,
		 "connections wait to be accepted: the program is slow, or stuck"},
		{x->unread > 0, "the program has not read all that came"},
		{x->backoff > 0, "nothing comes back: it is sent again and again, less and less "
				 "often"},
		{x->probes > 0,
		 "the peer takes nothing (its window is closed) and is being probed"},
		{x->unsent && !x->unacked && !x->probes, "data waits here that was not sent yet"},
		{x->lost > 0, "segments are counted as lost just now"},
		{!x->backoff && x->unacked && x->last_sent > STUCK_MS,
		 "what was sent is not acknowledged for seconds"},
		{strcmp(x->state, "CLOSE-WAIT") == 0,
		 "the peer has closed its half, and the program has not closed the socket"},
		{strcmp(x->state, "FIN-WAIT-2") == 0,
		 "the program has closed its half, and the peer has not"},
	};
	unsigned n = 0;

	for (size_t i = 0; i < ARRAY_LEN(all) && n < max; i++)
		if (all[i].holds)
			out[n++] = all[i].words;
	return n;
}

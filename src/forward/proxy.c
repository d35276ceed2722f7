/* SOCKS: what a client says, and what it is told. */
#include <stdio.h>
#include <sys/socket.h>

#include "base/str.h"
#include "forward/loop.h"
#include "forward/socks.h"

static void refuse(struct stream *s, int num)
{
	static const struct {
		int num;
		const char *why;
	} words[] = {
		{EPROTO, "it does not speak SOCKS"},
		{EACCES, "SOCKS without authentication is all there is, and it wants another"},
		{EOPNOTSUPP, "of SOCKS only CONNECT is there"},
		{ECONNRESET, "it left before it said where to connect to"},
	};
	const char *why = "its SOCKS request cannot be understood";

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (words[i].num == num)
			why = words[i].why;
	if (num == EOPNOTSUPP)
		proxy_answer(s, num);
	stream_end(s, num, why);
}

static bool is_over(int num)
{
	return num != EAGAIN && num != EINTR;
}

/* One message: looked at, and taken off only when it is whole, so that what follows stays for the
 * relay. 1 there may be more, 0 not now (or it is over). */
static int take_one(struct stream *s)
{
	uint8_t in[SOCKS_MAX], out[SOCKS_REPLY_MAX];
	int fd = s->end[0].w.fd, r;
	bool done = false;
	size_t n = 0;
	ssize_t len = recv(fd, in, sizeof(in), MSG_PEEK);

	if (len <= 0) {
		if (len == 0 || is_over(errno))
			refuse(s, ECONNRESET);
		return 0;
	}
	r = socks_take(s->socks, in, (size_t)len, out, &n, &done);
	if (n && send(fd, out, n, MSG_NOSIGNAL) != (ssize_t)n)
		r = -ECONNRESET;
	if (r == 0 && len == SOCKS_MAX)
		r = -EBADMSG;
	if (r < 0) { /* with data unread it would be reset, and not get the answer */
		recv(fd, in, (size_t)len, MSG_DONTWAIT);
		refuse(s, -r);
	}
	if (r <= 0)
		return 0;
	if (recv(fd, in, (size_t)r, 0) != r) {
		refuse(s, ECONNRESET);
		return 0;
	}
	if (done) {
		struct fwd_point to = {.host = s->socks->host, .port = s->socks->port};

		stream_connect(s, &to);
	}
	return !done;
}

void proxy_ready(struct stream *s)
{
	while (take_one(s) > 0)
		;
}

void proxy_answer(struct stream *s, int num)
{
	uint8_t out[SOCKS_REPLY_MAX];
	enum socks_say say = num == 0		   ? SOCKS_OK
			     : num == ECONNREFUSED ? SOCKS_REFUSED
			     : num == EOPNOTSUPP   ? SOCKS_NO_CMD
			     : num == ENOENT || num == EHOSTUNREACH || num == ENETUNREACH
				     ? SOCKS_NO_HOST
				     : SOCKS_FAILED;

	if (!s->socks)
		return;
	/* ten bytes fit into the buffer of a socket that has sent two */
	send(s->end[0].w.fd, out, socks_reply(s->socks, say, out), MSG_NOSIGNAL);
}

#include "forward/socks.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

enum {
	CONNECT = 1,
	ATYP_V4 = 1,
	ATYP_NAME = 3,
	ATYP_V6 = 4,
	NO_METHOD = 0xff,
	V4_HEAD = 8,
	V5_HEAD = 5,
};

static uint16_t port_at(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* A name: no NUL inside, not empty. */
static int set_name(struct socks *s, const uint8_t *p, size_t len)
{
	if (!len || len >= sizeof(s->host) || memchr(p, 0, len))
		return -EBADMSG;
	memcpy(s->host, p, len);
	s->host[len] = '\0';
	return 0;
}

/* SOCKS5's list of methods. */
static int greet(struct socks *s, const uint8_t *in, size_t len, uint8_t *out, size_t *out_len)
{
	size_t whole;

	if (len < 2)
		return 0;
	whole = 2 + (size_t)in[1];
	if (len < whole)
		return 0;
	out[0] = 5;
	out[1] = memchr(in + 2, 0, in[1]) ? 0 : NO_METHOD;
	*out_len = 2;
	s->greeted = true;
	return out[1] ? -EACCES : (int)whole;
}

static int request5(struct socks *s, const uint8_t *in, size_t len, bool *done)
{
	size_t addr, whole;

	if (len >= 1 && in[0] != 5)
		return -EBADMSG;
	if (len < V5_HEAD)
		return 0;
	if (in[2] != 0 || (in[3] != ATYP_V4 && in[3] != ATYP_V6 && in[3] != ATYP_NAME))
		return -EBADMSG;
	addr = in[3] == ATYP_V4 ? 4 : in[3] == ATYP_V6 ? 16 : 1 + (size_t)in[4];
	whole = 4 + addr + 2;
	if (len < whole)
		return 0;
	if (in[1] != CONNECT)
		return -EOPNOTSUPP;
	if (in[3] == ATYP_NAME) {
		int r = set_name(s, in + 5, in[4]);

		if (r < 0)
			return r;
	} else {
		inet_ntop(in[3] == ATYP_V4 ? AF_INET : AF_INET6, in + 4, s->host, sizeof(s->host));
	}
	s->port = port_at(in + 4 + addr);
	*done = true;
	return s->port ? (int)whole : -EBADMSG;
}

/* 4: an address; 4a: 0.0.0.x and a name behind the user's. */
static int request4(struct socks *s, const uint8_t *in, size_t len, bool *done)
{
	const uint8_t *user_end, *name_end;
	size_t rest = len < V4_HEAD ? 0 : len - V4_HEAD;
	bool by_name;
	int r = 0;

	user_end = rest ? memchr(in + V4_HEAD, 0, rest) : NULL;
	if (!user_end)
		return rest > 255 ? -EBADMSG : 0;
	by_name = !in[4] && !in[5] && !in[6] && in[7];
	name_end = user_end;
	if (by_name) {
		rest = len - (size_t)(user_end + 1 - in);
		name_end = rest ? memchr(user_end + 1, 0, rest) : NULL;
		if (!name_end)
			return rest > 255 ? -EBADMSG : 0;
		r = set_name(s, user_end + 1, (size_t)(name_end - user_end - 1));
	} else {
		inet_ntop(AF_INET, in + 4, s->host, sizeof(s->host));
	}
	if (r < 0)
		return r;
	if (in[1] != CONNECT)
		return -EOPNOTSUPP;
	s->port = port_at(in + 2);
	*done = true;
	return s->port ? (int)(name_end + 1 - in) : -EBADMSG;
}

int socks_take(struct socks *s, const uint8_t *in, size_t len, uint8_t *out, size_t *out_len,
	       bool *done)
{
	*done = false;
	*out_len = 0;
	if (!len)
		return 0;
	if (!s->version) {
		if (in[0] != 4 && in[0] != 5)
			return -EPROTO;
		s->version = in[0];
	}
	if (s->version == 4)
		return request4(s, in, len, done);
	return s->greeted ? request5(s, in, len, done) : greet(s, in, len, out, out_len);
}

size_t socks_reply(const struct socks *s, enum socks_say say, uint8_t *out)
{
	static const uint8_t code5[] = {
		[SOCKS_OK] = 0,	     [SOCKS_FAILED] = 1, [SOCKS_NO_HOST] = 4,
		[SOCKS_REFUSED] = 5, [SOCKS_NO_CMD] = 7,
	};

	memset(out, 0, SOCKS_REPLY_MAX);
	if (s->version == 4) {
		out[1] = say == SOCKS_OK ? 90 : 91;
		return 8;
	}
	out[0] = 5;
	out[1] = code5[say];
	out[3] = ATYP_V4;
	return 10;
}

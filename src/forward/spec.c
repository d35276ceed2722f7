#include "forward/spec.h"

#include <string.h>
#include <sys/un.h>

#include "base/str.h"

enum { PARTS_MAX = 4 };

enum part_kind { PART_NUMBER, PART_HOST, PART_PATH };

struct part {
	enum part_kind kind;
	char text[256];
};

struct parts {
	struct part v[PARTS_MAX];
	size_t n;
};

static void point_done(struct fwd_point *p)
{
	free(p->host);
	free(p->path);
	*p = (struct fwd_point){};
}

void fwd_rule_done(struct fwd_rule *r)
{
	point_done(&r->from);
	point_done(&r->to);
}

static bool is_path(const char *s)
{
	return *s == '/' || *s == '@';
}

static int bad(char flag, const char *text, const char *why, struct err *e)
{
	err_say(e, EINVAL, "-%c '%s': %s", flag, text, why);
	if (flag == 'D')
		err_hint(e, "it is -D [ADDR:]PORT, such as -D 1080");
	else
		err_hint(e,
			 "it is -%c [ADDR:]PORT:[HOST:]PORT[/udp], or /PATH of a unix socket for "
			 "either half",
			 flag);
	return -EINVAL;
}

/* The next part of `s`: *end is behind it. NULL, or what is wrong. */
static const char *next_part(const char *s, bool first, struct part *p, const char **end)
{
	bool bracket = *s == '[';
	size_t len;

	if (bracket) {
		const char *close = strchr(++s, ']');

		if (!close || (close[1] && close[1] != ':'))
			return "an IPv6 address is written in brackets, as [::1]:80";
		len = (size_t)(close - s);
		*end = close + 1;
	} else {
		len = is_path(s) && !first ? strlen(s) : strcspn(s, ":");
		*end = s + len;
	}
	if (len >= sizeof(p->text))
		return "that is too long";
	memcpy(p->text, s, len);
	p->text[len] = '\0';
	p->kind = !bracket && is_path(s)				    ? PART_PATH
		  : !bracket && len && strspn(p->text, "0123456789") == len ? PART_NUMBER
									    : PART_HOST;
	if (p->kind == PART_PATH && len >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return "the path of a unix socket has at most 107 bytes";
	return NULL;
}

static const char *split(const char *s, struct parts *out)
{
	for (;;) {
		const char *why;

		if (out->n == PARTS_MAX)
			return "there are too many colons (an IPv6 address is written in brackets)";
		why = next_part(s, out->n == 0, &out->v[out->n], &s);
		out->n++;
		if (why)
			return why;
		if (!*s)
			return NULL;
		s++;
	}
}

static const char *set_port(struct fwd_point *p, const char *text, bool listens)
{
	uint64_t port;

	if (str_to_u64(text, listens ? 0 : 1, 65535, &port) < 0)
		return listens ? "a port is a number from 0 (any that is free) to 65535"
			       : "a port to connect to is a number from 1 to 65535";
	p->port = (uint16_t)port;
	return NULL;
}

/* One half, from part *i on. */
static const char *take_point(const struct parts *all, size_t *i, bool listens, struct fwd_point *p)
{
	const struct part *part = &all->v[*i];

	if (*i >= all->n)
		return "where to connect to is missing";
	++*i;
	if (part->kind == PART_PATH) {
		p->path = strdup(part->text);
		return p->path ? NULL : "memory is out";
	}
	if (part->kind == PART_NUMBER)
		return set_port(p, part->text, listens);
	if (*i >= all->n || all->v[*i].kind != PART_NUMBER)
		return "a port is missing, or is no number";
	if (!*part->text && !listens)
		return "the host to connect to is empty";
	p->host = strdup(*part->text ? part->text : "*");
	if (!p->host)
		return "memory is out";
	return set_port(p, all->v[(*i)++].text, listens);
}

/* What follows from one half alone. */
static const char *half(struct fwd_rule *r)
{
	if (r->flag != 'L') {
		r->socks = true;
		if (r->udp)
			return "a SOCKS proxy is TCP only";
		return r->from.path ? "a SOCKS proxy listens on a port" : NULL;
	}
	if (r->from.path)
		return "where to connect to is missing";
	r->to.port = r->from.port;
	return r->to.port ? NULL : "with port 0 say where to connect to, such as 0:80";
}

static const char *parse(struct fwd_rule *r, const struct parts *all)
{
	size_t i = 0;
	const char *why = take_point(all, &i, true, &r->from);

	if (why)
		return why;
	if (i == all->n)
		return half(r);
	if (r->flag == 'D')
		return "a SOCKS proxy is asked where to connect to, so nothing follows its port";
	why = take_point(all, &i, false, &r->to);
	if (why)
		return why;
	if (i < all->n)
		return "there is something behind the second port";
	if (r->udp && (r->from.path || r->to.path))
		return "a unix socket has no UDP";
	return NULL;
}

/* "/udp" or "/tcp" at the end of a port. */
static void strip_protocol(struct fwd_rule *r, char *s)
{
	size_t len = strlen(s);
	char *last = strrchr(s, ':');

	last = last ? last + 1 : s;
	if (len < 5 || *last < '0' || *last > '9')
		return;
	if (str_ends(s, "/udp"))
		r->udp = true;
	else if (!str_ends(s, "/tcp"))
		return;
	s[len - 4] = '\0';
}

int fwd_rule_parse(char flag, const char *text, struct fwd_rule *out, struct err *e)
{
	_cleanup_rule_ struct fwd_rule r = {.flag = flag, .reverse = flag == 'R'};
	_cleanup_free_ char *copy = strdup(text);
	struct parts all = {};
	const char *why;

	if (!copy)
		return err_set(e, ENOMEM, "-%c '%s'", flag, text);
	strip_protocol(&r, copy);
	why = *copy ? split(copy, &all) : "it is empty";
	if (!why)
		why = parse(&r, &all);
	if (why)
		return bad(flag, text, why, e);
	*out = r;
	r = (struct fwd_rule){};
	return 0;
}

char *fwd_point_text(const struct fwd_point *p)
{
	const char *host = p->host ? p->host : "localhost";
	_cleanup_free_ char *raw = NULL;

	if (p->path)
		return str_printable_dup(p->path);
	raw = strchr(host, ':') ? str_fmt("[%s]:%u", host, p->port)
				: str_fmt("%s:%u", host, p->port);
	return raw ? str_printable_dup(raw) : NULL;
}

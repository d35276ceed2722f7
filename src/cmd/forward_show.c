#include <stdio.h>

#include "base/clock.h"
#include "base/str.h"
#include "cmd/forward.h"
#include "out/human.h"
#include "out/json_print.h"

enum { SHOWN = 12, AGAIN_MS = 5000 };

static const char *protocol(const struct fwd_rule *r)
{
	return r->udp ? "udp" : r->socks ? "socks" : r->to.path ? "unix" : "tcp";
}

static void erase(struct show *s)
{
	if (s->drawn)
		fprintf(s->out, "\033[%uA\033[J", s->drawn);
	s->drawn = 0;
}

static void print_json(struct show *s, json_t *j)
{
	out_json_line(s->out, j, NULL);
	fflush(s->out);
	json_decref(j);
}

static json_t *point_json(const struct fwd_point *p)
{
	return p->path ? json_pack("{s:o}", "path", json_text(p->path))
		       : json_pack("{s:o,s:i}", "host", json_text(p->host ? p->host : "localhost"),
				   "port", p->port);
}

void show_listening(struct show *s, const struct fwd_rule *r)
{
	_cleanup_free_ char *from = fwd_point_text(&r->from), *to = fwd_point_text(&r->to);

	if (s->json) {
		print_json(s,
			   json_pack("{s:s,s:s,s:s,s:s,s:o,s:o}", "event", "listening", "protocol",
				     protocol(r), "in", r->reverse ? "target" : "host", "to",
				     r->reverse ? "host" : "target", "from", point_json(&r->from),
				     "connect", r->socks ? json_null() : point_json(&r->to)));
		return;
	}
	if (s->quiet || !from || !to)
		return;
	if (r->socks)
		fprintf(s->out, "%s%s -> what SOCKS clients ask for, from %s\n", from,
			r->reverse ? " in the container" : "", r->reverse ? "the host" : s->label);
	else
		fprintf(s->out, "%s%s -> %s in %s%s\n", from, r->reverse ? " in the container" : "",
			to, r->reverse ? "the host" : s->label, r->udp ? " (UDP)" : "");
	fflush(s->out);
}

static json_t *conn_json(const char *event, const struct fwd_conn *c, const char *why)
{
	return json_pack("{s:s,s:I,s:s,s:o,s:o,s:I,s:I,s:I,s:o}", "event", event, "id",
			 (json_int_t)c->id, "protocol", protocol(c->rule), "who", json_text(c->who),
			 "to", json_text(*c->to ? c->to : NULL), "sent", (json_int_t)c->bytes[0],
			 "received", (json_int_t)c->bytes[1], "ms",
			 (json_int_t)(c->id ? clock_ms() - c->since : 0), "why", json_text(why));
}

static void log_conn(struct show *s, enum fwd_event what, const struct fwd_conn *c, const char *why)
{
	char sent[HUMAN_MAX], received[HUMAN_MAX];

	if (what == FWD_OPENED)
		fprintf(s->out, "#%llu opened: %s -> %s\n", (unsigned long long)c->id, c->who,
			c->to);
	else
		fprintf(s->out, "#%llu closed: %s -> %s: %s there, %s back, %.1f s%s%s\n",
			(unsigned long long)c->id, c->who, c->to, human_size(c->bytes[0], sent),
			human_size(c->bytes[1], received), (double)(clock_ms() - c->since) / 1000,
			why ? ": " : "", why ? why : "");
	fflush(s->out);
}

/* The same words not over and over. */
static void tell(struct show *s, const char *who, const char *why)
{
	int64_t now = clock_ms();

	if (str_eq(why, s->last) && now - s->last_at < AGAIN_MS && !s->verbose)
		return;
	snprintf(s->last, sizeof(s->last), "%s", why);
	s->last_at = now;
	erase(s);
	fflush(s->out);
	fprintf(stderr, "porthole: %s%s%s\n", who ? who : "", who ? ": " : "", why);
}

static const char *const limited =
	"no file descriptors are left (ulimit -n): new connections wait until others end";

static void event_json(struct show *s, enum fwd_event what, const struct fwd_conn *c,
		       const char *why)
{
	static const char *const names[] = {[FWD_OPENED] = "opened",
					    [FWD_CLOSED] = "closed",
					    [FWD_FAILED] = "failed",
					    [FWD_LIMITED] = "limited",
					    [FWD_TARGET_ENDED] = "target-ended"};

	print_json(s, c ? conn_json(names[what], c, why)
			: json_pack("{s:s,s:o}", "event", names[what], "why",
				    json_text(what == FWD_LIMITED ? limited : NULL)));
}

void show_event(void *data, enum fwd_event what, const struct fwd_conn *c, const char *why)
{
	struct show *s = data;

	if (what == FWD_CLOSED) {
		s->sent += c->bytes[0];
		s->received += c->bytes[1];
	}
	if (what == FWD_OPENED)
		s->total++;
	if (s->json) {
		event_json(s, what, c, why);
		return;
	}
	if (what == FWD_FAILED)
		tell(s, c->who, why);
	else if (what == FWD_LIMITED)
		tell(s, NULL, limited);
	else if (s->verbose && c)
		log_conn(s, what, c, why);
}

/* --- the screen --- */

static void line(struct show *s, const char *text)
{
	fprintf(s->out, "%.*s\n", (int)out_fit(text, s->style.width ? s->style.width : 80, NULL),
		text);
	s->drawn++;
}

static void conn_line(struct show *s, const struct fwd_conn *c)
{
	char up[HUMAN_MAX], down[HUMAN_MAX], up_rate[HUMAN_MAX], down_rate[HUMAN_MAX],
		age[HUMAN_MAX], text[512];

	human_size(c->bytes[0], up);
	human_size(c->bytes[1], down);
	human_size(c->bytes[0] - c->last[0], up_rate);
	human_size(c->bytes[1] - c->last[1], down_rate);
	human_age((clock_ms() - c->since) / 1000, age);
	snprintf(text, sizeof(text), "  %-22s -> %-22s  there %8s %8s/s  back %8s %8s/s  %s",
		 c->who, *c->to ? c->to : "?", up, up_rate, down, down_rate, age);
	line(s, text);
}

void show_second(void *data)
{
	struct show *s = data;
	const struct fwd_conn *c;
	uint64_t sent = s->sent, received = s->received;
	char up[HUMAN_MAX], down[HUMAN_MAX], text[256];
	size_t n, shown = 0;

	if (!s->live)
		return;
	s->style = out_style_of(fileno(s->out), s->style.color);
	erase(s);
	for (c = forward_conns(s->f, &n); c; c = c->next) {
		sent += c->bytes[0];
		received += c->bytes[1];
		if (n - shown++ <= SHOWN) /* the newest */
			conn_line(s, c);
	}
	if (n > SHOWN) {
		snprintf(text, sizeof(text), "  and %zu older ones", n - SHOWN);
		line(s, text);
	}
	snprintf(text, sizeof(text), "%zu connection%s open, %llu in all; %s there, %s back", n,
		 n == 1 ? "" : "s", (unsigned long long)s->total, human_size(sent, up),
		 human_size(received, down));
	line(s, text);
	fflush(s->out);
}

void show_end(struct show *s)
{
	char up[HUMAN_MAX], down[HUMAN_MAX];

	if (!s->live)
		return;
	erase(s);
	fprintf(s->out, "%llu connection%s; %s there, %s back\n", (unsigned long long)s->total,
		s->total == 1 ? "" : "s", human_size(s->sent, up), human_size(s->received, down));
	fflush(s->out);
}

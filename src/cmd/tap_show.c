#include <stdio.h>
#include <unistd.h>

#include "cmd/tap.h"
#include "out/human.h"
#include "out/json_print.h"
#include "out/table.h"

static const struct column columns[] = {
	{.name = "FD", .flags = COL_RIGHT},
	{.name = "KIND"},
	{.name = "MODE"},
	{.name = "SIZE", .flags = COL_RIGHT | COL_HIDE},
	{.name = "WHAT IT IS", .flags = COL_SHRINK, .min = 24},
};

/* What it is, in words. NULL when memory is out. */
static char *what_of(const struct fact_proc *p, const struct fd_info *x)
{
	_cleanup_free_ char *comm = NULL;
	char size[HUMAN_MAX];

	if (x->kind == FD_SOCKET)
		return strdup(x->detail ? x->detail
					: "a socket that no table lists (netlink, packet, or of "
					  "another network namespace)");
	if (x->kind == FD_PIPE && x->peer.pid == p->pid)
		return str_fmt("%s, %s the process itself, fd %d", x->path,
			       x->writes ? "read by" : "written by", x->peer.fd);
	if (x->kind == FD_PIPE && x->peer.pid) {
		comm = str_printable_dup(x->peer.comm);
		return str_fmt("%s, %s process %d (%s) fd %d", x->path,
			       x->writes ? "read by" : "written by", (int)x->peer.pid,
			       comm ? comm : "?", x->peer.fd);
	}
	if (x->closed)
		return str_fmt("%s, nobody %s it any more", x->path,
			       x->writes ? "reads" : "writes");
	if (x->kind == FD_FILE && x->deleted)
		return str_fmt("%s, still holds %s", x->path, human_size(x->held, size));
	return x->detail ? str_fmt("%s, %s", x->path, x->detail) : strdup(x->path);
}

static json_t *fd_json(const struct fact_proc *p, const struct fd_info *x)
{
	json_t *peer = x->peer.pid ? json_pack("{s:i,s:o,s:i}", "pid", (int)x->peer.pid, "comm",
					       json_text(x->peer.comm), "fd", x->peer.fd)
				   : json_null();

	return json_pack("{s:i,s:i,s:i,s:s,s:b,s:b,s:o,s:o,s:b,s:I,s:I,s:I,s:o,s:b}", "pid",
			 (int)p->pid, "inside", (int)p->inside, "fd", x->fd, "kind",
			 fd_kind_name(x->kind), "reads", x->reads, "writes", x->writes, "path",
			 json_text(x->path), "detail", json_text(x->detail), "deleted", x->deleted,
			 "size", (json_int_t)x->size, "position", (json_int_t)x->pos, "inode",
			 (json_int_t)x->ino, "peer", peer, "peer_closed", x->closed);
}

static int add_row(struct table *t, const struct fact_proc *p, const struct fd_info *x)
{
	_cleanup_free_ char *what = what_of(p, x);
	char size[HUMAN_MAX];

	table_addf(t, OUT_PLAIN, "%d", x->fd);
	table_add(t, OUT_PLAIN, fd_kind_name(x->kind));
	table_add(t, OUT_PLAIN, x->reads && x->writes ? "rw" : x->writes ? "w" : "r");
	table_add(t, OUT_PLAIN, x->kind == FD_FILE ? human_size(x->size, size) : "");
	table_add(t, x->deleted || x->closed ? OUT_YELLOW : OUT_PLAIN, what);
	return what ? 0 : -ENOMEM;
}

int tap_list(struct ctx *ctx, const struct fact_proc *p, const struct fds *l, bool deleted,
	     json_t *all, struct err *e)
{
	struct out_style style = out_style_of(STDOUT_FILENO, ctx->color);
	_cleanup_table_ struct table table = TABLE_INIT(columns);
	_cleanup_free_ char *comm = str_printable_dup(p->comm);
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; i < l->n && r == 0; i++) {
		if (deleted && !l->v[i].deleted)
			continue;
		n++;
		if (ctx->json)
			json_array_append_new(all, fd_json(p, &l->v[i]));
		else
			r = add_row(&table, p, &l->v[i]);
	}
	if (ctx->json || (deleted && !n))
		return 0;
	if (p->inside && p->inside != p->pid)
		printf("process %d (%s), %d on the host\n", (int)p->inside, comm ? comm : "?",
		       (int)p->pid);
	else
		printf("process %d (%s)\n", (int)p->pid, comm ? comm : "?");
	if (r == 0)
		r = table_print(stdout, &table, &style, NULL);
	if (l->more)
		printf("and more: only the first %d are shown\n", FDS_MAX);
	return r < 0 ? err_set(e, r, "printing the table") : 0;
}

/* --- a TCP socket --- */

enum { WORDS_MAX = 8 };

static int tcp_json(struct ctx *ctx, const struct fact_proc *p, int fd, const struct tcpinfo *x,
		    const char *const words[], unsigned n, struct err *e)
{
	struct out_style style = out_style_of(STDOUT_FILENO, ctx->color);
	_cleanup_json_ json_t *j = json_pack("{s:i,s:i,s:s,s:s,s:s,s:s}", "pid", (int)p->pid, "fd",
					     fd, "state", x->state, "local", x->local, "remote",
					     x->remote, "congestion", x->congestion);
	const struct {
		const char *name;
		uint64_t value;
	} numbers[] = {
		{"waiting", x->waiting},
		{"backlog", x->backlog},
		{"unread", x->unread},
		{"unsent", x->unsent},
		{"rtt_us", x->rtt},
		{"rttvar_us", x->rttvar},
		{"rto_us", x->rto},
		{"cwnd", x->cwnd},
		{"ssthresh", x->ssthresh},
		{"mss", x->mss},
		{"pmtu", x->pmtu},
		{"unacked", x->unacked},
		{"lost", x->lost},
		{"retransmitted", x->total_retrans},
		{"backoff", x->backoff},
		{"probes", x->probes},
		{"last_sent_ms", x->last_sent},
		{"last_received_ms", x->last_received},
		{"bytes_acked", x->acked},
		{"bytes_received", x->received},
		{"delivery_bytes_per_s", x->delivery},
		{"peer_window", x->peer_window},
	};
	json_t *list = json_array();

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		json_object_set_new(j, numbers[i].name, json_integer((json_int_t)numbers[i].value));
	for (unsigned i = 0; i < n; i++)
		json_array_append_new(list, json_string(words[i]));
	json_object_set_new(j, "words", list);
	return out_json(stdout, j, &style, e);
}

static void print_flow(const struct tcpinfo *x)
{
	char a[HUMAN_MAX], b[HUMAN_MAX], c[HUMAN_MAX];

	printf("carried      %s sent and acknowledged, %s received\n", human_size(x->acked, a),
	       human_size(x->received, b));
	printf("queues       %u bytes unread by the program, %u bytes not sent or not "
	       "acknowledged\n",
	       x->unread, x->unsent);
	printf("round trip   %.3f ms (varies by %.3f), sent again after %.0f ms\n", x->rtt / 1000.0,
	       x->rttvar / 1000.0, x->rto / 1000.0);
	printf("under way    %u segments of %u bytes, at most %u (%s); path MTU %u\n", x->unacked,
	       x->mss, x->cwnd, x->congestion, x->pmtu);
	printf("trouble      %u sent again, %u lost now, %u probes, timer doubled %u times\n",
	       x->total_retrans, x->lost, x->probes, x->backoff);
	printf("rate         %s/s delivered; the peer has room for %s\n",
	       human_size(x->delivery, a), human_size(x->peer_window, c));
	printf("last         sent %.1f s ago, received %.1f s ago\n", x->last_sent / 1000.0,
	       x->last_received / 1000.0);
}

int tap_tcp(struct ctx *ctx, const struct fact_proc *p, int fd, const struct tcpinfo *x,
	    struct err *e)
{
	const char *words[WORDS_MAX];
	unsigned n = tcpinfo_words(x, words, WORDS_MAX);

	if (ctx->json)
		return tcp_json(ctx, p, fd, x, words, n, e);
	if (x->listens) {
		printf("socket       %s, listens\nqueue        %u waiting to be accepted, room for "
		       "%u\n",
		       x->local, x->waiting, x->backlog);
	} else {
		printf("socket       %s -> %s, %s\n", x->local, x->remote, x->state);
		print_flow(x);
	}
	for (unsigned i = 0; i < n; i++)
		printf("%s%s\n", i ? "             " : "so           ", words[i]);
	return 0;
}

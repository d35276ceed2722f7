#include "cmd/exec_many.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"
#include "cmd/ps.h"
#include "out/json_print.h"
#include "out/text.h"
#include "session/many.h"
#include "sys/proc.h"

enum {
	PARALLEL = 16,	      /* sessions at a time */
	LABEL_MAX = 32,	      /* columns of a name before each line */
	KEEP_MAX = 256 << 10, /* bytes of each stream that --json keeps */
	FAILED_SHOWN = 20,
};

/* One target, and what became of it. */
struct visit {
	char *label; /* printable */
	int width;   /* its columns */
	size_t shown;
	int code;
	struct err err;
	struct buf kept[2]; /* --json: standard output, standard error */
	bool cut;
};

struct round {
	const struct exec_many *x;
	struct ctx *ctx;
	struct visit *v;
	int width; /* of the widest name shown */
};

static void round_done(struct round *r)
{
	for (size_t i = 0; r->v && i < r->x->names->n; i++) {
		free(r->v[i].label);
		buf_done(&r->v[i].kept[0]);
		buf_done(&r->v[i].kept[1]);
	}
	free(r->v);
}

static int round_init(struct round *r, struct err *e)
{
	const struct strv *names = r->x->names;

	r->v = calloc(names->n, sizeof(*r->v));
	for (size_t i = 0; r->v && i < names->n; i++) {
		struct visit *v = &r->v[i];

		v->label = str_printable_dup(names->v[i]);
		if (!v->label)
			return err_set(e, ENOMEM, "preparing the sessions");
		v->shown = out_fit(v->label, LABEL_MAX, &v->width);
		r->width = v->width > r->width ? v->width : r->width;
	}
	return r->v ? 0 : err_set(e, ENOMEM, "preparing the sessions");
}

/* "web  | ", in the target's colour. */
static void prefix(const struct round *r, size_t i, FILE *f)
{
	static const enum out_color colors[] = {OUT_CYAN, OUT_YELLOW, OUT_GREEN, OUT_BLUE};
	bool on = f == stdout ? r->ctx->color : r->ctx->color_err;
	enum out_color c = colors[i % ARRAY_LEN(colors)];
	const struct visit *v = &r->v[i];

	fprintf(f, "%s%.*s%*s |%s ", out_on(on, c), (int)v->shown, v->label, r->width - v->width,
		"", out_off(on, c));
}

/* In a child: what it prints is text for the parent, whatever --json says. */
static int one(void *data, size_t i, struct err *e)
{
	const struct round *r = data;

	*r->ctx = (struct ctx){};
	return r->x->one(r->x->data, r->x->names->v[i], e);
}

static void keep(struct visit *v, struct buf *b, const char *text, size_t len)
{
	size_t room = KEEP_MAX - b->len;

	if (v->cut || len > room) {
		v->cut = true;
		while (room && ((unsigned char)text[room] & 0xc0) == 0x80)
			room--; /* never within a character */
		len = len < room ? len : room;
	}
	buf_add(b, text, len);
}

static void heard(void *data, size_t i, int fd, const char *text, size_t len)
{
	struct round *r = data;
	FILE *f = fd == STDOUT_FILENO ? stdout : stderr;

	if (r->ctx->json) {
		keep(&r->v[i], &r->v[i].kept[fd == STDERR_FILENO], text, len);
		return;
	}
	prefix(r, i, f);
	fwrite(text, 1, len, f);
	if (text[len - 1] != '\n')
		fputc('\n', f);
	fflush(f);
}

static void ended(void *data, size_t i, int code, const struct err *e)
{
	struct round *r = data;

	r->v[i].code = code;
	r->v[i].err = *e;
	if (r->ctx->json || !e->num)
		return;
	prefix(r, i, stderr);
	fprintf(stderr, "porthole: %s\n", e->msg);
	if (!e->hint[0])
		return;
	prefix(r, i, stderr);
	fprintf(stderr, "          %s\n", e->hint);
}

static void summary(const struct round *r)
{
	size_t n = r->x->names->n, failed = 0, shown = 0;
	_cleanup_buf_ struct buf b = {};

	for (size_t i = 0; i < n; i++) {
		const struct visit *v = &r->v[i];

		if (!v->code)
			continue;
		if (failed++ >= FAILED_SHOWN)
			continue;
		buf_printf(&b, "%s%s (%s", shown++ ? ", " : "", v->label,
			   v->err.num ? "not run" : "exit code ");
		if (!v->err.num)
			buf_printf(&b, "%d", v->code);
		buf_putc(&b, ')');
	}
	if (failed > shown)
		buf_printf(&b, " and %zu more", failed - shown);
	if (failed)
		fprintf(stderr, "porthole: failed in %zu of %zu: %s\n", failed, n,
			b.data ? b.data : "");
}

static int print_json(const struct round *r, struct err *e)
{
	_cleanup_json_ json_t *all = json_array();

	for (size_t i = 0; i < r->x->names->n; i++) {
		const struct visit *v = &r->v[i];
		json_t *why =
			v->err.num ? json_pack("{s:o, s:o, s:i}", "message", json_text(v->err.msg),
					       "hint", json_text(v->err.hint), "errno", v->err.num)
				   : json_null();
		json_t *j = json_pack("{s:o, s:i, s:o, s:o, s:b, s:o}", "target",
				      json_text(r->x->names->v[i]), "exit_code", v->code, "stdout",
				      json_bytes(v->kept[0].data ?: "", v->kept[0].len), "stderr",
				      json_bytes(v->kept[1].data ?: "", v->kept[1].len),
				      "truncated", v->cut, "error", why);

		if (json_array_append_new(all, j) < 0)
			return err_set(e, ENOMEM, "printing what the commands said");
	}
	return out_json(stdout, all, &(struct out_style){.color = r->ctx->color}, e);
}

int exec_many(const struct exec_many *x, struct ctx *ctx, struct err *e)
{
	_cleanup_(round_done) struct round r = {.x = x, .ctx = ctx};
	uint64_t parallel = x->parallel ? x->parallel : PARALLEL;
	struct many m = {
		.n = x->names->n,
		.parallel = parallel < MANY_MAX ? (size_t)parallel : MANY_MAX,
		.run = one,
		.heard = heard,
		.ended = ended,
		.data = &r,
	};
	int ret = round_init(&r, e), worst = 0;

	if (ret == 0)
		ret = many_run(&m, e);
	if (ret < 0)
		return ret;
	if (!ctx->json)
		summary(&r);
	else if (print_json(&r, e) < 0)
		return -e->num;
	for (size_t i = 0; i < m.n; i++)
		worst = r.v[i].code > worst ? r.v[i].code : worst;
	return worst;
}

int exec_many_split(const char *typed, struct strv *names, struct err *e)
{
	for (const char *s = typed;; s++) {
		size_t n = strcspn(s, ",");
		_cleanup_free_ char *name = strndup(s, n);

		if (n == 0)
			return err_say(e, EINVAL, "a name is missing in '%s'", typed);
		if (!name || (!strv_has(names, name) && strv_add(names, name) < 0))
			return err_set(e, ENOMEM, "reading '%s'", typed);
		s += n;
		if (!*s)
			return 0;
	}
}

/* Whether a user without root may enter it: he may look at its namespaces. */
static bool is_his(const struct target_roots *roots, const struct target *t)
{
	return geteuid() == 0 || proc_ns_inode_at(roots->proc_fd, t->pid, "mnt");
}

int exec_many_find(const struct target_roots *roots, const struct strv *filters, struct strv *names,
		   struct err *e)
{
	_cleanup_targets_ struct targets list = {};
	_cleanup_strv_ struct strv warnings = {};
	_cleanup_(ps_rows_done) struct ps_rows rows = {};
	int r = ps_check_filters(filters, e);
	size_t others = 0;

	if (r == 0)
		r = target_list(roots, false, &list, &warnings, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < warnings.n; i++)
		fprintf(stderr, "porthole: warning: %s\n", warnings.v[i]);
	r = ps_rows_make(roots, false, filters, &list, &rows);
	for (size_t i = 0; i < rows.n && r == 0; i++) {
		if (is_his(roots, rows.v[i].t))
			r = strv_add(names, rows.v[i].label);
		else
			others++;
	}
	if (r < 0)
		return err_set(e, r, "listing containers");
	if (names->n && others)
		fprintf(stderr, "porthole: left out: %zu that %s not yours\n", others,
			others == 1 ? "is" : "are");
	if (names->n)
		return 0;
	if (others) {
		err_say(e, EACCES, "%zu run%s here, and none of them is yours to enter", others,
			others == 1 ? "s" : "");
		err_hint(e, "run with sudo");
		return -EACCES;
	}
	err_say(e, ENOENT,
		filters->n ? "nothing that runs passes the filters"
			   : "no container of any engine runs on this host");
	err_hint(e, "'porthole ps -a' lists all, with the same --filter");
	return -ENOENT;
}

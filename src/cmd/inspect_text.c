/* The page that `porthole inspect` prints for a person. */
#include "cmd/headline.h"
#include "cmd/inspect.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <unistd.h>

#include "facts/parse.h"
#include "out/human.h"
#include "out/table.h"
#include "sys/caps.h"

enum { LABEL = 14, PROCS_SHOWN = 8, LINE_MAX_BYTES = 600 };

void page_title(struct page *p)
{
	bool color = p->style->color;

	if (!p->section)
		return;
	fprintf(p->out, "\n%s%s%s\n", out_on(color, OUT_BOLD), p->section,
		out_off(color, OUT_BOLD));
	p->section = NULL;
}

static void section(struct page *p, const char *title)
{
	p->section = title;
}

void page_line(struct page *p, const char *label, const char *fmt, ...)
{
	_cleanup_free_ char *raw = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&raw, fmt, ap);
	va_end(ap);
	if (n < 0)
		raw = NULL;
	if (n > 0)
		page_title(p);
	if (!raw ||
	    out_labelled(p->out, p->style, LABEL, p->in->all ? 0 : LINE_MAX_BYTES, label, raw) < 0)
		p->oom = true;
}

/* ---- process ---- */

static void process_table(struct page *p)
{
	static const struct column columns[] = {{"PID", COL_RIGHT, 0, 0},
						{"INSIDE", COL_RIGHT, 0, 0},
						{"UID", COL_RIGHT, 0, 0},
						{"STATE", 0, 0, 0},
						{"COMMAND", COL_SHRINK, 20, 160}};
	const struct facts_procs *l = &p->in->f->procs;
	_cleanup_table_ struct table t = TABLE_INIT(columns);
	size_t shown = p->in->all ? l->n : l->n < PROCS_SHOWN ? l->n : PROCS_SHOWN;

	if (l->total < 2)
		return;
	t.indent = 2;
	t.head = OUT_DIM;
	for (size_t i = 0; i < shown; i++) {
		const struct fact_proc *q = &l->v[i];
		_cleanup_free_ char *args = facts_mask_argv(&q->argv, p->in->secrets);
		char state[2] = {q->state, '\0'};

		table_addf(&t, OUT_PLAIN, "%d", q->pid);
		table_addf(&t, OUT_PLAIN, "%d", q->inside);
		if (q->uid == (uint32_t)-1)
			table_add(&t, OUT_PLAIN, "?");
		else
			table_addf(&t, OUT_PLAIN, "%u", q->uid);
		table_add(&t, q->state == 'Z' ? OUT_YELLOW : OUT_PLAIN, state);
		if (args && *args)
			table_add(&t, OUT_PLAIN, args);
		else
			table_addf(&t, OUT_DIM, "[%s]", q->comm);
	}
	if (table_print(p->out, &t, p->style, NULL) < 0)
		p->oom = true;
	if (l->total > shown)
		fprintf(p->out, "  and %zu more\n", l->total - shown);
}

static void process(struct page *p)
{
	const struct facts_init *i = &p->in->f->init;
	const struct facts_procs *l = &p->in->f->procs;
	_cleanup_free_ char *args = facts_mask_argv(&i->argv, p->in->secrets);

	page_line(p, "command", "%s", args ? args : "");
	page_line(p, "program", "%s%s%s%s", i->exe ? i->exe : "",
		  i->exe_deleted ? " (deleted)" : "",
		  i->is_static ? ", static"
		  : i->interp  ? ", loaded by "
			       : "",
		  i->interp ? i->interp : "");
	page_line(p, "directory", "%s", i->cwd ? i->cwd : "");
	if (i->fd_limit)
		page_line(p, "open files", "%llu of %llu", (unsigned long long)i->fds,
			  (unsigned long long)i->fd_limit);
	if (i->oom_score_adj)
		page_line(p, "oom score", "%d, adjusted by %d", i->oom_score, i->oom_score_adj);
	else if (p->in->all)
		page_line(p, "oom score", "%d", i->oom_score);
	page_line(p, "processes", "%zu, with %zu thread%s%s", l->total, l->threads,
		  l->threads == 1 ? "" : "s", l->zombies ? ", zombies among them" : "");
	process_table(p);
}

/* ---- rights ---- */

static void id_map(struct page *p, const char *label, const struct idmap *m)
{
	_cleanup_buf_ struct buf b = {};

	if (m->n == 1 && m->r[0].inside == 0 && m->r[0].outside == 0 && m->r[0].count == UINT32_MAX)
		return;
	for (size_t i = 0; i < m->n && i < 6; i++) {
		const struct idmap_range *r = &m->r[i];

		buf_printf(&b, "%s%u", i ? ", " : "", r->inside);
		if (r->count > 1)
			buf_printf(&b, " to %u", r->inside + r->count - 1);
		if (r->count > 1)
			buf_printf(&b, " are %u to %u on the host", r->outside,
				   r->outside + r->count - 1);
		else
			buf_printf(&b, " is %u on the host", r->outside);
	}
	if (m->n > 6)
		buf_printf(&b, " and %zu more ranges", m->n - 6);
	page_line(p, label, "%s", m->n ? b.data : "nothing is mapped");
}

static void add_id(struct buf *b, const char *what, uint32_t id, const char *name)
{
	if (id == (uint32_t)-1)
		buf_printf(b, "%s not mapped", what);
	else
		buf_printf(b, "%s %u", what, id);
	if (name)
		buf_printf(b, " (%s)", name);
}

static void user(struct page *p)
{
	const struct facts_rights *g = &p->in->f->rights;
	_cleanup_buf_ struct buf b = {};

	add_id(&b, "uid", g->uid, g->user);
	add_id(&b, ", gid", g->gid, g->group);
	for (size_t i = 0; i < g->groups.n; i++)
		buf_printf(&b, "%s%s", i ? ", " : ", groups ", g->groups.v[i]);
	if (g->cred.euid != g->uid)
		buf_printf(&b, "; on the host uid %u, gid %u", g->cred.euid, g->cred.egid);
	page_line(p, "user", "%s", b.oom ? "" : b.data);
	id_map(p, "uids", &g->uid_map);
	if (g->gid_map.n != g->uid_map.n ||
	    memcmp(g->gid_map.r, g->uid_map.r, g->uid_map.n * sizeof(g->uid_map.r[0])) != 0)
		id_map(p, "gids", &g->gid_map);
}

static void caps_line(struct page *p, const char *label, uint64_t mask)
{
	_cleanup_free_ char *words = caps_words(mask, caps_all());

	page_line(p, label, "%s", words ? words : "");
}

static void rights(struct page *p)
{
	const struct facts_rights *g = &p->in->f->rights;
	const struct cred *c = &g->cred;
	static const char *const modes[] = {"off", "strict", "filter"};

	if (!g->known)
		return;
	user(p);
	caps_line(p, "capabilities", c->cap_eff);
	if (c->cap_prm != c->cap_eff)
		caps_line(p, "  permitted", c->cap_prm);
	if (c->cap_bnd != c->cap_eff)
		caps_line(p, "  bounding", c->cap_bnd);
	if (c->cap_inh && c->cap_inh != c->cap_eff)
		caps_line(p, "  inheritable", c->cap_inh);
	if (c->cap_amb)
		caps_line(p, "  ambient", c->cap_amb);
	if (c->seccomp == 2 && c->seccomp_filters > 1)
		page_line(p, "seccomp", "%d filters", c->seccomp_filters);
	else if (c->seccomp >= 0 && c->seccomp <= 2)
		page_line(p, "seccomp", "%s", modes[c->seccomp]);
	page_line(p, "no_new_privs", "%s", c->no_new_privs ? "set" : "not set");
	page_line(p, "label", "%s", g->label);
}

/* ---- namespaces ---- */

static void namespaces(struct page *p)
{
	static const struct {
		enum ns_kind kind;
		const char *label;
	} rows[] = {{NS_OWN, "its own"}, {NS_HOST, "the host's"}, {NS_UNREAD, "unreadable"}};

	for (size_t k = 0; k < ARRAY_LEN(rows); k++) {
		_cleanup_buf_ struct buf b = {};

		for (size_t i = 0; i < NS_COUNT; i++)
			if (p->in->f->ns.v[i].kind == rows[k].kind)
				buf_printf(&b, "%s%s", b.len ? ", " : "", ns_types[i].name);
		page_line(p, rows[k].label, "%s", b.len ? b.data : "");
	}
	for (size_t i = 0; i < NS_COUNT; i++) {
		const struct fact_ns *ns = &p->in->f->ns.v[i];
		_cleanup_buf_ struct buf b = {};

		for (size_t w = 0; w < ns->with.n; w++)
			buf_printf(&b, "%s%s", w ? ", " : "", ns->with.v[w]);
		if (ns->more)
			buf_printf(&b, " and %zu more", ns->more);
		if (ns->kind == NS_SHARED)
			page_line(p, "shared", "%s with %s", ns_types[i].name, b.len ? b.data : "");
	}
}

/* ---- engine ---- */

static void engine(struct page *p)
{
	const struct facts_engine *n = &p->in->f->engine;
	_cleanup_free_ char *entry = facts_mask_argv(&n->entrypoint, p->in->secrets);
	_cleanup_free_ char *cmd = facts_mask_argv(&n->cmd, p->in->secrets);

	if (!n->file)
		return;
	page_line(p, "entry point", "%s", entry ? entry : "");
	page_line(p, "command", "%s", cmd ? cmd : "");
	if (!str_eq(n->user, "0:0"))
		page_line(p, "user", "%s", n->user ? n->user : "");
	if (!str_eq(n->workdir, "/"))
		page_line(p, "directory", "%s", n->workdir ? n->workdir : "");
	if (n->hostname &&
	    strncmp(n->hostname, p->in->t->id ? p->in->t->id : "", strlen(n->hostname)) != 0)
		page_line(p, "host name", "%s", n->hostname);
	if (n->restarts > 0)
		page_line(p, "restarts", "%s, %lld so far",
			  n->restart ? n->restart : "by its engine", (long long)n->restarts);
	else if (!str_eq(n->restart, "no"))
		page_line(p, "restarts", "%s", n->restart ? n->restart : "");
	page_line(p, "network", "%s", n->network ? n->network : "");
	for (size_t i = 0; i < n->ports.n; i++)
		page_line(p, i ? "" : "published", "%s", n->ports.v[i]);
	page_line(p, "health", "%s", n->health ? n->health : "");
	if (!str_eq(n->stop_signal, "15") && !str_eq(n->stop_signal, "SIGTERM"))
		page_line(p, "stop signal", "%s", n->stop_signal ? n->stop_signal : "");
	if (n->privileged)
		page_line(p, "privileged", "yes");
	for (size_t i = 0; i < n->labels.n; i++)
		page_line(p, i ? "" : "labels", "%s", n->labels.v[i]);
	page_line(p, "from", "%s", n->file);
}

/* ---- unusual ---- */

static void unusual(struct page *p)
{
	static const struct {
		const char *mark;
		enum out_color color;
	} marks[] = {[UNUSUAL_NOTE] = {"-", OUT_PLAIN},
		     [UNUSUAL_WARN] = {"*", OUT_YELLOW},
		     [UNUSUAL_DANGER] = {"!", OUT_RED}};
	const struct unusuals *u = p->in->unusual;
	bool color = p->style->color;

	page_title(p);
	for (size_t i = 0; i < u->n; i++) {
		_cleanup_free_ char *text = str_printable_dup(u->v[i].text);
		enum out_color c = marks[u->v[i].weight].color;

		fprintf(p->out, "  %s%s%s ", out_on(color, c), marks[u->v[i].weight].mark,
			out_off(color, c));
		out_para(p->out, p->style, 4, 4, text ? text : "");
	}
	if (!u->n)
		fputs("  Nothing: it looks like any other container.\n", p->out);
	for (size_t i = 0; i < p->in->f->unread.n; i++) {
		_cleanup_free_ char *text = str_fmt("Could not read %s.", p->in->f->unread.v[i]);
		_cleanup_free_ char *safe = text ? str_printable_dup(text) : NULL;

		fputs("  ? ", p->out);
		out_para(p->out, p->style, 4, 4, safe ? safe : "");
	}
	if (p->in->f->unread.n && geteuid() != 0)
		fputs("    Root could: try it with sudo.\n", p->out);
}

/* Of what does not run: where to look next. */
static void next(struct page *p)
{
	static const char *const verbs[] = {
		"'porthole entrypoint' tells what it would run, and what is wrong with that.",
		"'porthole exec' opens its files as it left them; what is written is forgotten.",
		"'porthole diff' lists what it changed in them.",
	};

	page_title(p);
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		fputs("  - ", p->out);
		out_para(p->out, p->style, 4, 4, verbs[i]);
	}
}

enum when { ALWAYS, RUNS, ENDED };

static const struct {
	unsigned flag;
	const char *title;
	enum when when;
	void (*print)(struct page *p);
} parts[] = {
	{SECTION_PROCESS, "Process", RUNS, process},
	{SECTION_RIGHTS, "Rights", RUNS, rights},
	{SECTION_NAMESPACES, "Namespaces", RUNS, namespaces},
	{SECTION_LIMITS, "Limits", RUNS, inspect_text_limits},
	{SECTION_FILES, "Files", RUNS, inspect_text_files},
	{SECTION_NETWORK, "Network", RUNS, inspect_text_network},
	{SECTION_ENVIRONMENT, "Environment", RUNS, inspect_text_env},
	{SECTION_ENGINE, "What its engine was told", ALWAYS, engine},
	{SECTION_UNUSUAL, "What is unusual", RUNS, unusual},
	{SECTION_UNUSUAL, "Where to look next", ENDED, next},
};

int inspect_text(FILE *out, const struct inspection *in, const struct out_style *style)
{
	struct page p = {.out = out, .style = style, .in = in};

	p.oom = headline_print(out, style, in->t, in->live ? in->f->init.age : -1) < 0;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (!(in->sections & parts[i].flag) || parts[i].when == (in->live ? ENDED : RUNS))
			continue;
		section(&p, parts[i].title);
		parts[i].print(&p);
	}
	return p.oom ? -ENOMEM : 0;
}

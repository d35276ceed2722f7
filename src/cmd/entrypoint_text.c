/* The page that `porthole entrypoint` prints for a person. */
#include "cmd/entrypoint.h"

#include <errno.h>
#include <stdarg.h>

#include "cmd/headline.h"
#include "facts/parse.h"

enum { LABEL = 13, LINE_BYTES = 1000, ENV_SHOWN = 24 };

struct page {
	FILE *out;
	const struct out_style *style;
	const struct entrypoint *ep;
	bool oom;
};

/* "  label      value", wrapped below the value; nothing for an empty value. */
static void line(struct page *p, const char *label, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void line(struct page *p, const char *label, const char *fmt, ...)
{
	_cleanup_free_ char *raw = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&raw, fmt, ap) < 0)
		raw = NULL;
	va_end(ap);
	if (!raw || out_labelled(p->out, p->style, LABEL, LINE_BYTES, label, raw) < 0)
		p->oom = true;
}

static void title(struct page *p, const char *text)
{
	bool color = p->style->color;

	fprintf(p->out, "\n%s%s%s\n", out_on(color, OUT_BOLD), text, out_off(color, OUT_BOLD));
}

static void para(struct page *p, int indent, const char *raw)
{
	_cleanup_free_ char *text = str_printable_dup(raw);

	if (text)
		out_para(p->out, p->style, indent, indent, text);
	else
		p->oom = true;
}

/* ---- who, and how it ended ---- */

/* What its engine said is a finding. */
static bool is_refused(const struct entry_report *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (str_eq(r->findings[i].id, "refused"))
			return true;
	return false;
}

static void head(struct page *p)
{
	const struct entrypoint *ep = p->ep;
	const struct target *t = ep->t;
	_cleanup_free_ char *words = NULL, *name = NULL;
	bool color = p->style->color;

	if (!t) {
		name = str_printable_dup(ep->label);
		fprintf(p->out, "%s%s%s  ", out_on(color, OUT_BOLD), name ? name : "",
			out_off(color, OUT_BOLD));
		fprintf(p->out, "%s\n", ep->kind ? ep->kind : "");
		return;
	}
	p->oom |= headline_print(p->out, p->style, t, ep->age) < 0;
	if (entrypoint_ended(t)) {
		words = entrypoint_ended_words(ep);
		fprintf(p->out, "  %d: ", t->exit_code);
		para(p, 7, words ? words : "");
	}
	if (t->error && !is_refused(&ep->report)) {
		_cleanup_free_ char *said = str_fmt("%s said: %.600s", t->engine, t->error);

		fputs("  ", p->out);
		para(p, 2, said ? said : "");
	}
}

/* ---- what would run ---- */

static void from(char *out, size_t size, enum entry_origin o)
{
	const char *words = entrypoint_origin(o);

	snprintf(out, size, "%s%s%s", *words ? " (" : "", words, *words ? ")" : "");
}

static void command(struct page *p)
{
	const struct entry *en = &p->ep->entry;
	_cleanup_free_ char *all = facts_mask_argv(&en->argv, p->ep->secrets);
	_cleanup_free_ char *entry = facts_mask_argv(&en->entrypoint, p->ep->secrets);
	_cleanup_free_ char *cmd = facts_mask_argv(&en->cmd, p->ep->secrets);
	char who[64];

	if (!all || !entry || !cmd) {
		p->oom = true;
		return;
	}
	from(who, sizeof(who), en->entrypoint.n ? ENTRY_UNKNOWN : en->cmd_from);
	line(p, "command", "%s%s", en->argv.n ? all : "none", en->argv.n ? who : "");
	line(p, "form", "%s", en->argv.n ? entrypoint_form(en) : "");
	from(who, sizeof(who), en->entrypoint_from);
	if (en->entrypoint.n)
		line(p, "entry point", "%s%s", entry, who);
	else if (en->entrypoint_from == ENTRY_CONTAINER)
		line(p, "entry point", "none, though the image has one");
	from(who, sizeof(who), en->cmd_from);
	if (en->entrypoint.n && en->cmd.n)
		line(p, "arguments", "%s%s", cmd, who);
}

static void user(struct page *p)
{
	const struct entry_report *r = &p->ep->report;
	const struct entry *en = &p->ep->entry;
	bool set = en->user && *en->user;
	const char *name = r->user_name ? r->user_name : "without a name in its /etc/passwd";
	char who[64];

	from(who, sizeof(who), set ? en->user_from : ENTRY_UNKNOWN);
	if (r->user_known)
		line(p, "user", "uid %u (%s), gid %u%s", r->uid, name, r->gid,
		     set ? who : " (none is set)");
	else
		line(p, "user", "%s, who is unknown there%s", en->user, who);
	from(who, sizeof(who), en->cwd ? en->cwd_from : ENTRY_UNKNOWN);
	line(p, "directory", "%s%s", en->cwd && *en->cwd ? en->cwd : "/", who);
}

static void limits(struct page *p)
{
	const struct entry *en = &p->ep->entry;

	if (en->root_ro)
		line(p, "root", "read-only");
	if (en->no_new_privs)
		line(p, "privileges", "none new: set-user-ID programs have no effect");
}

static const char *libc_words(const struct entry_report *r)
{
	switch (r->libc) {
	case LIBC_GLIBC:
		return "glibc";
	case LIBC_MUSL:
		return "musl";
	case LIBC_NONE:
		return "none";
	default:
		return "";
	}
}

static void platform(struct page *p)
{
	const struct entry_report *r = &p->ep->report;
	const struct entry *en = &p->ep->entry;

	if (en->arch)
		line(p, "made for", "%s/%s", en->os ? en->os : "linux", en->arch);
	line(p, "C library", "%s%s%s", libc_words(r), *r->libc_version ? " " : "", r->libc_version);
}

/* ---- the files it takes ---- */

static void file(struct page *p, const struct entry_file *f)
{
	static const char *const roles[] = {[ROLE_PROGRAM] = "program",
					    [ROLE_INTERPRETER] = "interpreter",
					    [ROLE_LOADER] = "loader",
					    [ROLE_STARTED] = "starts"};
	_cleanup_buf_ struct buf b = {};

	buf_puts(&b, f->asked);
	if (f->unseen)
		buf_puts(&b, ": on a mount that cannot be looked into");
	else if (!f->path)
		buf_puts(&b, strchr(f->asked, '/') ? ": not there" : ": not found");
	else if (!str_eq(f->path, f->asked))
		buf_printf(&b, " -> %s", f->path);
	if (f->kind == FILE_SCRIPT)
		buf_printf(&b, ", a script%s%s", f->arg ? " with the argument " : "",
			   f->arg ? f->arg : "");
	else if (f->machine)
		buf_printf(&b, ", %s%s", f->machine, f->is_static ? ", static" : "");
	if (f->libraries)
		buf_printf(&b, ", %zu librar%s", f->libraries, f->libraries == 1 ? "y" : "ies");
	if (f->handler)
		buf_printf(&b, ", run by %s", f->handler);
	line(p, roles[f->role], "%s", b.oom ? "" : b.data);
}

/* ---- environment ---- */

static void environment(struct page *p)
{
	const struct strv *env = &p->ep->entry.env;

	for (size_t i = 0; i < env->n && i < ENV_SHOWN; i++) {
		size_t n = strcspn(env->v[i], "=");
		_cleanup_free_ char *key = strndup(env->v[i], n);
		const char *value = env->v[i][n] ? env->v[i] + n + 1 : "";
		_cleanup_free_ char *masked = NULL;

		if (key && !p->ep->secrets && facts_is_secret(key, value))
			masked = facts_mask_value(value);
		line(p, i ? "" : "environment", "%s=%s", key ? key : "", masked ? masked : value);
	}
	if (env->n > ENV_SHOWN)
		line(p, "", "and %zu more", env->n - ENV_SHOWN);
}

/* ---- what is wrong ---- */

static void findings(struct page *p)
{
	const struct entry_report *r = &p->ep->report;
	bool color = p->style->color;

	title(p, "What is wrong");
	for (size_t i = 0; i < r->n; i++) {
		const struct entry_finding *f = &r->findings[i];
		enum out_color c = f->warning ? OUT_YELLOW : OUT_RED;

		fprintf(p->out, "  %s%s%s ", out_on(color, c), f->warning ? "*" : "!",
			out_off(color, c));
		para(p, 4, f->text);
		fprintf(p->out, "    %sFix:%s ", out_on(color, OUT_BOLD), out_off(color, OUT_BOLD));
		para(p, 9, f->fix);
	}
	if (r->n)
		return;
	fputs("  Nothing that its files tell.\n", p->out);
	if (p->ep->entry.refused) {
		fputs("  ", p->out);
		para(p, 2, "What its engine said of its files is mended: start it again.");
	} else if (p->ep->t && entrypoint_ended(p->ep->t) && p->ep->t->exit_code) {
		fputs("  ", p->out);
		para(p, 2,
		     "It can be started; its log says why it ended, or a rehearsal: porthole "
		     "entrypoint --run --strace.");
	}
}

int entrypoint_text(FILE *out, const struct entrypoint *ep, const struct out_style *style)
{
	struct page p = {.out = out, .style = style, .ep = ep};

	head(&p);
	title(&p, ep->entry.live ? "What it was told to run" : "What would run");
	command(&p);
	user(&p);
	limits(&p);
	for (size_t i = 0; i < ep->report.n_files; i++)
		file(&p, &ep->report.files[i]);
	platform(&p);
	environment(&p);
	findings(&p);
	return p.oom ? -ENOMEM : 0;
}

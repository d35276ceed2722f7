/* The parts of `porthole inspect`'s page that are lists: mounts, sockets, variables. */
#include <sched.h>

#include "cmd/inspect.h"
#include "facts/parse.h"
#include "out/human.h"
#include "out/table.h"

enum { INDENT = 2, ENV_SHOWN = 12, SOCKETS_SHOWN = 20, MOUNTS_SHOWN = 20 };

static void more(struct page *p, size_t n, const char *what, const char *option)
{
	if (n)
		fprintf(p->out, "%*sand %zu %s (%s shows all)\n", INDENT, "", n, what, option);
}

/* "read-only, shared" of one mount: only what is not the usual. */
static char *mount_words(const struct fact_mount *m)
{
	_cleanup_buf_ struct buf b = {};
	const struct {
		bool on;
		const char *word;
	} words[] = {{m->ro, "read-only"},
		     {m->row->shared > 0, "shared"},
		     {m->row->master > 0, "slave"},
		     {m->row->unbindable, "unbindable"},
		     {mountinfo_has(m->row->opts, "noexec"), "noexec"}};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (words[i].on)
			buf_printf(&b, "%s%s", b.len ? ", " : "", words[i].word);
	return buf_take(&b);
}

/* The host's directory, else what was mounted: a device, a share, nothing for a tmpfs. */
static const char *mount_from(const struct fact_mount *m)
{
	if (m->host_path)
		return m->host_path;
	return strchr(m->row->source, '/') ? m->row->source : "";
}

/* Shown without --all: what is neither the system's, nor the engine's, nor came with another. */
static bool mount_tells(const struct fact_mount *m)
{
	return m->class == MOUNT_OTHER && !m->nested;
}

static void mounts(struct page *p)
{
	static const struct column columns[] = {{"MOUNTED AT", COL_SHRINK, 16, 60},
						{"ON THE HOST", COL_SHRINK | COL_HIDE, 20, 70},
						{"TYPE", 0, 0, 24},
						{"OPTIONS", COL_HIDE, 0, 0}};
	const struct facts_files *l = &p->in->f->files;
	_cleanup_table_ struct table t = TABLE_INIT(columns);
	size_t hidden = 0, shown = 0;

	t.indent = INDENT;
	t.head = OUT_DIM;
	for (size_t i = 0; i < l->n; i++) {
		const struct fact_mount *m = &l->v[i];
		_cleanup_free_ char *how = NULL;

		if (m->class == MOUNT_ROOT)
			continue;
		if (!p->in->all && (!mount_tells(m) || shown == MOUNTS_SHOWN)) {
			hidden++;
			continue;
		}
		how = mount_words(m);
		table_add(&t, OUT_PLAIN, m->row->target);
		table_add(&t, OUT_PLAIN, mount_from(m));
		table_add(&t, OUT_PLAIN, m->row->fstype);
		table_add(&t, OUT_PLAIN, how);
		shown++;
	}
	if (hidden && shown)
		page_line(p, "mounts", "%zu, and %zu of the usual ones (--all shows them)", shown,
			  hidden);
	else if (hidden)
		page_line(p, "mounts", "only the %zu usual ones (--all shows them)", hidden);
	if (shown)
		p->oom = table_print(p->out, &t, p->style, NULL) < 0 || p->oom;
}

static const char *libc_words(enum libc_kind kind)
{
	static const char *const words[] = {"", "no C library", "glibc", "musl", "another libc"};

	return words[kind];
}

void inspect_text_files(struct page *p)
{
	const struct facts_files *l = &p->in->f->files;
	char free_size[HUMAN_MAX], size[HUMAN_MAX];
	_cleanup_buf_ struct buf b = {};

	if (l->root) {
		buf_printf(&b, "%s, %s", l->root->fstype, l->root_ro ? "read-only" : "writable");
		if (l->lowers)
			buf_printf(&b, ", %zu layer%s below", l->lowers, l->lowers == 1 ? "" : "s");
		if (l->size)
			buf_printf(&b, ", %s of %s free", human_size(l->free, free_size),
				   human_size(l->size, size));
	}
	page_line(p, "root", "%s", b.len ? b.data : "");
	page_line(p, "changes in", "%s", l->upper ? l->upper : "");
	if (l->looked)
		page_line(p, "system", "%s, %s%s%s, %s%s", l->os ? l->os : "no os-release",
			  libc_words(l->libc), l->libc_version[0] ? " " : "", l->libc_version,
			  l->shell ? "shell " : "no shell", l->shell ? l->shell : "");
	if (l->n > 1) {
		page_title(p);
		mounts(p);
	}
}

/* What the target reaches on its own loopback, and another of its pod answers. */
static void others_listen(struct page *p)
{
	const struct facts_net *n = &p->in->f->net;
	size_t shown = p->in->all || n->n_others < SOCKETS_SHOWN ? n->n_others : SOCKETS_SHOWN;

	for (size_t i = n->n; i < n->n + shown; i++) {
		const struct fact_socket *s = &n->v[i];
		_cleanup_free_ char *who =
			s->pid ? str_fmt(" (%s, pid %d)", s->comm, (int)s->pid) : NULL;

		page_line(p, "shared", "%s listens on %s port %u, %s%s",
			  p->in->t->pod ? "another container of the pod"
					: "another that shares the network",
			  s->addr, s->port, s->proto, who ? who : "");
	}
	more(p, n->n_others - shown, "more sockets of others", "--all");
}

static void sockets(struct page *p)
{
	static const struct column columns[] = {{"LISTENS ON", COL_SHRINK, 20, 60},
						{"PORT", COL_RIGHT, 0, 0},
						{"PROTOCOL", 0, 0, 0},
						{"PID", COL_RIGHT, 0, 0},
						{"COMMAND", COL_SHRINK | COL_HIDE, 8, 30}};
	const struct facts_net *n = &p->in->f->net;
	_cleanup_table_ struct table t = TABLE_INIT(columns);
	size_t shown = p->in->all || n->n < SOCKETS_SHOWN ? n->n : SOCKETS_SHOWN;

	t.indent = INDENT;
	t.head = OUT_DIM;
	for (size_t i = 0; i < shown; i++) {
		const struct fact_socket *s = &n->v[i];
		bool is_unix = str_eq(s->proto, "unix");

		table_add(&t, OUT_PLAIN, s->addr);
		if (is_unix)
			table_add(&t, OUT_PLAIN, "");
		else
			table_addf(&t, OUT_PLAIN, "%u", s->port);
		table_add(&t, OUT_PLAIN, s->proto);
		if (s->pid)
			table_addf(&t, OUT_PLAIN, "%d", s->pid);
		else
			table_add(&t, OUT_PLAIN, "?");
		table_add(&t, OUT_PLAIN, s->comm);
	}
	if (shown) {
		page_title(p);
		p->oom = table_print(p->out, &t, p->style, NULL) < 0 || p->oom;
	} else {
		page_line(p, "listening",
			  n->n_others ? "nobody in this container" : "nobody listens");
	}
	more(p, n->n - shown, "more sockets", "--all");
	others_listen(p);
}

static void words(struct page *p, const char *label, const struct strv *list, const char *tail)
{
	_cleanup_buf_ struct buf b = {};

	for (size_t i = 0; i < list->n; i++)
		buf_printf(&b, "%s%s", i ? ", " : "", list->v[i]);
	if (b.len)
		page_line(p, label, "%s%s", b.data, tail);
}

void inspect_text_network(struct page *p)
{
	const struct facts_net *n = &p->in->f->net;
	_cleanup_free_ char *via = n->gateway[0] ? str_fmt(", gateway %s", n->gateway) : NULL;
	const struct fact_ns *ns = facts_ns_get(p->in->f, CLONE_NEWNET);

	if (ns->kind == NS_HOST) {
		page_line(p, "network", "the host's own; below are only sockets of the container");
	} else {
		words(p, "interfaces", &n->links, "");
		words(p, "addresses", &n->addresses, via ? via : "");
		if (!n->links.n)
			page_line(p, "interfaces", "none but loopback");
	}
	words(p, "name servers", &n->dns, "");
	sockets(p);
}

static bool telling(const char *key)
{
	static const char *const dull[] = {"PATH", "HOME",  "HOSTNAME", "TERM",
					   "PWD",  "SHLVL", "_",	"container"};

	for (size_t i = 0; i < ARRAY_LEN(dull); i++)
		if (str_eq(key, dull[i]))
			return false;
	return !str_ends(key, "_SERVICE_HOST") && !str_ends(key, "_SERVICE_PORT") &&
	       !strstr(key, "_PORT_"); /* what Kubernetes adds for every service */
}

void inspect_text_env(struct page *p)
{
	const struct facts_env *env = &p->in->f->env;
	size_t left = 0, shown = 0;

	if (env->cut)
		page_line(p, "environment", "larger than %zu MiB, not read", FACTS_ENV_MAX >> 20);
	for (size_t i = 0; i < env->n; i++) {
		const struct fact_env *v = &env->v[i];
		bool hide = v->secret && !p->in->secrets;
		_cleanup_free_ char *masked = hide ? facts_mask_value(v->value) : NULL;
		_cleanup_free_ char *raw = str_fmt("%s=%s", v->key, masked ? masked : v->value);
		_cleanup_free_ char *text = raw ? str_printable_dup(raw) : NULL;

		if (!p->in->env && (shown == ENV_SHOWN || !telling(v->key))) {
			left++;
			continue;
		}
		page_title(p);
		if (!text || (hide && !masked))
			p->oom = true;
		else if (!p->in->env && p->style->width)
			fprintf(p->out, "  %.*s\n", (int)out_fit(text, p->style->width - 2, NULL),
				text);
		else
			fprintf(p->out, "  %s\n", text);
		shown++;
	}
	if (left && shown) {
		fprintf(p->out, "  and %zu more (--env shows all)\n", left);
	} else if (left) {
		page_title(p);
		fprintf(p->out, "  %zu ordinary variable%s (--env shows all)\n", left,
			left == 1 ? "" : "s");
	} else if (env->known && !env->n && !env->cut) {
		page_line(p, "environment", "empty");
	}
}

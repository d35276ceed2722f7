/* The plan in words and as data. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "session/plan.h"
#include "session/seal.h"
#include "session/view.h"
#include "sys/caps.h"
#include "sys/ns.h"

static void line(struct buf *b, const char *what, const char *how)
{
	char safe[2048];

	str_printable(how, strlen(how), safe, sizeof(safe));
	buf_printf(b, "%-12s %s\n", what, safe);
}

static const char *view_words(const struct plan *p)
{
	static const char *const own_root =
		"a private root that shows the target's files, live (it has "
		"no directory for /dev or /proc to lie over)";

	if (p->beside.host)
		return p->store ? "the image's files are /, what is written there is forgotten"
				: "the kit's files are /, what is written there is forgotten";
	if (p->beside.on && p->store)
		return "the image's files are /, what is written there is forgotten; the target's "
		       "files are at /" BESIDE_TARGET ", live";
	if (p->beside.on)
		return "the kit's files are /, what is written there is forgotten; the target's "
		       "files are at /" BESIDE_TARGET ", live";
	if (p->view == VIEW_NONE)
		return "the mounts stay as they are here: the host's own tools run";
	if (p->cow.on && p->view == VIEW_KIT)
		return "the kit's files are /, the target's files are at /target; what is written "
		       "is forgotten";
	if (p->cow.on)
		return p->kit.kind == KIT_NONE
			       ? "the target's files; what is written is forgotten; no kit"
			       : "the target's files; what is written is forgotten; the kit lies "
				 "at " KIT_PREFIX " in a /dev of the session's own";
	if (p->view == VIEW_KIT)
		return "the kit's files are /, the target's files are at /target";
	if (p->kit.kind == KIT_NONE)
		return "the target's files, live; no kit";
	return view_needs_root(p) ? own_root
				  : "the target's files, live; the kit lies at " KIT_PREFIX
				    " in a /dev of the session's own";
}

static const char *cgroup_words(const struct plan *p)
{
	switch (p->cgroup) {
	case CGROUP_HOST:
		return p->beside.host ? "stays in the caller's"
				      : "stays in the caller's: nothing is charged to the target";
	case CGROUP_TARGET:
		return "the target's: memory, cpu and processes are charged to it";
	case CGROUP_OWN:
		break;
	}
	return "one of the session's own, removed at the end";
}

static const char *stdin_words(const struct plan *p)
{
	if (p->tty)
		return p->stdin_open ? "a terminal of the session's own"
				     : "a terminal of the session's own, without input";
	return p->stdin_open ? "none: input and output are passed through as they are"
			     : "none: output is passed through as it is, input is empty";
}

/* Quote what a shell would split, so that the line can be copied. */
static void add_arg(struct buf *b, const char *arg)
{
	bool plain = *arg && !arg[strcspn(arg, " \t\n'\"\\$`;&|<>(){}*?[]#~!")];

	if (plain) {
		buf_puts(b, arg);
		return;
	}
	buf_putc(b, '\'');
	for (; *arg; arg++) {
		if (*arg == '\'')
			buf_puts(b, "'\\''");
		else
			buf_putc(b, *arg);
	}
	buf_putc(b, '\'');
}

static void command_line(const struct plan *p, struct buf *b)
{
	for (size_t i = 0; i < p->argv.n; i++) {
		if (i)
			buf_putc(b, ' ');
		add_arg(b, p->argv.v[i]);
	}
}

static void explain_caps(const struct plan *p, struct buf *out)
{
	_cleanup_free_ char *have = caps_words(plan_caps_of(p), caps_all());
	_cleanup_free_ char *lost = caps_list(p->caps_lost);

	if (p->who.uid != 0 && !p->caps_ambient)
		line(out, "capabilities", "none: the user is not root");
	else if (have)
		line(out, "capabilities", have);
	if (p->caps_lost && lost)
		line(out, "", lost);
	if (p->caps_lost)
		line(out, "", "(the line above cannot be given: we do not have it ourselves)");
	if (p->ns_join & CLONE_NEWPID && !p->store && !p->beside.on && session_traceable(p))
		line(out, "",
		     "(the target's root may trace processes, and so use those capabilities; "
		     "--caps target gives none that it lacks)");
}

static void explain_env(const struct plan *p, struct buf *out)
{
	_cleanup_buf_ struct buf b = {};

	buf_printf(&b, "%zu variables", p->env.n);
	for (size_t i = 0; i < p->env_dropped.n && i < 20; i++)
		buf_printf(&b, "%s%s", i ? ", " : "; not passed on: ", p->env_dropped.v[i]);
	if (b.data)
		line(out, "environment", b.data);
}

static const char *const freezes[] = {
	[FREEZE_NO] = "no",
	[FREEZE_CGROUP] = "by its cgroup, thawed at the end",
	[FREEZE_SIGNALS] =
		"by SIGSTOP to each process (it has no cgroup of its own), SIGCONT at the end",
	[FREEZE_ALREADY] = "is frozen already, and stays so",
};

static void explain_freeze(const struct plan *p, struct buf *out)
{
	if (p->freeze.how != FREEZE_NO)
		line(out, "freeze", freezes[p->freeze.how]);
	if (p->freeze.freezer.path)
		line(out, "", p->freeze.freezer.path);
}

static const char *const cow_words[] = {
	[COW_OVERLAY] = "can be written to, and forgets",
	[COW_COPY] = "a copy",
	[COW_READ] = "can be read only: it is too large to be copied",
	[COW_AS_IS] = "the target's own: no files",
	[COW_TMPFS] = "empty, in memory",
	[COW_BIND] = "a path of the host's",
	[COW_MISSING] = "missing: its source is gone",
};

/* Where the files come from. */
static void explain_files(const struct plan *p, struct buf *out)
{
	const struct cow *c = &p->cow;
	_cleanup_buf_ struct buf b = {};

	if (p->store) {
		buf_printf(&b, "%s, %zu layer%s, put together read-only", p->store->kind,
			   p->store->n_layers, p->store->n_layers == 1 ? "" : "s");
		line(out, "files", b.data ? b.data : "?");
	}
	for (size_t i = 0; i < c->n && i < 20 && !p->beside.host; i++) {
		buf_done(&b);
		buf_printf(&b, "%s: %s", c->v[i].dest, cow_words[c->v[i].how]);
		line(out, i ? "" : "mounts", b.data ? b.data : "?");
	}
	if (c->n > 20 && !p->beside.host)
		line(out, "", "and more");
}

static void explain_target(const struct plan *p, struct buf *out)
{
	const struct target *t = p->target;
	_cleanup_buf_ struct buf b = {};

	buf_printf(&b, "%s (%s%s%s", p->label,
		   t->engine && !str_eq(t->engine, "none") ? t->engine : "no engine",
		   t->image ? ", " : "", t->image ? t->image : "");
	if (t->pidfd >= 0 || t->proc_fd >= 0)
		buf_printf(&b, ", pid %d)", t->pid);
	else if (t->state)
		buf_printf(&b, ", %s)", target_state_name(t->state));
	else
		buf_puts(&b, ")");
	line(out, "target", b.data ? b.data : "?");
	if (t->state_file)
		line(out, "found in", t->state_file);
}

/* Its paths of the host's are told by who made its plan, and knows where they come from. */
static void explain_host(const struct plan *p, struct buf *out)
{
	char names[64];

	line(out, "container", p->label);
	line(out, "keeps", p->ns_same ? ns_names(p->ns_same, names, sizeof(names)) : "nothing");
	if (p->guests)
		line(out, "when it ends", "virtual machines that it has started go on");
	if (p->ttl) {
		_cleanup_free_ char *when = str_fmt("after %llu seconds it is asked to end, 10 "
						    "seconds later it is ended",
						    (unsigned long long)p->ttl);

		line(out, "lifetime", when ? when : "?");
	}
}

/* Namespaces, and what the target's end means. */
static void explain_beside(const struct plan *p, struct buf *out)
{
	char names[64];

	line(out, "joins", p->ns_join ? ns_names(p->ns_join, names, sizeof(names)) : "nothing");
	if (p->ns_same)
		line(out, "shares", ns_names(p->ns_same, names, sizeof(names)));
	if (!p->beside.on)
		return;
	if (p->ns_join & CLONE_NEWUSER)
		line(out, "",
		     "(user, since what is shared belongs to it: root in the sidekick is root "
		     "there, and nobody on the host)");
	line(out, "when it ends",
	     p->outlive ? "the sidekick goes on, and says so"
			: "the kernel ends the sidekick with it: its pid namespace goes");
}

int plan_explain(const struct plan *p, struct buf *out)
{
	_cleanup_buf_ struct buf b = {};
	char names[64];

	if (p->beside.host) {
		explain_host(p, out);
	} else {
		explain_target(p, out);
		explain_beside(p, out);
	}
	if (p->outlive && p->ns_new && !p->beside.on)
		line(out, "processes",
		     "a pid namespace of the session's own, so that it goes on when the target "
		     "ends; "
		     "the target's are at /dev/" VIEW_TARGET_PROC);
	if (p->store || p->beside.on)
		line(out, "makes", ns_names(p->ns_new, names, sizeof(names)));
	if (p->rootless)
		line(out, "rights",
		     "not root's: those that its owner has in the target's user namespace. "
		     "Devices, limits (--cgroup own) and what belongs to the host stay closed");
	line(out, "view", view_words(p));
	explain_files(p, out);
	if (p->kit.kind != KIT_NONE)
		line(out, "kit", p->kit.path ? p->kit.path : "?");
	if (p->rootless && p->kit.kind == KIT_IMAGE)
		line(out, "", "unpacked into ~/.cache/porthole at the first time");
	buf_done(&b);
	buf_printf(&b, "%s (uid %u, gid %u)", p->who.name, p->who.uid, p->who.gid);
	line(out, "user", b.data ? b.data : "?");
	if (p->groups_denied && p->who.uid == 0)
		line(out, "groups",
		     "none can be set, its user namespace denies it: setgroups(2) does nothing");
	explain_caps(p, out);
	if (p->beside.host)
		line(out, "system calls",
		     p->confined.filter.n
			     ? "as docker's default filter has it: those that need what is missing "
			       "above, or that reach past namespaces, fail"
			     : "all of them: no filter (seccomp)");
	line(out, "cgroup", cgroup_words(p));
	explain_freeze(p, out);
	explain_env(p, out);
	line(out, "PATH", p->path);
	if (p->scratch)
		line(out, "scratch",
		     "TMPDIR is " PLAN_SCRATCH
		     ", the session's own: the target has no /tmp that it "
		     "could write to");
	line(out, "directory", p->cwd ? p->cwd : "ours");
	line(out, "terminal", stdin_words(p));
	buf_done(&b);
	command_line(p, &b);
	line(out, "command", b.data ? b.data : "?");
	return out->oom ? -ENOMEM : 0;
}

static json_t *strings(const struct strv *s)
{
	json_t *a = json_array();

	for (size_t i = 0; i < s->n; i++)
		json_array_append_new(a, json_text(s->v[i]));
	return a;
}

static json_t *namespaces(unsigned flags)
{
	json_t *a = json_array();

	for (size_t i = 0; i < NS_COUNT; i++)
		if (flags & ns_types[i].flag)
			json_array_append_new(a, json_string(ns_types[i].name));
	return a;
}

json_t *plan_json(const struct plan *p)
{
	static const char *const views[] = {"none", "live", "kit"};
	static const char *const cgroups[] = {"host", "own", "target"};
	static const char *const freeze_names[] = {"no", "cgroup", "signals", "already"};
	const struct target *t = p->target;
	_cleanup_free_ char *caps = caps_list(plan_caps_of(p)), *lost = caps_list(p->caps_lost);

	return json_pack(
		"{s:{s:o,s:o,s:i},s:o,s:o,s:o,s:s,s:b,s:o,s:{s:o,s:i,s:i},s:o,s:o,s:s,s:s,s:o,s:o,"
		"s:o,s:s?,s:b,s:o,s:b,s:b}",
		"target", "name", json_text(t->name), "engine", json_text(t->engine), "pid", t->pid,
		"joins", namespaces(p->ns_join), "shares", namespaces(p->ns_same), "makes",
		namespaces(p->ns_new), "view", views[p->view], "forgets", p->cow.on, "kit",
		p->kit.kind == KIT_NONE ? json_null() : json_text(p->kit.path), "user", "name",
		json_text(p->who.name), "uid", (int)p->who.uid, "gid", (int)p->who.gid,
		"capabilities", json_text(caps), "capabilities_lost", json_text(lost), "cgroup",
		cgroups[p->cgroup], "freeze", freeze_names[p->freeze.how], "path",
		json_text(p->path), "environment_dropped", strings(&p->env_dropped), "directory",
		json_text(p->cwd), "scratch", p->scratch ? PLAN_SCRATCH : NULL, "terminal", p->tty,
		"command", strings(&p->argv), "rootless", p->rootless, "filtered",
		p->confined.filter.n > 0);
}

/* The JSON that `porthole entrypoint` prints. */
#include "cmd/entrypoint.h"

#include "facts/parse.h"

/* A NULL value makes the whole answer NULL at the end, by `oom`. */
static void set(json_t *to, const char *key, json_t *v, bool *oom)
{
	*oom |= !v || json_object_set_new(to, key, v) < 0;
}

static json_t *args(const struct strv *argv, bool secrets, bool *oom)
{
	_cleanup_free_ char *masked = secrets ? NULL : facts_mask_argv(argv, false);
	json_t *list;

	if (!secrets) /* one string: hiding depends on neighbours */
		return json_text(masked);
	list = json_array();
	for (size_t i = 0; i < argv->n; i++)
		*oom |= json_array_append_new(list, json_text(argv->v[i])) < 0;
	return list;
}

static json_t *environment(const struct entrypoint *ep, bool *oom)
{
	json_t *j = json_object();

	for (size_t i = 0; i < ep->entry.env.n; i++) {
		const char *var = ep->entry.env.v[i], *eq = strchr(var, '=');
		_cleanup_free_ char *raw = eq ? strndup(var, (size_t)(eq - var)) : NULL;
		_cleanup_free_ char *key = raw ? str_printable_dup(raw) : NULL, *masked = NULL;

		if (!eq)
			continue;
		if (key && !ep->secrets && facts_is_secret(raw, eq + 1))
			masked = facts_mask_value(eq + 1);
		if (key)
			set(j, key, json_text(masked ? masked : eq + 1), oom);
		else
			*oom = true;
	}
	return j;
}

static json_t *target(const struct entrypoint *ep, bool *oom)
{
	const struct target *t = ep->t;
	json_t *j = json_object();

	if (!t) {
		set(j, "name", json_text(ep->label), oom);
		set(j, "kind", json_text(ep->kind), oom);
		return j;
	}
	set(j, "engine", json_text(t->engine), oom);
	set(j, "name", json_text(t->name), oom);
	set(j, "id", json_text(t->id), oom);
	set(j, "image", json_text(t->image), oom);
	set(j, "state", json_text(target_state_name(t->state)), oom);
	if (t->error)
		set(j, "engine_error", json_text(t->error), oom);
	if (entrypoint_ended(t)) {
		_cleanup_free_ char *words = entrypoint_ended_words(ep);

		set(j, "exit_code", json_integer(t->exit_code), oom);
		set(j, "exit_meaning", json_text(words), oom);
		set(j, "oom_killed", json_boolean(t->oom_killed), oom);
	}
	return j;
}

static json_t *origin(enum entry_origin o)
{
	static const char *const names[] = {[ENTRY_IMAGE] = "image",
					    [ENTRY_CONTAINER] = "container",
					    [ENTRY_PROCESS] = "process"};

	return json_text(names[o]);
}

static json_t *run(const struct entrypoint *ep, bool *oom)
{
	const struct entry *en = &ep->entry;
	const struct entry_report *r = &ep->report;
	json_t *j = json_object();

	set(j, "command", args(&en->argv, ep->secrets, oom), oom);
	set(j, "form", json_text(en->shell_form ? "shell" : "exec"), oom);
	set(j, "entrypoint", args(&en->entrypoint, ep->secrets, oom), oom);
	set(j, "entrypoint_from", origin(en->entrypoint_from), oom);
	set(j, "cmd", args(&en->cmd, ep->secrets, oom), oom);
	set(j, "cmd_from", origin(en->cmd_from), oom);
	set(j, "user", json_text(en->user), oom);
	set(j, "user_from", origin(en->user_from), oom);
	set(j, "uid", r->user_known ? json_integer(r->uid) : json_null(), oom);
	set(j, "gid", r->user_known ? json_integer(r->gid) : json_null(), oom);
	set(j, "user_name", json_text(r->user_name), oom);
	set(j, "directory", json_text(en->cwd && *en->cwd ? en->cwd : "/"), oom);
	set(j, "directory_from", origin(en->cwd_from), oom);
	set(j, "no_new_privs", json_boolean(en->no_new_privs), oom);
	set(j, "root_read_only", json_boolean(en->root_ro), oom);
	set(j, "arch", json_text(en->arch), oom);
	set(j, "environment", environment(ep, oom), oom);
	return j;
}

static json_t *files(const struct entry_report *r, bool *oom)
{
	static const char *const roles[] = {[ROLE_PROGRAM] = "program",
					    [ROLE_INTERPRETER] = "interpreter",
					    [ROLE_LOADER] = "loader",
					    [ROLE_STARTED] = "started"};
	static const char *const kinds[] = {[FILE_UNSEEN] = NULL,
					    [FILE_SCRIPT] = "script",
					    [FILE_ELF] = "elf",
					    [FILE_OTHER] = "other"};
	json_t *list = json_array();

	for (size_t i = 0; i < r->n_files; i++) {
		const struct entry_file *f = &r->files[i];
		json_t *j = json_object();

		set(j, "role", json_text(roles[f->role]), oom);
		set(j, "name", json_text(f->asked), oom);
		set(j, "path", json_text(f->path), oom);
		set(j, "kind", json_text(kinds[f->kind]), oom);
		set(j, "argument", json_text(f->arg), oom);
		set(j, "machine", json_text(f->machine), oom);
		set(j, "handler", json_text(f->handler), oom);
		set(j, "libraries", json_integer((json_int_t)f->libraries), oom);
		*oom |= json_array_append_new(list, j) < 0;
	}
	return list;
}

static json_t *findings(const struct entry_report *r, bool *oom)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->n; i++) {
		const struct entry_finding *f = &r->findings[i];
		json_t *j = json_object();

		set(j, "id", json_text(f->id), oom);
		set(j, "severity", json_text(f->warning ? "warning" : "error"), oom);
		set(j, "text", json_text(f->text), oom);
		set(j, "fix", json_text(f->fix), oom);
		*oom |= json_array_append_new(list, j) < 0;
	}
	return list;
}

json_t *entrypoint_json(const struct entrypoint *ep)
{
	static const char *const libcs[] = {[LIBC_UNKNOWN] = NULL,
					    [LIBC_NONE] = "none",
					    [LIBC_GLIBC] = "glibc",
					    [LIBC_MUSL] = "musl",
					    [LIBC_OTHER] = "other"};
	const struct entry_report *r = &ep->report;
	json_t *j = json_object();
	bool oom = !j;

	set(j, "target", target(ep, &oom), &oom);
	set(j, "run", run(ep, &oom), &oom);
	set(j, "files", files(r, &oom), &oom);
	set(j, "libc", json_text(libcs[r->libc]), &oom);
	set(j, "libc_version", json_text(*r->libc_version ? r->libc_version : NULL), &oom);
	set(j, "findings", findings(r, &oom), &oom);
	if (!oom)
		return j;
	json_decref(j);
	return NULL;
}

/* The JSON that `porthole inspect` prints: the page's facts, with stable names and plain numbers.
 */
#include "cmd/inspect.h"

#include "facts/parse.h"
#include "sys/caps.h"
#include "sys/cgroup.h"

/* Steals `v`; a NULL one makes the whole answer NULL at the end, by `oom`. */
struct maker {
	const struct inspection *in;
	bool oom;
};

static void set(struct maker *m, json_t *to, const char *key, json_t *v)
{
	if (!v || json_object_set_new(to, key, v) < 0)
		m->oom = true;
}

static void append(struct maker *m, json_t *to, json_t *v)
{
	if (!v || json_array_append_new(to, v) < 0)
		m->oom = true;
}

static void set_text(struct maker *m, json_t *to, const char *key, const char *v)
{
	set(m, to, key, json_text(v));
}

static void set_int(struct maker *m, json_t *to, const char *key, int64_t v)
{
	set(m, to, key, json_integer(v));
}

static void set_bool(struct maker *m, json_t *to, const char *key, bool v)
{
	set(m, to, key, json_boolean(v));
}

/* A number where there is one, null where there is no limit or nothing is known. */
static void set_limit(struct maker *m, json_t *to, const char *key, uint64_t v)
{
	set(m, to, key, v == CGROUP_NONE ? json_null() : json_integer((json_int_t)v));
}

static void set_id(struct maker *m, json_t *to, const char *key, uint32_t id)
{
	set(m, to, key, id == (uint32_t)-1 ? json_null() : json_integer(id));
}

static json_t *child(struct maker *m, json_t *to, const char *key, json_t *v)
{
	set(m, to, key, v);
	return v;
}

static json_t *strings(struct maker *m, const struct strv *l)
{
	json_t *a = json_array();

	for (size_t i = 0; i < l->n; i++)
		append(m, a, json_text(l->v[i]));
	return a;
}

static json_t *args(struct maker *m, const struct strv *argv)
{
	_cleanup_free_ char *masked = NULL;

	if (m->in->secrets)
		return strings(m, argv);
	masked = facts_mask_argv(argv, false); /* one string: hiding depends on neighbours */
	return json_text(masked);
}

static void target(struct maker *m, json_t *j)
{
	const struct target *t = m->in->t;

	set_text(m, j, "name", t->name);
	set_text(m, j, "engine", t->engine);
	set_text(m, j, "id", t->id);
	set_text(m, j, "image", t->image);
	set_text(m, j, "pod", t->pod);
	set_text(m, j, "namespace", t->pod_ns);
	set_text(m, j, "owner", t->owner);
	set_text(m, j, "state", target_state_name(t->state));
	set(m, j, "exit_code",
	    t->state == TARGET_EXITED ? json_integer(t->exit_code) : json_null());
	set(m, j, "pid", t->pid ? json_integer(t->pid) : json_null());
	set(m, j, "started", t->started ? json_integer(t->started) : json_null());
	set_text(m, j, "state_file", t->state_file);
}

static void process(struct maker *m, json_t *j)
{
	const struct facts_init *i = &m->in->f->init;
	const struct facts_procs *l = &m->in->f->procs;
	char state[2] = {i->state, '\0'};
	json_t *list;

	set(m, j, "command", args(m, &i->argv));
	set_text(m, j, "program", i->exe);
	set_bool(m, j, "program_deleted", i->exe_deleted);
	set_text(m, j, "interpreter", i->interp);
	set_bool(m, j, "static", i->is_static);
	set_text(m, j, "directory", i->cwd);
	set_text(m, j, "state", state);
	set(m, j, "age_seconds", i->age < 0 ? json_null() : json_integer(i->age));
	set(m, j, "traced_by", i->tracer ? json_integer(i->tracer) : json_null());
	set_int(m, j, "oom_score", i->oom_score);
	set_int(m, j, "oom_score_adj", i->oom_score_adj);
	set_int(m, j, "open_files", (json_int_t)i->fds);
	set_int(m, j, "open_files_limit", (json_int_t)i->fd_limit);
	set_int(m, j, "processes", (json_int_t)l->total);
	set_int(m, j, "threads", (json_int_t)l->threads);
	set_int(m, j, "zombies", (json_int_t)l->zombies);
	list = child(m, j, "list", json_array());
	for (size_t k = 0; k < l->n; k++) {
		const struct fact_proc *q = &l->v[k];
		char letter[2] = {q->state, '\0'};
		json_t *one = json_object();

		set_int(m, one, "pid", q->pid);
		set_int(m, one, "pid_inside", q->inside);
		set_int(m, one, "ppid", q->ppid);
		set_id(m, one, "uid", q->uid);
		set_text(m, one, "state", letter);
		set_text(m, one, "comm", q->comm);
		set(m, one, "command", args(m, &q->argv));
		append(m, list, one);
	}
}

static json_t *id_map(struct maker *m, const struct idmap *map)
{
	json_t *a = json_array();

	for (size_t i = 0; i < map->n; i++)
		append(m, a,
		       json_pack("{s:I, s:I, s:I}", "inside", (json_int_t)map->r[i].inside,
				 "outside", (json_int_t)map->r[i].outside, "count",
				 (json_int_t)map->r[i].count));
	return a;
}

static json_t *caps(struct maker *m, uint64_t mask)
{
	json_t *a = json_array();
	char name[CAPS_NAME_MAX];

	for (unsigned n = 0; n < 64; n++)
		if (mask & CAPS_BIT(n))
			append(m, a, json_string(caps_name(n, name)));
	return a;
}

static void rights(struct maker *m, json_t *j)
{
	static const char *const modes[] = {"off", "strict", "filter"};
	const struct facts_rights *g = &m->in->f->rights;
	const struct cred *c = &g->cred;
	json_t *sets;

	set_id(m, j, "uid", g->uid);
	set_id(m, j, "gid", g->gid);
	set_text(m, j, "user", g->user);
	set_text(m, j, "group", g->group);
	set(m, j, "groups", strings(m, &g->groups));
	set_int(m, j, "host_uid", c->euid);
	set_int(m, j, "host_gid", c->egid);
	set(m, j, "uid_map", id_map(m, &g->uid_map));
	set(m, j, "gid_map", id_map(m, &g->gid_map));
	sets = child(m, j, "capabilities", json_object());
	set(m, sets, "effective", caps(m, c->cap_eff));
	set(m, sets, "permitted", caps(m, c->cap_prm));
	set(m, sets, "bounding", caps(m, c->cap_bnd));
	set(m, sets, "inheritable", caps(m, c->cap_inh));
	set(m, sets, "ambient", caps(m, c->cap_amb));
	set_text(m, j, "seccomp", c->seccomp >= 0 && c->seccomp <= 2 ? modes[c->seccomp] : NULL);
	set(m, j, "seccomp_filters",
	    c->seccomp_filters < 0 ? json_null() : json_integer(c->seccomp_filters));
	set_bool(m, j, "no_new_privs", c->no_new_privs);
	set_text(m, j, "label", g->label[0] ? g->label : NULL);
}

static void namespaces(struct maker *m, json_t *j)
{
	static const char *const kinds[] = {[NS_UNREAD] = "unreadable",
					    [NS_HOST] = "host",
					    [NS_OWN] = "own",
					    [NS_SHARED] = "shared"};

	for (size_t i = 0; i < NS_COUNT; i++) {
		const struct fact_ns *ns = &m->in->f->ns.v[i];
		json_t *one;

		if (ns->kind == NS_ABSENT)
			continue;
		one = child(m, j, ns_types[i].name, json_object());
		set_text(m, one, "is", kinds[ns->kind]);
		set_int(m, one, "inode", (json_int_t)ns->inode);
		set(m, one, "shared_with", strings(m, &ns->with));
	}
}

static void limit(struct maker *m, json_t *j, const char *key, const struct fact_limit *l)
{
	json_t *one;

	if (!l->known) {
		set(m, j, key, json_null());
		return;
	}
	one = child(m, j, key, json_object());
	set_int(m, one, "used", (json_int_t)l->used);
	set_limit(m, one, "limit", l->limit);
	set_int(m, one, "used_of_limit", (json_int_t)l->counted);
	set_text(m, one, "limit_of_cgroup", l->at);
}

static void limits(struct maker *m, json_t *j)
{
	const struct facts_limits *l = &m->in->f->limits;
	json_t *cpu, *paths;

	limit(m, j, "memory", &l->memory);
	set_int(m, j, "file_cache", (json_int_t)l->cache);
	set_int(m, j, "swap", (json_int_t)l->swap);
	set_int(m, j, "oom_kills", (json_int_t)l->oom_kills);
	limit(m, j, "processes", &l->pids);
	cpu = child(m, j, "cpu", json_object());
	set(m, cpu, "cpus", l->cpus > 0 ? json_real(l->cpus) : json_null());
	set_text(m, cpu, "cpuset", l->cpuset[0] ? l->cpuset : NULL);
	set_int(m, cpu, "used_usec", (json_int_t)l->cpu_usec);
	set_int(m, cpu, "periods", (json_int_t)l->periods);
	set_int(m, cpu, "throttled_periods", (json_int_t)l->throttled);
	set_int(m, j, "read_bytes", (json_int_t)l->io_read);
	set_int(m, j, "written_bytes", (json_int_t)l->io_written);
	set_bool(m, j, "frozen", l->frozen);
	paths = child(m, j, "cgroups", json_object());
	for (size_t i = 0; i < l->n_paths; i++)
		set_text(m, paths, *l->paths[i].names ? l->paths[i].names : "v2", l->paths[i].path);
}

static json_t *mount(struct maker *m, const struct fact_mount *f)
{
	static const char *const classes[] = {[MOUNT_ROOT] = "root",
					      [MOUNT_SYSTEM] = "system",
					      [MOUNT_ENGINE] = "engine",
					      [MOUNT_OTHER] = "other"};
	json_t *one = json_object();

	set_text(m, one, "target", f->row->target);
	set_text(m, one, "source", f->row->source);
	set_text(m, one, "host_path", f->host_path);
	set_text(m, one, "type", f->row->fstype);
	set_text(m, one, "options", f->row->opts);
	set_bool(m, one, "read_only", f->ro);
	set_text(m, one, "propagation",
		 f->row->shared	      ? f->row->master ? "shared,slave" : "shared"
		 : f->row->master     ? "slave"
		 : f->row->unbindable ? "unbindable"
				      : "private");
	set_text(m, one, "class", classes[f->class]);
	return one;
}

static void files(struct maker *m, json_t *j)
{
	static const char *const libcs[] = {NULL, "none", "glibc", "musl", "other"};
	const struct facts_files *l = &m->in->f->files;
	json_t *list;

	set_text(m, j, "root_type", l->root ? l->root->fstype : NULL);
	set_bool(m, j, "read_only", l->root_ro);
	set_text(m, j, "upperdir", l->upper);
	set_int(m, j, "layers", (json_int_t)l->lowers);
	set_int(m, j, "size", (json_int_t)l->size);
	set_int(m, j, "free", (json_int_t)l->free);
	set_text(m, j, "os", l->os);
	set_text(m, j, "shell", l->shell);
	set_text(m, j, "libc", libcs[l->libc]);
	set_text(m, j, "libc_version", l->libc_version[0] ? l->libc_version : NULL);
	set_bool(m, j, "dev", l->dev);
	set_bool(m, j, "proc", l->proc);
	list = child(m, j, "mounts", json_array());
	for (size_t i = 0; i < l->n; i++)
		append(m, list, mount(m, &l->v[i]));
}

static void network(struct maker *m, json_t *j)
{
	const struct facts_net *n = &m->in->f->net;
	json_t *list;

	set(m, j, "interfaces", strings(m, &n->links));
	set(m, j, "addresses", strings(m, &n->addresses));
	set_text(m, j, "gateway", n->gateway[0] ? n->gateway : NULL);
	set(m, j, "name_servers", strings(m, &n->dns));
	list = child(m, j, "listening", json_array());
	for (size_t i = 0; i < n->n + n->n_others; i++) {
		const struct fact_socket *s = &n->v[i];
		bool is_unix = str_eq(s->proto, "unix");
		json_t *one = json_object();

		set_text(m, one, "protocol", s->proto);
		set_text(m, one, "address", s->addr);
		set(m, one, "port", is_unix ? json_null() : json_integer(s->port));
		set(m, one, "pid", s->pid ? json_integer(s->pid) : json_null());
		set(m, one, "pid_inside", s->inside ? json_integer(s->inside) : json_null());
		set_text(m, one, "comm", s->pid ? s->comm : NULL);
		set_bool(m, one, "own", i < n->n);
		append(m, list, one);
	}
}

static json_t *environment(struct maker *m)
{
	const struct facts_env *env = &m->in->f->env;
	json_t *list = json_array();

	for (size_t i = 0; i < env->n; i++) {
		const struct fact_env *v = &env->v[i];
		json_t *one = json_object();

		set_text(m, one, "key", v->key);
		set_text(m, one, "value", v->secret && !m->in->secrets ? NULL : v->value);
		set_bool(m, one, "secret", v->secret);
		append(m, list, one);
	}
	return list;
}

static void engine(struct maker *m, json_t *j)
{
	const struct facts_engine *n = &m->in->f->engine;

	set_text(m, j, "file", n->file);
	set(m, j, "entrypoint", args(m, &n->entrypoint));
	set(m, j, "command", args(m, &n->cmd));
	set_text(m, j, "user", n->user);
	set_text(m, j, "directory", n->workdir);
	set_text(m, j, "hostname", n->hostname);
	set_text(m, j, "restart_policy", n->restart);
	set(m, j, "restarts", n->restarts < 0 ? json_null() : json_integer(n->restarts));
	set_text(m, j, "network", n->network);
	set_text(m, j, "runtime", n->runtime);
	set_text(m, j, "stop_signal", n->stop_signal);
	set_text(m, j, "health", n->health);
	set_bool(m, j, "privileged", n->privileged);
	set(m, j, "ports", strings(m, &n->ports));
	set(m, j, "labels", strings(m, &n->labels));
}

static json_t *unusual(struct maker *m)
{
	static const char *const weights[] = {"note", "warning", "danger"};
	const struct unusuals *u = m->in->unusual;
	json_t *list = json_array();

	for (size_t i = 0; i < u->n; i++) {
		json_t *one = json_object();

		set_text(m, one, "id", u->v[i].id);
		set_text(m, one, "weight", weights[u->v[i].weight]);
		set_text(m, one, "text", u->v[i].text);
		append(m, list, one);
	}
	return list;
}

static const struct {
	unsigned flag;
	const char *key;
	bool live;
	void (*fill)(struct maker *m, json_t *j);
} parts[] = {
	{SECTION_PROCESS, "process", true, process},
	{SECTION_RIGHTS, "rights", true, rights},
	{SECTION_NAMESPACES, "namespaces", true, namespaces},
	{SECTION_LIMITS, "limits", true, limits},
	{SECTION_FILES, "files", true, files},
	{SECTION_NETWORK, "network", true, network},
	{SECTION_ENGINE, "engine_config", false, engine},
};

json_t *inspect_json(const struct inspection *in)
{
	_cleanup_json_ json_t *j = json_object();
	struct maker m = {.in = in};

	target(&m, j);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if ((in->sections & parts[i].flag) && (in->live || !parts[i].live))
			parts[i].fill(&m, child(&m, j, parts[i].key, json_object()));
	if (in->live && (in->sections & SECTION_ENVIRONMENT))
		set(&m, j, "environment", environment(&m));
	if (in->live && (in->sections & SECTION_UNUSUAL))
		set(&m, j, "unusual", unusual(&m));
	set(&m, j, "unread", strings(&m, &in->f->unread));
	return m.oom ? NULL : TAKE_PTR(j);
}

/*
 * LXC, Incus and LXD: no pid is stored. A running NAME has a cgroup lxc.payload.NAME, and a monitor
 * whose title is "[lxc monitor] PATH NAME"; PATH/NAME/config is there when it does not run, too.
 * What Incus and LXD call NAME in a project other than "default" is PROJECT_NAME in all of these
 * (neither has a '_'): that becomes the target's id, and its project the namespace.
 */
#include "target/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "target/scan.h"

#define PAYLOAD "lxc.payload."

static const struct {
	const char *path, *engine, *file; /* PATH/NAME/file is there for a container */
} kinds[] = {
	{"var/lib/lxc", "lxc", "config"},
	{"var/lib/incus/containers", "incus", "."},
	{"var/lib/lxd/containers", "lxd", "."},
	{"var/snap/lxd/common/lxd/containers", "lxd", "."},
};

static const char *const cgroup_roots[] = {
	"sys/fs/cgroup/unified",
	"sys/fs/cgroup",
	"sys/fs/cgroup/systemd",
	"sys/fs/cgroup/pids",
};

static bool exists(struct look *l, size_t kind, const char *name)
{
	_cleanup_free_ char *path = str_fmt("%s/%s/%s", kinds[kind].path, name, kinds[kind].file);

	return path && faccessat(l->root_fd, path, F_OK, 0) == 0;
}

static const char *engine_of(struct look *l, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (exists(l, i, name))
			return kinds[i].engine;
	return kinds[0].engine;
}

/* The rest of the first line of a YAML text that is MARK and a value: a new string, without quotes.
 * NULL: there is none. */
static char *yaml_value(const char *text, const char *mark)
{
	const char *v = strstr(text, mark);

	if (!v)
		return NULL;
	v += strlen(mark);
	if (*v == '"' || *v == '\'')
		return strndup(v + 1, strcspn(v + 1, (char[]){*v, '\n', '\0'}));
	return strndup(v, strcspn(v, "\n"));
}

/* What Incus and LXD say of it: PATH/NAME/backup.yaml. */
static void fill_incus(struct look *l, const char *dir, struct target *t)
{
	const char *cut = strchr(dir, '_');
	_cleanup_free_ char *at = NULL;
	struct slice text;

	t->id = strdup(dir);
	t->pod_ns = cut ? strndup(dir, (size_t)(cut - dir)) : strdup("default");
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		char path[NAME_MAX + 64];

		snprintf(path, sizeof(path), "%s/%s/backup.yaml", kinds[i].path, dir);
		if (!str_eq(kinds[i].engine, t->engine) ||
		    look_read(l, l->root_fd, "", path, STATE_FILE_MAX, &text) < 0)
			continue;
		t->image = yaml_value(text.p, "\n    image.description: ");
		t->image_id = yaml_value(text.p, "\n    volatile.base_image: ");
		at = yaml_value(text.p, "\n  created_at: ");
		if (at)
			t->created = jpick_time((struct slice){at, strlen(at)});
		return;
	}
}

static bool has_projects(const char *engine)
{
	return !str_eq(engine, kinds[0].engine);
}

/* `name`: what its directory is called. */
static int take(struct look *l, const struct want *w, const char *engine, const char *name,
		pid_t pid, const char *state_file, uid_t owner, struct targets *out)
{
	const char *cut = has_projects(engine) ? strchr(name, '_') : NULL;
	struct target t = TARGET_INIT;

	t.engine = engine;
	t.name = strdup(cut ? cut + 1 : name);
	t.state_file = strdup(state_file);
	t.exit_code = -1;
	t.owner_uid = owner;
	t.owner = look_owner(l, owner);
	t.state = TARGET_EXITED;
	if (pid && !target_take_pid(l, &t, pid)) {
		target_done(&t);
		return 0;
	}
	if (has_projects(engine))
		fill_incus(l, name, &t);
	return want_take(w, out, &t, NULL);
}

/* Of the pids in a cgroup.procs file, the one that is 1 in its own pid namespace. */
static pid_t init_in(struct look *l, int cgroup, const char *file)
{
	char text[4096], *p = text;
	struct proc_status st;

	if (file_read_small_at(cgroup, file, text, sizeof(text)) <= 0)
		return 0;
	while (*p) {
		pid_t pid = (pid_t)strtol(p, &p, 10);

		if (pid <= 0)
			break;
		if (proc_status_read_at(l->roots->proc_fd, pid, &st) == 0 && st.nspids > 1 &&
		    st.nspid[st.nspids - 1] == 1)
			return pid;
		p += *p == '\n';
	}
	return 0;
}

/* BASE/lxc.payload.NAME; systemd inside has moved on to init.scope. */
static int by_cgroup(struct look *l, const struct want *w, const char *base, const char *dir,
		     const char *name, struct targets *out)
{
	_cleanup_free_ char *path = str_fmt("%s/%s", base, dir);
	_cleanup_free_ char *file = str_fmt("/%s", path);
	_cleanup_close_ int fd = -EBADF;
	pid_t pid;

	if (!path || !file)
		return -ENOMEM;
	fd = openat(l->root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	pid = init_in(l, fd, "cgroup.procs");
	if (!pid)
		pid = init_in(l, fd, "init.scope/cgroup.procs");
	return pid ? take(l, w, engine_of(l, name), name, pid, file, 0, out) : 0;
}

/* NAME of a directory lxc.payload.NAME, NULL for any other; a leftover's -1 is kept off. */
static char *payload_name(struct look *l, const char *dir)
{
	const char *name = dir + sizeof(PAYLOAD) - 1, *dash;
	char *cut;

	if (!str_starts(dir, PAYLOAD) || !*name)
		return NULL;
	cut = strdup(name);
	dash = strrchr(name, '-');
	if (cut && dash && dash[1] && dash[1 + strspn(dash + 1, "0123456789")] == '\0') {
		cut[dash - name] = '\0';
		for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
			if (exists(l, i, cut) && !exists(l, i, name))
				return cut;
		cut[dash - name] = '-';
	}
	return cut;
}

/* Whether the container of this directory may be meant. */
static bool maybe(const struct want *w, const char *name)
{
	size_t n = strlen(name), len = w->how == WANT_EXACT ? strlen(w->text) : 0;

	return w->how != WANT_EXACT || str_eq(name, w->text) ||
	       (n > len && name[n - len - 1] == '_' && str_ends(name, w->text));
}

/* Whether Incus or LXD was ever used here, whose containers need not be called as they are. */
static bool projects_used(struct look *l)
{
	for (size_t i = 1; i < ARRAY_LEN(kinds); i++)
		if (faccessat(l->root_fd, kinds[i].path, F_OK, 0) == 0)
			return true;
	return false;
}

static int from_cgroups(struct look *l, const struct want *w, struct targets *out)
{
	bool exact = w->how == WANT_EXACT && !projects_used(l);
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(cgroup_roots) && r == 0; i++) {
		_cleanup_dir_ DIR *d = NULL;
		unsigned left = DIR_ENTRIES_MAX;
		const char *ent;

		if (exact) {
			char dir[NAME_MAX + 16];

			snprintf(dir, sizeof(dir), PAYLOAD "%s", w->text);
			if (!w->pod)
				r = by_cgroup(l, w, cgroup_roots[i], dir, w->text, out);
			continue;
		}
		d = look_opendir(l, l->root_fd, cgroup_roots[i]);
		while (d && r == 0 && (ent = look_entry(l, d, &left))) {
			_cleanup_free_ char *name = payload_name(l, ent);

			if (name && maybe(w, name))
				r = by_cgroup(l, w, cgroup_roots[i], ent, name, out);
		}
	}
	return r;
}

static int from_monitors(struct look *l, const struct want *w, struct targets *out)
{
	const struct monitor *m;
	size_t i = 0;

	while ((m = scan_monitor(l, &i))) {
		const char *engine = kinds[0].engine;
		char file[32];
		pid_t pid;

		if (m->kind != MONITOR_LXC)
			continue;
		pid = scan_init(l, m);
		if (!pid)
			continue;
		for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
			if (str_eq(m->ns + (*m->ns == '/'), kinds[k].path))
				engine = kinds[k].engine;
		snprintf(file, sizeof(file), "/proc/%d", (int)m->pid);
		if (take(l, w, engine, m->name, pid, file, m->uid, out) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* `name`: of its directory. */
static bool has_name(const struct targets *l, const char *engine, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->v[i].engine, engine) &&
		    str_eq(l->v[i].id ? l->v[i].id : l->v[i].name, name))
			return true;
	return false;
}

/* Configured and not among those that run. */
static int from_disk(struct look *l, const struct want *w, const struct targets *live,
		     struct targets *out)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		_cleanup_dir_ DIR *d = look_opendir(l, l->root_fd, kinds[i].path);
		unsigned left = DIR_ENTRIES_MAX;
		const char *name;

		while (d && (name = look_entry(l, d, &left))) {
			_cleanup_free_ char *file = str_fmt("/%s/%s", kinds[i].path, name);

			if (!file || !exists(l, i, name) || has_name(live, kinds[i].engine, name))
				continue;
			if (take(l, w, kinds[i].engine, name, 0, file, 0, out) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

/* Whether LXC or one of its kind was ever used here: the cgroups are many to look through. */
static bool is_used(struct look *l)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (faccessat(l->root_fd, kinds[i].path, F_OK, 0) == 0)
			return true;
	return false;
}

static int find(struct look *l, const struct want *w, struct targets *out)
{
	return w->live && is_used(l) ? from_cgroups(l, w, out) : 0;
}

/* Who does not run is known once all who run are. */
static int more(struct look *l, const struct want *w, struct targets *out)
{
	_cleanup_targets_ struct targets live = {};
	struct want all = {.how = WANT_ALL, .live = true};
	int r = from_monitors(l, w, out);

	if (r == 0 && w->stopped)
		r = from_cgroups(l, &all, &live);
	if (r == 0 && w->stopped)
		r = from_monitors(l, &all, &live);
	return r == 0 && w->stopped ? from_disk(l, w, &live, out) : r;
}

static const char *const others[] = {"incus", "lxd", NULL};
const struct engine engine_lxc = {.name = "lxc", .others = others, .find = find, .more = more};

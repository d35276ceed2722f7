/*
 * LXC, Incus and LXD: no pid is stored. A running NAME has a cgroup lxc.payload.NAME, and a monitor
 * whose title is "[lxc monitor] PATH NAME"; PATH/NAME/config is there when it does not run, too.
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

	return path && faccessat(l->roots->root_fd, path, F_OK, 0) == 0;
}

static const char *engine_of(struct look *l, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (exists(l, i, name))
			return kinds[i].engine;
	return kinds[0].engine;
}

static int take(struct look *l, const struct want *w, const char *engine, const char *name,
		pid_t pid, const char *state_file, uid_t owner, struct targets *out)
{
	struct target t = TARGET_INIT;

	t.engine = engine;
	t.name = strdup(name);
	t.state_file = strdup(state_file);
	t.exit_code = -1;
	t.owner_uid = owner;
	t.owner = look_owner(l, owner);
	t.state = TARGET_EXITED;
	if (pid && !target_take_pid(l, &t, pid)) {
		target_done(&t);
		return 0;
	}
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
	fd = openat(l->roots->root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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

static int from_cgroups(struct look *l, const struct want *w, struct targets *out)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(cgroup_roots) && r == 0; i++) {
		_cleanup_dir_ DIR *d = NULL;
		unsigned left = DIR_ENTRIES_MAX;
		const char *ent;

		if (w->how == WANT_EXACT) {
			char dir[NAME_MAX + 16];

			snprintf(dir, sizeof(dir), PAYLOAD "%s", w->text);
			if (!w->pod)
				r = by_cgroup(l, w, cgroup_roots[i], dir, w->text, out);
			continue;
		}
		d = look_opendir(l, l->roots->root_fd, cgroup_roots[i]);
		while (d && r == 0 && (ent = look_entry(l, d, &left))) {
			_cleanup_free_ char *name = payload_name(l, ent);

			if (name)
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

static bool has_name(const struct targets *l, const char *engine, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->v[i].engine, engine) && str_eq(l->v[i].name, name))
			return true;
	return false;
}

/* Configured and not among those that run. */
static int from_disk(struct look *l, const struct want *w, const struct targets *live,
		     struct targets *out)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		_cleanup_dir_ DIR *d = look_opendir(l, l->roots->root_fd, kinds[i].path);
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
		if (faccessat(l->roots->root_fd, kinds[i].path, F_OK, 0) == 0)
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

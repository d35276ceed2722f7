/*
 * Docker: DATA/containers/ID/config.v2.json; who runs is listed in EXEC/runtime-NAME/moby, a tmpfs,
 * so that the cost does not grow with the number of stopped containers.
 */
#include "target/docker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "target/scan.h"

enum { PLACES_MAX = 32, RUNTIMES_MAX = 8, CONF_MAX = 64 << 10 };

/* Where one dockerd keeps its things. */
struct place {
	int containers;		/* DATA/containers */
	int moby[RUNTIMES_MAX]; /* EXEC/runtime-NAME/moby */
	int mobys;
	char *path; /* of `containers`, for messages and state_file */
	uid_t owner;
	bool nested; /* its pids are those of another pid namespace */
	bool loaded; /* all of it */
	bool remap;  /* its containers have user namespaces */
	dev_t dev;
	ino_t ino;
};

struct places {
	struct place v[PLACES_MAX];
	int n;
};

static void places_done(struct places *ps)
{
	for (struct place *p = ps->v; p < ps->v + ps->n; p++) {
		cleanup_close(&p->containers);
		while (p->mobys > 0)
			cleanup_close(&p->moby[--p->mobys]);
		free(p->path);
	}
}

/* EXEC/runtime-runc/moby, and those of other runtimes. `remap`: UID.GID, which it may end with. */
static void open_mobys(struct look *l, struct place *p, int root, const char *exec,
		       const char *remap)
{
	_cleanup_dir_ DIR *d = look_opendir(l, root, exec);
	unsigned left = DIR_ENTRIES_MAX;
	const char *name;

	while (d && p->mobys < RUNTIMES_MAX && (name = look_entry(l, d, &left))) {
		char path[2 * NAME_MAX + 8];
		int fd = -ENOENT;

		if (!str_starts(name, "runtime-"))
			continue;
		snprintf(path, sizeof(path), "%s/moby-%s", name, remap ? remap : "");
		if (remap)
			fd = look_dir(l, dirfd(d), path);
		path[strlen(name) + strlen("/moby")] = '\0';
		if (fd < 0)
			fd = look_dir(l, dirfd(d), path);
		if (fd >= 0)
			p->moby[p->mobys++] = fd;
	}
}

/* UID.GID, as a daemon with --userns-remap names its own part of DATA. */
static bool is_remap(const char *name)
{
	size_t n = strspn(name, "0123456789"), m;

	if (n == 0 || name[n] != '.')
		return false;
	m = strspn(name + n + 1, "0123456789");
	return m > 0 && name[n + 1 + m] == '\0';
}

bool docker_is_ns(const char *ns)
{
	return str_eq(ns, "moby") || (str_starts(ns, "moby-") && is_remap(ns + strlen("moby-")));
}

/* One DATA/containers below `root`. Adds nothing when it is not there, or there already. */
static void add_place(struct look *l, struct places *ps, int root, const char *data,
		      const char *exec, uid_t owner)
{
	struct place *p = &ps->v[ps->n];
	_cleanup_free_ char *path = str_fmt("%s/containers", data);
	_cleanup_close_ int fd = path && ps->n < PLACES_MAX ? look_dir(l, root, path) : -ENOMEM;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return;
	for (int i = 0; i < ps->n; i++)
		if (ps->v[i].dev == st.st_dev && ps->v[i].ino == st.st_ino)
			return;
	*p = (struct place){.containers = TAKE_FD(fd),
			    .path = TAKE_PTR(path),
			    .owner = owner,
			    .remap = is_remap(basename(data)),
			    .dev = st.st_dev,
			    .ino = st.st_ino};
	if (exec)
		open_mobys(l, p, root, exec, p->remap ? basename(data) : NULL);
	ps->n++;
}

/* DATA itself, and what is remapped below it. */
static void add_data(struct look *l, struct places *ps, int root, const char *data,
		     const char *exec, uid_t owner)
{
	_cleanup_dir_ DIR *d = look_opendir(l, root, data);
	unsigned left = DIR_ENTRIES_MAX;
	const char *name;

	if (!d)
		return;
	add_place(l, ps, root, data, exec, owner);
	while ((name = look_entry(l, d, &left))) {
		_cleanup_free_ char *path = is_remap(name) ? str_fmt("%s/%s", data, name) : NULL;

		if (path)
			add_place(l, ps, root, path, exec, owner);
	}
}

/* The data-root that a daemon was given: as an argument, or in its configuration. A new string or
 * NULL. `root` is the daemon's. */
static char *configured(struct look *l, int root, const char *args, size_t len)
{
	static const char *const picks[] = {"data-root", "graph"};
	const char *data = len ? proc_arg(args, len, "--data-root") : NULL;
	const char *file = len ? proc_arg(args, len, "--config-file") : NULL;
	struct slice text, v[2];

	if (!data && len)
		data = proc_arg(args, len, "-g") ?: proc_arg(args, len, "--graph");
	if (data)
		return strdup(data);
	if (look_read(l, root, "", file ? file : "etc/docker/daemon.json", CONF_MAX, &text) < 0 ||
	    jpick(text, picks, 2, v) < 0)
		return NULL;
	return jpick_str(v[0].n ? v[0] : v[1]);
}

static void default_places(struct look *l, struct places *ps)
{
	static const struct {
		const char *data, *exec;
	} usual[] = {
		{"var/lib/docker", "run/docker"},
		{"var/snap/docker/common/var-lib-docker", "run/snap.docker"},
	};
	const struct users *u = look_users(l);
	_cleanup_free_ char *data = NULL;

	for (size_t i = 0; i < ARRAY_LEN(usual); i++)
		add_data(l, ps, l->root_fd, usual[i].data, usual[i].exec, 0);
	data = configured(l, l->root_fd, NULL, 0);
	if (data)
		add_data(l, ps, l->root_fd, data, usual[0].exec, 0);
	for (size_t i = 0; i < u->n; i++) {
		_cleanup_free_ char *exec = str_fmt("%s/docker", u->v[i].run);
		_cleanup_free_ char *own =
			u->v[i].home ? str_fmt("%s/.local/share/docker", u->v[i].home) : NULL;

		if (exec && own)
			add_place(l, ps, l->root_fd, own, exec, u->v[i].uid);
	}
}

char *docker_data_of(struct slice text)
{
	static const char mark[] = "/containers/";
	const char *p = text.p, *end = text.p + text.n;

	while ((p = memmem(p, (size_t)(end - p), mark, sizeof(mark) - 1))) {
		const char *id = p + sizeof(mark) - 1, *from = p;

		if (end - id > 65 && id[64] == '/' && strspn(id, "0123456789abcdef") == 64) {
			while (from > text.p && from[-1] != '"')
				from--;
			return strndup(from, (size_t)(p - from));
		}
		p = id;
	}
	return NULL;
}

static struct place *place_of(struct places *ps, const char *id)
{
	for (struct place *p = ps->v; p < ps->v + ps->n; p++)
		if (faccessat(p->containers, id, F_OK, 0) == 0)
			return p;
	return NULL;
}

/* The daemon behind a shim nobody knew: its bundle leads to DATA, seen from the shim's own root. */
static void place_from_shim(struct look *l, struct places *ps, const struct monitor *m)
{
	_cleanup_close_ int cwd = proc_link_open(l->roots->proc_fd, m->pid, "cwd");
	_cleanup_close_ int root = proc_link_open(l->roots->proc_fd, m->pid, "root");
	_cleanup_free_ char *data = NULL;
	struct slice text;
	int before;

	if (cwd < 0 || root < 0 ||
	    look_read(l, cwd, m->id, "config.json", STATE_FILE_MAX, &text) < 0)
		return;
	data = docker_data_of(text);
	if (!data)
		return;
	before = ps->n;
	add_place(l, ps, root, data, NULL, m->uid);
	if (ps->n > before)
		ps->v[before].nested = m->depth > 0;
}

/* What the daemons that run say themselves: there may be no container of theirs that runs. */
static void places_from_daemons(struct look *l, struct places *ps)
{
	const struct proc_stat *st;
	struct proc_status who;
	size_t i = 0;

	while ((st = scan_named(l, "dockerd", &i))) {
		_cleanup_close_ int root = proc_link_open(l->roots->proc_fd, st->pid, "root");
		_cleanup_free_ char *args = malloc(CONF_MAX), *data = NULL;
		ssize_t n =
			args ? proc_cmdline_read(l->roots->proc_fd, st->pid, args, CONF_MAX) : 0;

		if (root < 0 || n <= 0 || proc_status_read_at(l->roots->proc_fd, st->pid, &who) < 0)
			continue;
		data = configured(l, root, args, (size_t)n);
		if (data)
			add_data(l, ps, root, data, NULL, who.euid);
	}
}

/* When the container's init started, as its runtime noted it; 0: unknown. In lists the daemon's
 * clock will do: it started within a second of what is in its state, which no other process of its
 * number has. */
static uint64_t start_of(struct look *l, const struct place *p, const struct target *t)
{
	const struct proc_stat *st = l->scan ? scan_stat(l, t->pid) : NULL;
	char path[NAME_MAX + 16], text[1024];
	const char *at;

	if (st && t->started && llabs(proc_start_time(st->start) - t->started) <= 1)
		return st->start;
	snprintf(path, sizeof(path), "%s/state.json", t->id);
	for (int i = 0; i < p->mobys; i++) {
		if (file_read_small_at(p->moby[i], path, text, sizeof(text)) <= 0)
			continue;
		/* runc writes it as the third member of a file of 30 KB */
		at = strstr(text, "\"init_process_start\":");
		return at ? strtoull(at + 21, NULL, 10) : 0;
	}
	return 0;
}

/* Read one container and push it if it is wanted. 1 when it was pushed, 0 when not, or -ENOMEM. */
static int load(struct look *l, const struct want *w, const struct place *p, const char *id,
		struct targets *out)
{
	struct target t = TARGET_INIT;
	_cleanup_free_ char *service = NULL;
	const struct monitor *shim;
	struct slice text, v[DOCKER_COUNT];
	char path[NAME_MAX + 32];
	size_t before = out->n;

	snprintf(path, sizeof(path), "%s/config.v2.json", id);
	if (look_read(l, p->containers, p->path, path, STATE_FILE_MAX, &text) < 0 ||
	    !want_maybe(w, text))
		return 0;
	if (jpick(text, docker_picks, DOCKER_COUNT, v) < 0) {
		look_warn(l, "%s%s/%s is damaged: skipped", *p->path == '/' ? "" : "/", p->path,
			  path);
		return 0;
	}
	t.state_file = str_fmt("%s%s/%s", *p->path == '/' ? "" : "/", p->path, path);
	t.owner_uid = p->owner;
	if (!t.state_file || docker_fill(l, id, v, &t) < 0) {
		target_done(&t);
		return -ENOMEM;
	}
	service = jpick_str(v[DOCKER_SERVICE]);
	shim = t.pid && p->nested ? scan_monitor_of(l, MONITOR_SHIM, id) : NULL;
	if (shim)
		t.pid = scan_translate(l, shim, t.pid);
	if (t.pid)
		t.start = start_of(l, p, &t);
	/* docker knows no user namespace but its daemon's: that saves a look at each */
	if (t.pid && l->scan && !p->remap && !p->nested && !p->owner)
		t.user_ns = scan_host_ns(l, "user");
	if (t.pid && l->scan) /* now, so that its shim need not be looked at */
		target_verify(l, &t, NULL, NULL);
	if (want_take(w, out, &t, service) < 0)
		return -ENOMEM;
	return out->n > before;
}

/* Every full id in a directory. Stops at a hit when one is enough. */
static int load_listed(struct look *l, const struct want *w, const struct place *p, int dir,
		       struct targets *out)
{
	_cleanup_dir_ DIR *d = look_opendir(l, dir, ".");
	unsigned left = DIR_ENTRIES_MAX;
	const char *id;
	int r;

	while (d && (id = look_entry(l, d, &left))) {
		if (!id_is_full(id) || (w->ids && !want_id(w, id)))
			continue;
		r = load(l, w, p, id, out);
		if (r < 0)
			return r;
		if (r > 0 && w->how == WANT_EXACT) /* a daemon's names are unique */
			return 0;
	}
	return 0;
}

static int load_place(struct look *l, const struct want *w, const struct place *p,
		      struct targets *out)
{
	int r = 0;

	if (w->how == WANT_EXACT && id_is_full(w->text)) {
		r = load(l, w, p, w->text, out);
		if (r != 0)
			return r;
	}
	if (w->stopped) /* this has the running ones too */
		return load_listed(l, w, p, p->containers, out);
	for (int i = 0; i < p->mobys && r >= 0; i++)
		r = load_listed(l, w, p, p->moby[i], out);
	return r;
}

static int find(struct look *l, const struct want *w, struct targets *out)
{
	_cleanup_(places_done) struct places ps = {};
	int r = 0;

	default_places(l, &ps);
	for (int i = 0; i < ps.n && r >= 0; i++)
		r = load_place(l, w, &ps.v[i], out);
	return r < 0 ? r : 0;
}

/* By the daemons and the shims that run: other places, and what runs in a usual one without being
 * in a runtime's directory. */
static int more(struct look *l, const struct want *w, struct targets *out)
{
	_cleanup_(places_done) struct places ps = {};
	const struct monitor *m;
	int usual, r = 0;
	size_t i = 0;

	if (!w->stopped && !scan_has_monitor(l, MONITOR_SHIM))
		return 0;
	default_places(l, &ps);
	usual = ps.n;
	if (w->stopped)
		places_from_daemons(l, &ps);
	for (int k = 0; k < ps.n && r >= 0; k++) {
		ps.v[k].loaded = w->stopped;
		if (k >= usual)
			r = load_listed(l, w, &ps.v[k], ps.v[k].containers, out);
	}
	while (r >= 0 && (m = scan_monitor(l, &i))) {
		struct place *p;

		if (m->kind != MONITOR_SHIM || !docker_is_ns(m->ns))
			continue;
		p = place_of(&ps, m->id);
		if (!p) {
			place_from_shim(l, &ps, m);
			p = place_of(&ps, m->id);
		}
		if (!p || p->loaded)
			continue;
		p->loaded = w->stopped;
		r = w->stopped ? load_listed(l, w, p, p->containers, out)
			       : load(l, w, p, m->id, out);
	}
	return r < 0 ? r : 0;
}

static int look_beside(const struct place *p, const char *path)
{
	return openat(p->containers, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int list_places(struct look *l, struct target_places *out)
{
	_cleanup_(places_done) struct places ps = {};
	const struct monitor *m;
	size_t i = 0;
	int r = 0;

	default_places(l, &ps);
	places_from_daemons(l, &ps);
	while ((m = scan_monitor(l, &i)))
		if (m->kind == MONITOR_SHIM && docker_is_ns(m->ns) && !place_of(&ps, m->id))
			place_from_shim(l, &ps, m);
	for (struct place *p = ps.v; p < ps.v + ps.n && r == 0; p++) {
		_cleanup_free_ char *data =
			strndup(p->path, strlen(p->path) - strlen("/containers"));
		_cleanup_free_ char *own = data ? str_fmt("%s/containerd/daemon", data) : NULL;

		if (!own)
			return -ENOMEM;
		r = place_add(out, engine_docker.name, look_beside(p, ".."), data, p->owner);
		if (r == 0) /* the containerd that it starts where there is no other */
			r = place_add(out, engine_containerd.name,
				      look_beside(p, "../containerd/daemon"), own, p->owner);
	}
	return r;
}

const struct engine engine_docker = {
	.name = "docker",
	.find = find,
	.more = more,
	.places = list_places,
	.ask = docker_ask,
};

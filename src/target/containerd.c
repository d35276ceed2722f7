/*
 * containerd's own containers (ctr), nerdctl's, and Kubernetes' (CRI): a bundle directory for each
 * task, STATE/io.containerd.runtime.v2.task/NS/ID, with config.json and init.pid.
 */
#include "target/containerd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/toml.h"
#include "target/docker.h"
#include "target/scan.h"

#define TASK_DIR "io.containerd.runtime.v2.task"

enum { PLACES_MAX = 32, CONF_MAX = 64 << 10 };

struct places {
	struct ctd v[PLACES_MAX];
	int n;
};

static void places_done(struct places *ps)
{
	for (struct ctd *c = ps->v; c < ps->v + ps->n; c++) {
		cleanup_close(&c->task);
		cleanup_close(&c->runc);
		cleanup_close(&c->data);
		bolt_close(&c->db);
		free(c->path);
		free(c->root);
	}
}

/* Takes `task`. */
static struct ctd *add_place(struct look *l, struct places *ps, int task, int root,
			     const char *path, const char *data, uid_t owner)
{
	_cleanup_close_ int fd = task;
	struct ctd *c = &ps->v[ps->n];
	struct stat st;

	if (fd < 0 || ps->n == PLACES_MAX || fstat(fd, &st) < 0)
		return NULL;
	for (int i = 0; i < ps->n; i++)
		if (ps->v[i].dev == st.st_dev && ps->v[i].ino == st.st_ino)
			return NULL;
	*c = (struct ctd){.task = TAKE_FD(fd),
			  .runc = look_dir(l, root, "run/containerd/runc"),
			  .data = data ? look_dir(l, root, data) : -EBADF,
			  .db = BOLT_INIT,
			  .path = strdup(path),
			  .root = data ? str_fmt("%s%s", *data == '/' ? "" : "/", data) : NULL,
			  .owner = owner,
			  .dev = st.st_dev,
			  .ino = st.st_ino};
	ps->n++;
	return c;
}

/* Where they are usually. */
static const struct {
	const char *task, *data;
} usual_places[] = {
	{"run/containerd/" TASK_DIR, "var/lib/containerd"},
	{"run/k3s/containerd/" TASK_DIR, "var/lib/rancher/k3s/agent/containerd"},
	{"var/snap/microk8s/common/run/containerd/" TASK_DIR,
	 "var/snap/microk8s/common/var/lib/containerd"},
};

static void default_places(struct look *l, struct places *ps)
{
	int root = l->root_fd;

	for (size_t i = 0; i < ARRAY_LEN(usual_places); i++)
		add_place(l, ps, look_dir(l, root, usual_places[i].task), root,
			  usual_places[i].task, usual_places[i].data, 0);
}

/* What the directory `task`, two above the shim's, is called here: the same path as the shim sees,
 * where that leads to it; else by way of the shim. */
static void task_path(struct look *l, const struct monitor *m, int task, char out[PATH_MAX])
{
	_cleanup_close_ int again = -EBADF;
	struct stat a, b;
	char link[32];

	snprintf(link, sizeof(link), "%d/cwd", (int)m->pid);
	if (link_read_at(l->roots->proc_fd, link, out, PATH_MAX) > 0) {
		for (int i = 0; i < 2 && strrchr(out, '/'); i++)
			*strrchr(out, '/') = '\0';
		again = path_open_in_root(l->root_fd, out, O_PATH | O_DIRECTORY);
	}
	if (again >= 0 && fstat(again, &a) == 0 && fstat(task, &b) == 0 && a.st_dev == b.st_dev &&
	    a.st_ino == b.st_ino)
		memmove(out, out + strspn(out, "/"), strlen(out + strspn(out, "/")) + 1);
	else
		snprintf(out, PATH_MAX, "proc/%d/cwd/../..", (int)m->pid);
}

/* The containerd behind a shim nobody knew: its working directory is a bundle, two below TASK_DIR;
 * the bundle's link `work` leads to ROOT. Both as the shim sees them. */
static void place_from_shim(struct look *l, struct places *ps, const struct monitor *m)
{
	_cleanup_close_ int cwd = proc_link_open(l->roots->proc_fd, m->pid, "cwd");
	_cleanup_close_ int root = proc_link_open(l->roots->proc_fd, m->pid, "root");
	char work[PATH_MAX], path[PATH_MAX], *cut;
	struct ctd *c;
	int task;

	if (cwd < 0 || root < 0)
		return;
	task = openat(cwd, "../..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cut = link_read_at(cwd, "work", work, sizeof(work)) > 0 ? strstr(work, "/" TASK_DIR "/")
								: NULL;
	if (cut)
		*cut = '\0';
	if (task < 0)
		return;
	task_path(l, m, task, path);
	c = add_place(l, ps, task, root, path, cut ? work : NULL, m->uid);
	if (c)
		c->nested = m->depth > 0;
}

static bool known(const struct places *ps, const struct monitor *m)
{
	char path[2 * NAME_MAX + 2];

	snprintf(path, sizeof(path), "%.255s/%.255s", m->ns, m->id);
	for (int i = 0; i < ps->n; i++)
		if (faccessat(ps->v[i].task, path, F_OK, 0) == 0)
			return true;
	return false;
}

bool ctd_is_docker_ns(const char *ns)
{
	return docker_is_ns(str_starts(ns, "plugins.") ? ns + strlen("plugins.") : ns);
}

#define CRI "annotations>io.kubernetes.cri."
enum { P_KIND, P_NAME, P_POD, P_POD_NS, P_IMAGE, P_NERDCTL, P_COUNT };
static const char *const picks[P_COUNT] = {
	[P_KIND] = CRI "container-type", [P_NAME] = CRI "container-name",
	[P_POD] = CRI "sandbox-name",	 [P_POD_NS] = CRI "sandbox-namespace",
	[P_IMAGE] = CRI "image-name",	 [P_NERDCTL] = "annotations>nerdctl/name",
};

/* The name, and which tool's container it is. */
static void fill_names(struct target *t, const struct slice *v, const char *ns)
{
	t->engine = "containerd";
	if (v[P_KIND].n) {
		t->engine = "cri";
		t->sandbox = jpick_is(v[P_KIND], "sandbox");
		t->name = t->sandbox ? strdup(SANDBOX_NAME) : jpick_str(v[P_NAME]);
		t->pod = jpick_str(v[P_POD]);
		t->pod_ns = jpick_str(v[P_POD_NS]);
		t->image = jpick_str(v[P_IMAGE]);
		return;
	}
	if (v[P_NERDCTL].n) {
		t->engine = "nerdctl";
		t->name = jpick_str(v[P_NERDCTL]);
	}
	t->pod_ns = strdup(ns);
}

/* When init started, as runc noted it: the third member of its state.json. */
static uint64_t start_of(const struct ctd *c, const char *ns, const char *id)
{
	char path[2 * NAME_MAX + 16], text[1024];
	const char *at;

	snprintf(path, sizeof(path), "%s/%s/state.json", ns, id);
	if (c->runc < 0 || file_read_small_at(c->runc, path, text, sizeof(text)) <= 0)
		return 0;
	at = strstr(text, "\"init_process_start\":");
	return at ? strtoull(at + 21, NULL, 10) : 0;
}

/* Its shim; a pod's containers share their sandbox's. */
static const struct monitor *monitor_for(struct look *l, const struct ctd *c, const char *ns,
					 const char *id)
{
	const struct monitor *m = scan_monitor_of(l, MONITOR_SHIM, id);
	size_t i = 0;

	while (!m && (m = scan_monitor(l, &i)))
		if (m->kind != MONITOR_SHIM || !str_eq(m->ns, ns) || m->uid != c->owner)
			m = NULL;
	return m;
}

static void fill_run(struct look *l, struct ctd *c, const char *ns, const char *id,
		     struct target *t)
{
	const struct monitor *m = c->nested ? monitor_for(l, c, ns, id) : NULL;
	char path[2 * NAME_MAX + 16];

	snprintf(path, sizeof(path), "%s/%s/init.pid", ns, id);
	t->pid = look_pid_file(c->task, path);
	if (t->pid && m)
		t->pid = scan_translate(l, m, t->pid);
	else
		t->start = start_of(c, ns, id);
	t->owner_uid = c->owner;
	t->owner = look_owner(l, c->owner);
	t->id = strdup(id);
	t->bundle = str_fmt("/%s/%s/%s", c->path, ns, id);
	t->data = c->root ? strdup(c->root) : NULL;
	t->state_file = str_fmt("/%s/%s", c->path, path);
	t->exit_code = -1;
	t->state = TARGET_RUNNING;
	if (!t->id || !t->state_file)
		return;
	if (!t->pid || !target_verify(l, t, NULL, NULL)) {
		t->pid = 0;
		t->state = TARGET_EXITED;
	}
}

/* One bundle. */
static int load(struct look *l, const struct want *w, struct ctd *c, const char *ns, const char *id,
		struct targets *out)
{
	struct target t = TARGET_INIT;
	struct slice text, v[P_COUNT];
	char path[2 * NAME_MAX + 16];
	bool sure = w->how != WANT_ALL && (want_id(w, id) || str_eq(w->text, SANDBOX_NAME));

	snprintf(path, sizeof(path), "%s/%s/config.json", ns, id);
	if (look_read(l, c->task, c->path, path, STATE_FILE_MAX, &text) < 0 ||
	    (!sure && !want_maybe(w, text)))
		return 0;
	if (jpick(text, picks, P_COUNT, v) < 0) {
		look_warn(l, "/%s/%s is damaged: skipped", c->path, path);
		return 0;
	}
	fill_names(&t, v, ns);
	fill_run(l, c, ns, id, &t);
	if (!t.id || !t.state_file) {
		target_done(&t);
		return -ENOMEM;
	}
	if (!t.image)
		t.image = ctd_image(c, ns, id);
	return want_take(w, out, &t, NULL);
}

static int load_ns(struct look *l, const struct want *w, struct ctd *c, const char *ns,
		   struct targets *out)
{
	_cleanup_dir_ DIR *d = NULL;
	unsigned left = DIR_ENTRIES_MAX;
	const char *id;
	int r = 0;

	if (w->how == WANT_EXACT && id_is_full(w->text)) {
		char path[2 * NAME_MAX + 2];

		snprintf(path, sizeof(path), "%s/%s", ns, w->text);
		return faccessat(c->task, path, F_OK, 0) == 0 ? load(l, w, c, ns, w->text, out) : 0;
	}
	d = look_opendir(l, c->task, ns);
	while (d && r == 0 && (id = look_entry(l, d, &left)))
		if (!w->ids || want_id(w, id))
			r = load(l, w, c, ns, id, out);
	return r;
}

static int load_place(struct look *l, const struct want *w, struct ctd *c, struct targets *out)
{
	_cleanup_dir_ DIR *d = look_opendir(l, c->task, ".");
	unsigned left = DIR_ENTRIES_MAX;
	const char *ns;
	int r = 0;

	while (d && r == 0 && (ns = look_entry(l, d, &left)))
		if (!ctd_is_docker_ns(ns))
			r = load_ns(l, w, c, ns, out);
	return r == 0 && w->stopped ? ctd_stopped(l, w, c, out) : r;
}

static int find(struct look *l, const struct want *w, struct targets *out)
{
	_cleanup_(places_done) struct places ps = {};
	int r = 0;

	default_places(l, &ps);
	for (int i = 0; i < ps.n && r == 0; i++)
		r = load_place(l, w, &ps.v[i], out);
	return r;
}

/* What a containerd that runs was told: as arguments, or in its configuration. */
struct daemon {
	int own;	    /* its root directory */
	char *root, *state; /* ROOT and STATE as it sees them; NULL: the usual */
	uid_t uid;
};

static void daemon_done(struct daemon *d)
{
	cleanup_close(&d->own);
	free(d->root);
	free(d->state);
}

/* The value of an argument, else of the configuration's key; a new string or NULL. */
static char *told(const char *args, size_t n, const char *option, const char *conf, const char *key)
{
	const char *value = proc_arg(args, n, option);

	return value ? strdup(value) : conf ? toml_str(conf, key) : NULL;
}

/* The next one, from *i = 0 on. False: there is none. */
static bool next_daemon(struct look *l, size_t *i, struct daemon *d)
{
	_cleanup_free_ char *args = malloc(CONF_MAX);
	const struct proc_stat *st;

	while (args && (st = scan_named(l, "containerd", i))) {
		struct proc_status who;
		struct slice text = {};
		const char *file;
		ssize_t n = proc_cmdline_read(l->roots->proc_fd, st->pid, args, CONF_MAX);

		daemon_done(d);
		*d = (struct daemon){.own = proc_link_open(l->roots->proc_fd, st->pid, "root")};
		if (d->own < 0 || n <= 0 ||
		    proc_status_read_at(l->roots->proc_fd, st->pid, &who) < 0)
			continue;
		file = proc_arg(args, (size_t)n, "-c") ?: proc_arg(args, (size_t)n, "--config");
		if (look_read(l, d->own, "", file ? file : "etc/containerd/config.toml", CONF_MAX,
			      &text) < 0)
			text.p = NULL;
		d->root = told(args, (size_t)n, "--root", text.p, "root");
		d->state = told(args, (size_t)n, "--state", text.p, "state");
		d->uid = who.euid;
		return true;
	}
	return false;
}

/* What the daemons that run say themselves: there may be no container of theirs that runs. */
static void places_from_daemons(struct look *l, struct places *ps)
{
	size_t i = 0;

	for (;;) {
		_cleanup_(daemon_done) struct daemon d = {.own = -EBADF};
		_cleanup_free_ char *task = NULL;

		if (!next_daemon(l, &i, &d))
			return;
		task = str_fmt("%s/" TASK_DIR, d.state ? d.state : "/run/containerd");
		if (task && (d.root || d.state))
			add_place(l, ps, look_dir(l, d.own, task), d.own, task + strspn(task, "/"),
				  d.root ? d.root : "var/lib/containerd", d.uid);
	}
}

/* By the shims, and the daemons: a containerd that keeps its state elsewhere. */
static int more(struct look *l, const struct want *w, struct targets *out)
{
	_cleanup_(places_done) struct places ps = {};
	const struct monitor *m;
	size_t i = 0;
	int r = 0, usual;

	if (!w->stopped && !scan_has_monitor(l, MONITOR_SHIM))
		return 0;
	default_places(l, &ps);
	usual = ps.n;
	if (w->stopped)
		places_from_daemons(l, &ps);
	while ((m = scan_monitor(l, &i)))
		if (m->kind == MONITOR_SHIM && !ctd_is_docker_ns(m->ns) && !known(&ps, m))
			place_from_shim(l, &ps, m);
	for (int k = usual; k < ps.n && r == 0; k++)
		r = load_place(l, w, &ps.v[k], out);
	return r;
}

/* ROOT of every containerd: the usual ones, and what those that run were told. */
static int list_places(struct look *l, struct target_places *out)
{
	int r = 0, root = l->root_fd;
	size_t at = 0;

	for (size_t i = 0; i < ARRAY_LEN(usual_places) && r == 0; i++)
		r = place_add(out, engine_containerd.name, look_dir(l, root, usual_places[i].data),
			      usual_places[i].data, 0);
	while (r == 0) {
		_cleanup_(daemon_done) struct daemon d = {.own = -EBADF};

		if (!next_daemon(l, &at, &d))
			break;
		if (d.root)
			r = place_add(out, engine_containerd.name, look_dir(l, d.own, d.root),
				      d.root, d.uid);
	}
	return r;
}

static const char *const others[] = {"cri", "nerdctl", NULL};
const struct engine engine_containerd = {
	.name = "containerd",
	.others = others,
	.find = find,
	.more = more,
	.places = list_places,
};

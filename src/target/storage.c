/*
 * containers/storage: podman, CRI-O and buildah keep GRAPH/DRIVER-containers/containers.json, and
 * the pid of what runs in RUN/DRIVER-containers/ID/userdata/pidfile.
 */
#include "target/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/toml.h"
#include "target/oci.h"
#include "target/scan.h"
#include "target/storage.h"

enum { PLACES_MAX = 64, CONF_MAX = 1 << 20 };

/* One GRAPH/DRIVER-containers. */
struct place {
	int data;   /* it */
	int run;    /* RUN/DRIVER-containers, -EBADF: none */
	char *path; /* of `data` */
	uid_t owner;
	bool nested; /* its pids are those of another pid namespace */
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
		cleanup_close(&p->data);
		cleanup_close(&p->run);
		free(p->path);
	}
}

/* GRAPH/NAME with RUN/NAME, both below `root`. */
static void add_place(struct look *l, struct places *ps, int root, const char *graph,
		      const char *run, const char *name, uid_t owner)
{
	_cleanup_free_ char *data_path = str_fmt("%s/%s", graph, name);
	_cleanup_free_ char *run_path = str_fmt("%s/%s", run, name);
	_cleanup_close_ int fd = -EBADF;
	struct place *p = &ps->v[ps->n];
	struct stat st;

	if (!data_path || !run_path || ps->n == PLACES_MAX)
		return;
	fd = look_dir(l, root, data_path);
	if (fd < 0 || fstat(fd, &st) < 0)
		return;
	for (int i = 0; i < ps->n; i++)
		if (ps->v[i].dev == st.st_dev && ps->v[i].ino == st.st_ino)
			return;
	*p = (struct place){.data = TAKE_FD(fd),
			    .run = look_dir(l, root, run_path),
			    .path = TAKE_PTR(data_path),
			    .owner = owner,
			    .dev = st.st_dev,
			    .ino = st.st_ino};
	ps->n++;
}

/* Every driver's directory below GRAPH. */
static void add_graph(struct look *l, struct places *ps, int root, const char *graph,
		      const char *run, uid_t owner)
{
	_cleanup_dir_ DIR *d = look_opendir(l, root, graph);
	unsigned left = DIR_ENTRIES_MAX;
	const char *name;

	while (d && (name = look_entry(l, d, &left)))
		if (str_ends(name, "-containers"))
			add_place(l, ps, root, graph, run, name, owner);
}

static void default_places(struct look *l, struct places *ps)
{
	int root = l->root_fd;
	const struct users *u = look_users(l);
	struct slice conf;

	add_graph(l, ps, root, "var/lib/containers/storage", "run/containers/storage", 0);
	if (look_read(l, root, "", "etc/containers/storage.conf", CONF_MAX, &conf) == 0) {
		_cleanup_free_ char *graph = toml_str(conf.p, "graphroot");
		_cleanup_free_ char *run = toml_str(conf.p, "runroot");

		if (graph && !str_eq(graph, "/var/lib/containers/storage"))
			add_graph(l, ps, root, graph, run ? run : "run/containers/storage", 0);
	}
	for (size_t i = 0; i < u->n; i++) {
		_cleanup_free_ char *run = str_fmt("%s/containers", u->v[i].run);
		_cleanup_free_ char *graph =
			u->v[i].home ? str_fmt("%s/.local/share/containers/storage", u->v[i].home)
				     : NULL;

		if (graph && run)
			add_graph(l, ps, root, graph, run, u->v[i].uid);
	}
}

/* "/X/storage/overlay-containers/ID/userdata/pidfile" cut before "overlay-containers" (returned),
 * and "overlay-containers" into *driver. NULL when it does not look so. */
static char *cut_storage(const char *path, const char *id, char **driver)
{
	_cleanup_free_ char *mark = str_fmt("-containers/%s/userdata", id);
	const char *p = mark && path ? strstr(path, mark) : NULL, *from = p;

	if (!p)
		return NULL;
	while (from > path && from[-1] != '/')
		from--;
	if (from <= path + 1)
		return NULL;
	free(*driver);
	*driver = strndup(from, (size_t)(p - from) + sizeof("-containers") - 1);
	return strndup(path, (size_t)(from - path) - 1);
}

/* The storage behind a conmon: its -b is the bundle, its -p the pidfile, seen from its own root. */
static void place_from_conmon(struct look *l, struct places *ps, const struct monitor *m)
{
	_cleanup_close_ int root = proc_link_open(l->roots->proc_fd, m->pid, "root");
	_cleanup_free_ char *driver = NULL, *graph = NULL, *run = NULL;
	int before;

	graph = cut_storage(proc_arg(m->args, m->len, "-b"), m->id, &driver);
	run = cut_storage(proc_arg(m->args, m->len, "-p"), m->id, &driver);
	if (root < 0 || !graph || !driver)
		return;
	before = ps->n;
	add_place(l, ps, root, graph, run ? run : "/nonexistent", driver, m->uid);
	if (ps->n > before)
		ps->v[before].nested = m->depth > 0;
}

static bool known(const void *places, const char *id)
{
	const struct places *ps = places;

	for (int i = 0; i < ps->n; i++)
		if (faccessat(ps->v[i].data, id, F_OK, 0) == 0)
			return true;
	return false;
}

/* The storage behind the bundle of a container whose conmon is gone. 0 or -ENOMEM. */
static int places_from_runtimes(struct look *l, struct places *ps)
{
	_cleanup_targets_ struct targets found = {};
	int r = oci_strangers(l, known, ps, &found);

	for (size_t i = 0; i < found.n; i++) {
		const struct target *t = &found.v[i];
		_cleanup_free_ char *driver = NULL, *graph = cut_storage(t->bundle, t->id, &driver);

		if (graph && driver)
			add_place(l, ps, l->root_fd, graph, "/nonexistent", driver, t->owner_uid);
	}
	return r;
}

/* Storage that is elsewhere: what the conmons lead to, then what the runtimes do. */
static int other_places(struct look *l, struct places *ps)
{
	const struct monitor *m;
	size_t i = 0;

	while ((m = scan_monitor(l, &i)))
		if (m->kind == MONITOR_CONMON && !known(ps, m->id))
			place_from_conmon(l, ps, m);
	return places_from_runtimes(l, ps);
}

enum { P_ID, P_NAMES, P_IMAGE_ID, P_META, P_CREATED, P_COUNT };
static const char *const picks[P_COUNT] = {"id", "names", "image", "metadata", "created"};

/* k8s_CTR_POD_NS_UID_ATTEMPT, as CRI-O names them: Kubernetes allows no '_' in its own names. */
static bool fill_k8s(struct target *t, const char *name)
{
	_cleanup_strv_ struct strv part = {};

	if (!str_starts(name, "k8s_") || strv_split(&part, name, "_") < 0 || part.n < 6)
		return false;
	t->engine = "crio";
	t->sandbox = str_eq(part.v[1], "POD");
	t->name = strdup(part.v[1]);
	t->pod = strdup(part.v[2]);
	t->pod_ns = strdup(part.v[3]);
	return t->name && t->pod && t->pod_ns;
}

/* PODID-infra, as podman names a pod's own container. */
static bool is_infra(const char *name)
{
	return strspn(name, "0123456789abcdef") == 12 && str_eq(name + 12, "-infra");
}

static char *first_name(struct slice names)
{
	struct slice elem;

	return jpick_next(&names, NULL, &elem) ? jpick_str(elem) : NULL;
}

/* What containers.json itself says. False when it cannot be a container's entry. */
static bool fill_entry(struct target *t, const struct slice *v)
{
	static const char *const meta_picks[] = {"image-name"};
	_cleanup_free_ char *meta = jpick_str(v[P_META]), *name = first_name(v[P_NAMES]);
	struct slice image = {};

	t->id = jpick_str(v[P_ID]);
	if (!t->id || !path_is_component(t->id))
		return false;
	t->engine = "podman";
	if (!name || !fill_k8s(t, name)) {
		t->name = name ? TAKE_PTR(name) : strdup(t->id);
		t->sandbox = t->name && is_infra(t->name);
	}
	t->image_id = jpick_str(v[P_IMAGE_ID]);
	t->created = jpick_time(v[P_CREATED]);
	t->exit_code = -1;
	if (meta && jpick((struct slice){meta, strlen(meta)}, meta_picks, 1, &image) == 0)
		t->image = jpick_str(image);
	return t->name;
}

/* The pod's name is its infra container's host name; a member says which one that is in its bundle.
 */
static void fill_pod(struct look *l, const struct place *p, struct target *t)
{
	static const char *const bundle_picks[] = {"annotations>io.kubernetes.cri-o.SandboxID",
						   "hostname"};
	_cleanup_free_ char *infra = NULL;
	struct slice text, v[2];
	char path[NAME_MAX + 32];

	snprintf(path, sizeof(path), "%s/userdata/config.json", t->id);
	if (look_read(l, p->data, p->path, path, STATE_FILE_MAX, &text) < 0 ||
	    jpick(text, bundle_picks, 2, v) < 0)
		return;
	infra = jpick_str(v[0]);
	if (infra && path_is_component(infra) && !str_eq(infra, t->id)) {
		snprintf(path, sizeof(path), "%s/userdata/config.json", infra);
		if (look_read(l, p->data, p->path, path, STATE_FILE_MAX, &text) < 0 ||
		    jpick(text, bundle_picks, 2, v) < 0)
			return;
	}
	if (infra || t->sandbox)
		t->pod = jpick_str(v[1]);
}

/* Whether it runs, and where its files are. */
static void fill_run(struct look *l, const struct place *p, struct target *t)
{
	const struct monitor *m = p->nested ? scan_monitor_of(l, MONITOR_CONMON, t->id) : NULL;
	char path[NAME_MAX + 32];

	snprintf(path, sizeof(path), "%s/userdata/pidfile", t->id);
	t->pid = p->run >= 0 ? look_pid_file(p->run, path) : 0;
	if (t->pid && m)
		t->pid = scan_translate(l, m, t->pid);
	t->owner_uid = p->owner;
	t->owner = look_owner(l, p->owner);
	t->state_file = str_fmt("%s%s/containers.json", *p->path == '/' ? "" : "/", p->path);
	t->bundle = str_fmt("%s%s/%s/userdata", *p->path == '/' ? "" : "/", p->path, t->id);
	t->state = TARGET_RUNNING;
	/* a pid file stays when its container ends */
	if (t->pid && t->state_file && target_verify(l, t, NULL, NULL))
		return;
	/* its conmon may have been killed, and a rootless one's cgroup need not tell */
	if (!p->nested && t->state_file && oci_runs(l, t))
		return;
	t->pid = 0;
	snprintf(path, sizeof(path), "%s/userdata/config.json", t->id);
	t->state = faccessat(p->data, path, F_OK, 0) == 0 ? TARGET_EXITED : TARGET_CREATED;
	if (t->state == TARGET_CREATED) {
		snprintf(path, sizeof(path), "%s/userdata/buildah.json", t->id);
		if (faccessat(p->data, path, F_OK, 0) == 0)
			t->engine = "buildah";
	}
}

/* Whether the entry's text can be it: the pod's name is elsewhere. */
static bool maybe(const struct want *w, struct slice elem, bool pods)
{
	struct want plain = {.how = w->how, .text = w->text};

	return (w->how == WANT_PREFIX && pods) || want_maybe(&plain, elem);
}

static int load_entry(struct look *l, const struct want *w, const struct place *p,
		      struct slice elem, bool pods, struct targets *out)
{
	struct target t = TARGET_INIT;
	struct slice v[P_COUNT];

	if (!maybe(w, elem, pods) || jpick(elem, picks, P_COUNT, v) < 0 || !fill_entry(&t, v)) {
		target_done(&t);
		return 0;
	}
	/* pidfile and bundle only of what still can be it */
	if (w->how != WANT_ALL && !want_id(w, t.id) && !str_eq(t.name, w->text) &&
	    !(w->how == WANT_PREFIX && pods)) {
		target_done(&t);
		return 0;
	}
	fill_run(l, p, &t);
	if (pods && !t.pod)
		fill_pod(l, p, &t);
	if (t.state == TARGET_EXITED)
		storage_exit(l, p->data, p->path, &t);
	return want_take(w, out, &t, NULL);
}

static int load_list(struct look *l, const struct want *w, const struct place *p, const char *file,
		     struct targets *out)
{
	_cleanup_free_ char *keep = NULL;
	struct slice text, elem;
	bool pods;
	int r;

	if (look_read(l, p->data, p->path, file, STATE_LIST_MAX, &text) < 0)
		return 0;
	pods = memmem(text.p, text.n, "-infra\"", 7);
	if (!pods && !maybe(w, text, false))
		return 0;
	keep = look_keep(l);
	while (text.n && strchr(" \n\t\r", text.p[text.n - 1]))
		text.n--;
	while (jpick_next(&text, NULL, &elem)) {
		r = load_entry(l, w, p, elem, pods, out);
		if (r < 0)
			return r;
	}
	if (text.p)
		look_warn(l, "%s%s/%s is damaged: the rest of it was skipped",
			  *p->path == '/' ? "" : "/", p->path, file);
	return 0;
}

static int load_place(struct look *l, const struct want *w, const struct place *p,
		      struct targets *out)
{
	static const char *const files[] = {"containers.json", "volatile-containers.json"};
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(files) && r == 0; i++)
		r = load_list(l, w, p, files[i], out);
	return r;
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

static int more(struct look *l, const struct want *w, struct targets *out)
{
	_cleanup_(places_done) struct places ps = {};
	int r, usual;

	default_places(l, &ps);
	usual = ps.n;
	r = other_places(l, &ps);
	for (int k = usual; k < ps.n && r == 0; k++)
		r = load_place(l, w, &ps.v[k], out);
	return r;
}

static int list_places(struct look *l, struct target_places *out)
{
	_cleanup_(places_done) struct places ps = {};
	int r;

	default_places(l, &ps);
	r = other_places(l, &ps);
	for (struct place *p = ps.v; p < ps.v + ps.n && r == 0; p++) {
		const char *end = strrchr(p->path, '/');
		_cleanup_free_ char *graph = strndup(p->path, end ? (size_t)(end - p->path) : 0);

		r = graph ? place_add(out, engine_podman.name,
				      openat(p->data, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
				      graph, p->owner)
			  : -ENOMEM;
	}
	return r;
}

static const char *const others[] = {"crio", "buildah", NULL};
const struct engine engine_podman = {
	.name = "podman",
	.others = others,
	.find = find,
	.more = more,
	.places = list_places,
};

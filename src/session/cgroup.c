#include "session/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "session/wire.h"
#include "sys/cgroup.h"

#define CGROUP_NAME "porthole-"
#define NEEDS_NONE  "with --cgroup host, and without limits, it needs none"

enum { PERIOD_US = 100000, PROCS_MAX = 16 << 20, END_TRIES = 1000, REMOVE_TRIES = 4000 };

static const char *const controllers[SESSION_CONTROLLERS] = {"memory", "pids", "cpu"};

static int read_hiers(struct cgroup_hiers *hiers, struct err *e)
{
	_cleanup_close_ int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = self < 0 ? -errno : cgroup_hiers_read(self, hiers);

	return r < 0 ? err_set(e, r, "finding where the cgroups are mounted") : 0;
}

static int add_procs(struct session_cgroup *c, int dir, struct err *e)
{
	int *procs = reallocarray(c->procs, c->n + 1, sizeof(int));

	if (!procs)
		return err_set(e, ENOMEM, "opening a cgroup");
	c->procs = procs;
	procs[c->n] = openat(dir, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	if (procs[c->n] < 0)
		return err_set(e, errno, "opening cgroup.procs to enter a cgroup");
	c->n++;
	return 0;
}

static int open_target(struct session_cgroup *c, const struct plan *p,
		       const struct cgroup_hiers *hiers, struct err *e)
{
	for (size_t i = 0; i < hiers->n; i++) {
		_cleanup_free_ char *path = cgroup_path_read(p->target->proc_fd, &hiers->v[i]);
		_cleanup_close_ int dir = path ? cgroup_open(&hiers->v[i], path) : -ENOENT;
		int r;

		if (!path)
			continue;
		if (dir < 0)
			return err_set(e, dir, "opening the cgroup %s of '%s' below %s", path,
				       p->label, hiers->v[i].mount);
		r = add_procs(c, dir, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int write_file(int dir, const char *file, const char *text)
{
	_cleanup_close_ int fd = openat(dir, file, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));
}

/* One limit: its value as text in the words of version 1 or 2. */
static int set_limit(const struct cgroup_hier *h, int dir, const char *controller,
		     const struct limits *l, struct err *e)
{
	char text[64];
	int r = 0;

	if (str_eq(controller, "memory") && l->memory) {
		snprintf(text, sizeof(text), "%llu", (unsigned long long)l->memory);
		r = write_file(dir, h->v2 ? "memory.max" : "memory.limit_in_bytes", text);
	} else if (str_eq(controller, "pids") && l->pids) {
		snprintf(text, sizeof(text), "%llu", (unsigned long long)l->pids);
		r = write_file(dir, "pids.max", text);
	} else if (str_eq(controller, "cpu") && l->cpus > 0) {
		long quota = (long)(l->cpus * PERIOD_US);

		snprintf(text, sizeof(text), h->v2 ? "%ld %d" : "%ld", quota, PERIOD_US);
		r = write_file(dir, h->v2 ? "cpu.max" : "cpu.cfs_quota_us", text);
	}
	return r < 0 ? err_set(e, r, "setting the %s limit of the session's cgroup", controller)
		     : 0;
}

static bool is_limited(const struct limits *l, const char *controller)
{
	return (str_eq(controller, "memory") && l->memory) ||
	       (str_eq(controller, "pids") && l->pids) ||
	       (str_eq(controller, "cpu") && l->cpus > 0);
}

/* The new cgroup's parent: our own on version 1; on version 2 the top, since only a cgroup without
 * processes of its own may hand controllers down (cgroups(7), "no internal processes"). */
static int open_parent(const struct cgroup_hier *h)
{
	_cleanup_close_ int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *path = h->v2 ? strdup("/") : cgroup_path_read(self, h);
	int fd = path ? cgroup_open(h, path) : -ENOENT;

	return fd < 0 ? open(h->mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : fd;
}

static int hand_down(int parent, const char *controller, bool on)
{
	char text[32];

	snprintf(text, sizeof(text), "%c%s", on ? '+' : '-', controller);
	return write_file(parent, "cgroup.subtree_control", text);
}

/* A version 2 cgroup has the controller, and its children have not: a host without systemd. */
static bool keeps_to_itself(int parent, const char *controller)
{
	char has[1024], gives[1024];

	return file_read_small_at(parent, "cgroup.controllers", has, sizeof(has)) > 0 &&
	       file_read_small_at(parent, "cgroup.subtree_control", gives, sizeof(gives)) >= 0 &&
	       str_has_word(has, controller) && !str_has_word(gives, controller);
}

/* Where the session's cgroup will be for each controller; nothing is made yet. */
static int find_parents(struct session_cgroup *c, const struct plan *p,
			const struct cgroup_hiers *hiers, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(controllers); i++) {
		const struct cgroup_hier *h = cgroup_find(hiers, controllers[i]);

		c->parent[i] = h ? open_parent(h) : -EBADF;
		if (c->parent[i] < 0 && is_limited(&p->limits, controllers[i]))
			return err_say(e, ENOTSUP,
				       "this host has no cgroup controller '%s' to limit with",
				       controllers[i]);
		c->hand_down[i] = c->parent[i] >= 0 && h->v2 &&
				  is_limited(&p->limits, controllers[i]) &&
				  keeps_to_itself(c->parent[i], controllers[i]);
	}
	return 0;
}

static int make_in(struct session_cgroup *c, const struct plan *p, const struct cgroup_hiers *hiers,
		   size_t i, struct err *e)
{
	const struct cgroup_hier *h = cgroup_find(hiers, controllers[i]);
	_cleanup_close_ int dir = -EBADF;
	bool made;
	int r;

	if (c->parent[i] < 0)
		return 0;
	if (c->hand_down[i] && (r = hand_down(c->parent[i], controllers[i], true)) < 0)
		return err_set(e, r, "enabling the cgroup controller '%s' below %s", controllers[i],
			       h->mount);
	made = mkdirat(c->parent[i], c->name, 0755) == 0;
	if (!made && errno != EEXIST) { /* EEXIST: controllers that share a hierarchy */
		err_set(e, errno, "making a cgroup below %s", h->mount);
		if (e->num == EACCES || e->num == EPERM)
			err_hint(e, "without root there is no cgroup of its own, and no limit: run "
				    "with sudo, or leave out --cgroup own and the limits");
		else
			err_hint(e, NEEDS_NONE);
		return -e->num;
	}
	dir = openat(c->parent[i], c->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_set(e, errno, "opening the session's cgroup");
	r = made ? add_procs(c, dir, e) : 0;
	return r < 0 ? r : set_limit(h, dir, controllers[i], &p->limits, e);
}

/* Kill what is in the cgroup now. How many there were. */
static size_t kill_all(int dir)
{
	_cleanup_free_ char *pids = NULL;
	_cleanup_close_ int fd = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	char *save = NULL;
	size_t n = 0;

	write_file(dir, "pids.max", "0"); /* nothing forks any more, where pids are counted */
	write_file(dir, "cgroup.kill", "1");
	if (fd < 0 || fd_read_all(fd, PROCS_MAX, &pids, NULL) < 0)
		return 0;
	for (char *s = strtok_r(pids, "\n", &save); s; s = strtok_r(NULL, "\n", &save), n++)
		kill(atoi(s), SIGKILL);
	return n;
}

/* Kill what is still in the cgroup below `parent` and remove it; true when it is gone. */
static bool remove_one(int parent, const char *name)
{
	_cleanup_close_ int dir = -EBADF;

	if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return true;
	dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0)
		kill_all(dir);
	return dir < 0 && errno == ENOENT; /* removing says EROFS of one that is not there, too */
}

bool session_cgroup_end(int proc_dir, const char *cookie)
{
	_cleanup_cgroup_hiers_ struct cgroup_hiers hiers = {};
	int dirs[SESSION_CONTROLLERS];
	size_t left = 1, found = 0;

	if (read_hiers(&hiers, NULL) < 0)
		return false;
	for (size_t i = 0; i < SESSION_CONTROLLERS; i++) {
		const struct cgroup_hier *h = cgroup_find(&hiers, controllers[i]);
		_cleanup_free_ char *path = !h	    ? NULL
					    : h->v2 ? strdup("")
						    : cgroup_path_read(proc_dir, h);
		_cleanup_free_ char *own =
			path ? str_fmt("%s/" CGROUP_NAME "%s", path, cookie) : NULL;

		dirs[i] = own ? cgroup_open(h, own) : -EBADF;
		found += dirs[i] >= 0;
	}
	for (int tries = 0; tries < END_TRIES && left; tries++) {
		left = 0;
		for (size_t i = 0; i < SESSION_CONTROLLERS; i++)
			left += dirs[i] < 0 ? 0 : kill_all(dirs[i]);
		if (left)
			nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	for (size_t i = 0; i < SESSION_CONTROLLERS; i++)
		cleanup_close(&dirs[i]);
	return found && !left;
}

/* Another session's is still there. */
static bool is_shared(int parent)
{
	_cleanup_dir_ DIR *d = dir_open(parent, ".");
	struct dirent *de;

	if (!d)
		return true;
	while ((de = readdir(d)))
		if (str_starts(de->d_name, CGROUP_NAME))
			return true;
	return false;
}

uint64_t session_cgroup_oom(const struct session_cgroup *c)
{
	uint64_t n = 0;

	for (size_t i = 0; i < SESSION_CONTROLLERS && *c->name; i++) {
		_cleanup_close_ int dir =
			c->parent[i] < 0
				? -EBADF
				: openat(c->parent[i], c->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (dir >= 0 && cgroup_key(dir, "memory.events", "oom_kill", &n) < 0)
			cgroup_key(dir, "memory.oom_control", "oom_kill", &n);
	}
	return n;
}

void session_cgroup_remove(const struct session_cgroup *c)
{
	int tries = 0; /* for all: a process that is killed may take seconds on a busy machine */

	for (size_t i = 0; i < SESSION_CONTROLLERS; i++)
		while (c->parent[i] >= 0 && !remove_one(c->parent[i], c->name) &&
		       tries++ < REMOVE_TRIES)
			nanosleep(&(struct timespec){.tv_nsec = 2500000}, NULL);
	for (size_t i = 0; i < SESSION_CONTROLLERS; i++)
		if (c->hand_down[i] && !is_shared(c->parent[i]))
			hand_down(c->parent[i], controllers[i], false);
}

static int make_all(struct session_cgroup *c, const struct plan *p, struct err *e)
{
	_cleanup_cgroup_hiers_ struct cgroup_hiers hiers = {};
	int r = 0;

	if (p->cgroup != CGROUP_OWN)
		return 0;
	r = read_hiers(&hiers, e);
	for (size_t i = 0; i < SESSION_CONTROLLERS && r == 0; i++)
		r = make_in(c, p, &hiers, i, e);
	if (r == 0 && c->n == 0) {
		r = err_say(e, ENOTSUP, "this host has no cgroups to make one in");
		err_hint(e, NEEDS_NONE);
	}
	return r;
}

int session_cgroup_give(struct session_cgroup *c, const struct plan *p, int sock, struct err *e)
{
	const struct wire_msg m = {.type = WIRE_CGROUP};
	int r = make_all(c, p, e);

	for (size_t i = 0; i < c->n && r == 0; i++)
		wire_send(sock, &m, c->procs[i]);
	return r;
}

int session_cgroup_open(struct session_cgroup *c, const struct plan *p, struct err *e)
{
	_cleanup_cgroup_hiers_ struct cgroup_hiers hiers = {};
	int r;

	if (p->cgroup == CGROUP_HOST)
		return 0;
	r = read_hiers(&hiers, e);
	if (r < 0)
		return r;
	if (p->cgroup == CGROUP_TARGET)
		return open_target(c, p, &hiers, e);
	snprintf(c->name, sizeof(c->name), CGROUP_NAME "%s", p->cookie);
	return find_parents(c, p, &hiers, e);
}

void session_cgroup_done(struct session_cgroup *c)
{
	for (size_t i = 0; i < c->n; i++)
		cleanup_close(&c->procs[i]);
	free(c->procs);
	session_cgroup_remove(c);
	for (size_t i = 0; i < SESSION_CONTROLLERS; i++)
		cleanup_close(&c->parent[i]);
	*c = SESSION_CGROUP_INIT;
}

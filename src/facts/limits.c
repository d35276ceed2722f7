/* Limits and what is used of them, from version 1 and version 2 control groups. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/fd.h"
#include "facts/facts.h"
#include "sys/cgroup.h"

enum { DEPTH_MAX = 32 };

/* One controller's view: its hierarchy and the target's cgroup in it (path NULL: none of its own).
 */
struct place {
	const struct cgroup_hier *h;
	char *path; /* borrowed */
	int dir;
};

static void place_done(struct place *p)
{
	cleanup_close(&p->dir);
}
#define _cleanup_place_ _cleanup_(place_done)

static struct place place_of(const struct cgroup_hiers *all, const struct facts_limits *l,
			     const char *controller)
{
	struct place p = {.h = cgroup_find(all, controller), .dir = -EBADF};

	for (size_t i = 0; p.h && i < l->n_paths; i++)
		if (l->paths[i].own && str_eq(l->paths[i].names, p.h->names))
			p.path = l->paths[i].path;
	if (p.path)
		p.dir = cgroup_open(p.h, p.path);
	return p;
}

static int paths_read(const struct target *t, int self, const struct cgroup_hiers *all,
		      struct facts_limits *l)
{
	l->paths = calloc(all->n + 1, sizeof(*l->paths));
	if (!l->paths)
		return -ENOMEM;
	for (size_t i = 0; i < all->n; i++) {
		_cleanup_free_ char *ours = cgroup_path_read(self, &all->v[i]);
		struct fact_cgroup_path *p = &l->paths[l->n_paths];

		p->path = cgroup_path_read(t->proc_fd, &all->v[i]);
		if (!p->path)
			continue;
		cgroup_cut_init(p->path);
		p->own = !str_eq(p->path, "/") && !str_eq(p->path, ours);
		p->names = strdup(all->v[i].names);
		l->n_paths++;
		if (!p->names)
			return -ENOMEM;
	}
	return 0;
}

/* The tightest limit from the target's cgroup up to the root of the hierarchy: a pod's, a slice's.
 */
static int limit_read(const struct place *p, const char *used_file, const char *limit_file,
		      struct fact_limit *l)
{
	_cleanup_free_ char *path = strdup(p->path);

	*l = (struct fact_limit){.limit = CGROUP_NONE};
	if (!path)
		return -ENOMEM;
	if (cgroup_u64(p->dir, used_file, &l->used) < 0)
		return 0;
	l->known = true;
	l->counted = l->used;
	for (int depth = 0; depth < DEPTH_MAX; depth++) {
		_cleanup_close_ int dir = cgroup_open(p->h, path);
		uint64_t limit, used;
		char *slash;

		if (dir >= 0 && cgroup_u64(dir, limit_file, &limit) == 0 && limit < l->limit &&
		    cgroup_u64(dir, used_file, &used) == 0) {
			l->limit = limit;
			l->counted = used;
			free(l->at);
			l->at = depth ? strdup(*path ? path : "/") : NULL;
			if (depth && !l->at)
				return -ENOMEM;
		}
		slash = strrchr(path, '/');
		if (!slash || !*path || str_eq(path, "/"))
			break;
		*slash = '\0';
	}
	return 0;
}

/* File cache that can be dropped at once is not really used: docker stats and kubectl top subtract
 * it too. */
static uint64_t without_cache(int dir, bool v2, uint64_t used, uint64_t *cache)
{
	uint64_t n = 0;

	if (dir < 0 ||
	    cgroup_key(dir, "memory.stat", v2 ? "inactive_file" : "total_inactive_file", &n) < 0 ||
	    n > used)
		n = 0;
	if (cache)
		*cache = n;
	return used - n;
}

static int memory_read(const struct cgroup_hiers *all, struct facts_limits *l)
{
	_cleanup_place_ struct place p = place_of(all, l, "memory");
	uint64_t with_swap, counted;
	int r;

	if (p.dir < 0)
		return 0;
	r = limit_read(&p, p.h->v2 ? "memory.current" : "memory.usage_in_bytes",
		       p.h->v2 ? "memory.max" : "memory.limit_in_bytes", &l->memory);
	if (r < 0 || !l->memory.known)
		return r;
	counted = l->memory.counted;
	l->memory.used = without_cache(p.dir, p.h->v2, l->memory.used, &l->cache);
	l->memory.counted = l->memory.used;
	if (l->memory.at) {
		_cleanup_close_ int dir = cgroup_open(p.h, l->memory.at);

		l->memory.counted = without_cache(dir, p.h->v2, counted, NULL);
	}
	l->swap_limit = CGROUP_NONE;
	if (p.h->v2) {
		cgroup_u64(p.dir, "memory.swap.current", &l->swap);
		cgroup_u64(p.dir, "memory.swap.max", &l->swap_limit);
		cgroup_key(p.dir, "memory.events", "oom_kill", &l->oom_kills);
		return 0;
	}
	cgroup_key(p.dir, "memory.stat", "total_swap", &l->swap);
	if (cgroup_u64(p.dir, "memory.memsw.limit_in_bytes", &with_swap) == 0 &&
	    with_swap != CGROUP_NONE && with_swap >= l->memory.limit)
		l->swap_limit = with_swap - l->memory.limit;
	cgroup_key(p.dir, "memory.oom_control", "oom_kill", &l->oom_kills);
	return 0;
}

static int pids_read(const struct cgroup_hiers *all, struct facts_limits *l)
{
	_cleanup_place_ struct place p = place_of(all, l, "pids");

	if (p.dir < 0)
		return 0;
	return limit_read(&p, "pids.current", "pids.max", &l->pids);
}

/* "max 100000" or "50000 100000": quota and period in microseconds. */
static double cpu_max(int dir, bool v2)
{
	uint64_t quota, period;
	char text[64];
	long long q, p;

	if (v2) {
		if (file_read_small_at(dir, "cpu.max", text, sizeof(text)) <= 0 ||
		    sscanf(text, "%lld %lld", &q, &p) != 2 || q <= 0 || p <= 0)
			return 0;
		return (double)q / (double)p;
	}
	if (cgroup_u64(dir, "cpu.cfs_quota_us", &quota) < 0 || quota == CGROUP_NONE ||
	    cgroup_u64(dir, "cpu.cfs_period_us", &period) < 0 || !period)
		return 0;
	return (double)quota / (double)period;
}

static void cpu_read(const struct cgroup_hiers *all, struct facts_limits *l)
{
	_cleanup_place_ struct place p = place_of(all, l, "cpu");
	_cleanup_place_ struct place acct = place_of(all, l, "cpuacct");
	_cleanup_place_ struct place set = place_of(all, l, "cpuset");
	_cleanup_free_ char *path = p.path ? strdup(p.path) : NULL;
	uint64_t ns;

	if (p.dir >= 0 && path) {
		l->cpu_known =
			faccessat(p.dir, p.h->v2 ? "cpu.max" : "cpu.cfs_quota_us", F_OK, 0) == 0;
		if (l->cpu_known)
			for (int depth = 0; depth < DEPTH_MAX && *path; depth++) {
				_cleanup_close_ int dir = cgroup_open(p.h, path);
				double cpus = dir >= 0 ? cpu_max(dir, p.h->v2) : 0;

				if (cpus > 0 && (l->cpus <= 0 || cpus < l->cpus))
					l->cpus = cpus;
				*strrchr(path, '/') = '\0';
			}
		cgroup_key(p.dir, "cpu.stat", "nr_periods", &l->periods);
		cgroup_key(p.dir, "cpu.stat", "nr_throttled", &l->throttled);
		cgroup_key(p.dir, "cpu.stat", "usage_usec", &l->cpu_usec);
	}
	if (acct.dir >= 0 && !acct.h->v2 && cgroup_u64(acct.dir, "cpuacct.usage", &ns) == 0)
		l->cpu_usec = ns / 1000;
	if (set.dir >= 0 &&
	    file_read_small_at(set.dir, "cpuset.cpus", l->cpuset, sizeof(l->cpuset)) > 0)
		l->cpuset[strcspn(l->cpuset, "\n")] = '\0';
}

static void frozen_read(const struct cgroup_hiers *all, struct facts_limits *l)
{
	_cleanup_place_ struct place p = place_of(all, l, "freezer");
	_cleanup_place_ struct place v2 = place_of(all, l, "");
	char text[32];
	uint64_t n;

	if (p.dir >= 0 && !p.h->v2 &&
	    file_read_small_at(p.dir, "freezer.state", text, sizeof(text)) > 0)
		l->frozen = str_starts(text, "FROZEN");
	if (v2.dir >= 0 && cgroup_key(v2.dir, "cgroup.events", "frozen", &n) == 0 && n)
		l->frozen = true;
}

/* v2: "8:0 rbytes=1 wbytes=2 ..." a line a device; v1: "8:0 Read 1", "8:0 Write 2". */
static void io_read(const struct cgroup_hiers *all, struct facts_limits *l)
{
	_cleanup_place_ struct place p = place_of(all, l, "blkio");
	_cleanup_place_ struct place io = place_of(all, l, "io");
	char text[8192];
	const char *files[] = {"io.stat", "blkio.throttle.io_service_bytes_recursive"};
	const struct place *from = p.dir >= 0 && !p.h->v2 ? &p : &io;

	if (from->dir < 0 ||
	    file_read_small_at(from->dir, files[!from->h->v2], text, sizeof(text)) <= 0)
		return;
	for (const char *line = text; *line;) {
		unsigned long long a, b;
		char op[16];

		if (sscanf(line, "%*s rbytes=%llu wbytes=%llu", &a, &b) == 2) {
			l->io_read += a;
			l->io_written += b;
		} else if (sscanf(line, "%*s %15[A-Z a-z] %llu", op, &a) == 2) {
			l->io_read += str_eq(op, "Read ") || str_eq(op, "Read") ? a : 0;
			l->io_written += str_eq(op, "Write ") || str_eq(op, "Write") ? a : 0;
		}
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
}

int facts_limits_read(const struct target_roots *r, const struct target *t, struct facts *f)
{
	_cleanup_cgroup_hiers_ struct cgroup_hiers all = {};
	_cleanup_close_ int self = openat(r->proc_fd, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int err = self < 0 ? -errno : cgroup_hiers_read(self, &all);

	if (err == 0)
		err = paths_read(t, self, &all, &f->limits);
	if (err == 0)
		err = memory_read(&all, &f->limits);
	if (err == 0)
		err = pids_read(&all, &f->limits);
	if (err < 0)
		return err;
	cpu_read(&all, &f->limits);
	frozen_read(&all, &f->limits);
	io_read(&all, &f->limits);
	return 0;
}

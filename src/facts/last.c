#include "facts/last.h"

#include <fcntl.h>
#include <stdio.h>
#include <time.h>

#include "base/fd.h"
#include "sys/cgroup.h"

void last_done(struct last *l)
{
	facts_done(&l->f);
	cleanup_close(&l->mem);
	*l = LAST_INIT;
}

int64_t last_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void last_count(struct last *l)
{
	uint64_t n;

	if (l->mem < 0)
		return;
	if (cgroup_u64(l->mem, l->v2 ? "memory.peak" : "memory.max_usage_in_bytes", &n) == 0)
		l->peak = n;
	if (cgroup_key(l->mem, l->v2 ? "memory.events" : "memory.oom_control", "oom_kill", &n) ==
	    0) {
		l->oom_known = true;
		l->oom = n;
	}
}

/* "Max core file size     0    unlimited    bytes" */
static void core_limit(struct last *l, int proc_fd)
{
	char text[4096], soft[32];
	const char *line;

	if (file_read_small_at(proc_fd, "limits", text, sizeof(text)) <= 0)
		return;
	line = strstr(text, "Max core file size");
	if (!line || sscanf(line, "Max core file size %31s", soft) != 1)
		return;
	l->core_limit_known = true;
	l->core_limit = str_eq(soft, "unlimited") ? UINT64_MAX : strtoull(soft, NULL, 10);
}

static void open_memory(struct last *l, const struct target_roots *r, const struct target *t)
{
	_cleanup_cgroup_hiers_ struct cgroup_hiers all = {};
	_cleanup_close_ int self = openat(r->proc_fd, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const struct cgroup_hier *h = NULL;
	_cleanup_free_ char *path = NULL, *ours = NULL;

	if (self >= 0 && cgroup_hiers_read(self, &all) == 0)
		h = cgroup_find(&all, "memory");
	path = h ? cgroup_path_read(t->proc_fd, h) : NULL;
	ours = h ? cgroup_path_read(self, h) : NULL;
	if (!path || str_eq(path, "/") || str_eq(path, ours))
		return;
	cgroup_cut_init(path);
	l->v2 = h->v2;
	l->mem = cgroup_open(h, path);
}

int last_open(struct last *l, const struct target_roots *r, const struct target *t)
{
	open_memory(l, r, t);
	last_count(l);
	l->oom_before = l->oom;
	return last_look(l, r, t);
}

int last_look(struct last *l, const struct target_roots *r, const struct target *t)
{
	int64_t start = last_now();
	struct facts f = {};
	int err = facts_ns_read(r, t, &f);

	if (err == 0)
		err = facts_procs_read(r, t, &f);
	if (err == 0)
		err = facts_limits_read(r, t, &f);
	if (err == 0 && f.limits.n_paths == 0)
		err = -ESRCH; /* it ended while it was looked at */
	if (err < 0) {
		facts_done(&f);
		return err == -ENOMEM ? err : -ESRCH;
	}
	facts_done(&l->f);
	l->f = f;
	l->at = last_now();
	l->cost = l->at - start;
	core_limit(l, t->proc_fd);
	file_read_small_at(r->proc_fd, "sys/kernel/core_pattern", l->core_pattern,
			   sizeof(l->core_pattern));
	l->core_pattern[strcspn(l->core_pattern, "\n")] = '\0';
	last_count(l);
	return 0;
}

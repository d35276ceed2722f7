#include "facts/last.h"

#include <fcntl.h>
#include <stdio.h>
#include <time.h>

#include "base/fd.h"
#include "sys/cgroup.h"
#include "sys/kmsg.h"

enum { MESSAGES_MAX = 100000 };

void last_done(struct last *l)
{
	facts_done(&l->f);
	cleanup_close(&l->mem);
	cleanup_close(&l->kmsg);
	free(l->mem_path);
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

/* "oom-kill:constraint=...,task_memcg=/docker/ID,task=sh,pid=12,uid=0": a cgroup may have any name,
 * but that of a process comes after it. */
static bool is_oom_of(const struct last *l, const char *text, pid_t *pid)
{
	_cleanup_free_ char *mark = str_fmt(",task_memcg=%s,task=", l->mem_path ? l->mem_path : "");
	const char *p = mark && str_starts(text, "oom-kill:") ? strstr(text, mark) : NULL;
	const char *q = NULL;

	if (!p)
		return false;
	for (p = strstr(p, ",pid="); p; p = strstr(p + 1, ",pid="))
		q = p; /* the last: names may look like it */
	*pid = q ? atoi(q + strlen(",pid=")) : 0;
	return true;
}

void last_message(struct last *l, pid_t pid, const char *text)
{
	char mark[32];
	pid_t killed;

	if (is_oom_of(l, text, &killed)) {
		l->oom_told++;
		l->oom_first_told = l->oom_first_told || killed == pid;
		return;
	}
	snprintf(mark, sizeof(mark), "[%d]", (int)pid);
	if (!l->told[0] && strstr(text, mark) && !str_starts(text, "["))
		snprintf(l->told, sizeof(l->told), "%s", text);
}

void last_told(struct last *l, const struct target *t)
{
	char text[512];

	for (int left = MESSAGES_MAX; l->kmsg >= 0 && left > 0; left--) {
		if (kmsg_next(l->kmsg, text, sizeof(text)) == 0)
			return;
		last_message(l, t->pid, text);
	}
}

/* "Max core file size     0    unlimited    bytes" */
static void core_limit(struct last *l, int proc_fd)
{
	char text[4096], soft[32];
	const char *line;

	if (file_read_small_at(proc_fd, "limits", text, sizeof(text)) <= 0)
		return;
	line = str_field(text, "Max core file size");
	if (!line || sscanf(line, "%31s", soft) != 1)
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

	l->kmsg = kmsg_open();
	if (self >= 0 && cgroup_hiers_read(self, &all) == 0)
		h = cgroup_find(&all, "memory");
	path = h ? cgroup_path_read(t->proc_fd, h) : NULL;
	ours = h ? cgroup_path_read(self, h) : NULL;
	if (!path || str_eq(path, "/") || str_eq(path, ours))
		return;
	cgroup_cut_init(path);
	l->v2 = h->v2;
	l->mem = cgroup_open(h, path);
	l->mem_path = TAKE_PTR(path);
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

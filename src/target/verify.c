/* Is the process behind a stored pid still the one that was meant? */
#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "sys/proc.h"
#include "target/scan.h"

/* A path component that is `id`, or contains it when nobody else can be called so. */
static bool has_component(const char *text, const char *id)
{
	size_t n = strlen(id);
	bool full = id_is_full(id);

	for (const char *p = strstr(text, id); p; p = strstr(p + 1, id))
		if (full || (p[-(p > text)] == '/' && (p[n] == '\n' || p[n] == '/' || !p[n])))
			return true;
	return false;
}

static bool in_cgroup(const struct look *l, const struct target *t)
{
	char path[32], text[PROC_CGROUP_MAX];

	if (!t->id)
		return false;
	snprintf(path, sizeof(path), "%d/cgroup", (int)t->pid);
	return file_read_small_at(l->roots->proc_fd, path, text, sizeof(text)) > 0 &&
	       has_component(text, t->id);
}

static bool under_monitor(const struct look *l, const struct target *t, pid_t ppid)
{
	const struct monitor *known = l->scan ? scan_monitor(l->scan, ppid) : NULL;
	struct proc_stat parent;
	struct monitor m = {};
	bool is;

	if (!known && proc_stat_read_at(l->roots->proc_fd, ppid, &parent) == 0)
		monitor_read(l->roots->proc_fd, &parent, &m);
	if (!known)
		known = &m;
	is = known->kind && (str_eq(known->id, t->id) || str_eq(known->name, t->name));
	cleanup_free(&m.args);
	return is;
}

static bool dead(struct target *t, struct err *why, const char *what, const char *comm)
{
	err_say(why, ESRCH, "%s has it as process %d, which %s%s", t->state_file, (int)t->pid, what,
		comm);
	t->state = TARGET_DEAD;
	t->exit_code = -1;
	t->pid = 0;
	return false;
}

bool target_verify(struct look *l, struct target *t, struct err *why)
{
	const struct proc_stat *known = l->scan ? scan_find(l->scan, t->pid) : NULL;
	struct proc_stat st;

	if (known)
		st = *known;
	else if (proc_stat_read_at(l->roots->proc_fd, t->pid, &st) < 0)
		return dead(t, why, "is gone", "");
	if (st.state == 'Z' || st.state == 'X')
		return dead(t, why, "has ended and was not reaped by its parent", "");
	if (t->start ? t->start != st.start : !under_monitor(l, t, st.ppid) && !in_cgroup(l, t))
		return dead(t, why, "now is another one: ", st.comm);
	t->start = st.start;
	if (!t->started)
		t->started = proc_start_time(st.start);
	return true;
}

/* Is the process behind a stored pid still the one that was meant? */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "sys/proc.h"
#include "target/scan.h"

/* A path component that is `id`, or contains it when nobody else can be called so. */
static bool has_component(const char *text, const char *id)
{
	size_t n = strlen(id);
	bool full = id_is_full(id);

	for (const char *p = n ? strstr(text, id) : NULL; p; p = strstr(p + 1, id))
		if (full || (p[-(p > text)] == '/' && (p[n] == '\n' || p[n] == '/' || !p[n])))
			return true;
	return false;
}

static bool in_cgroup(const struct look *l, const struct target *t, const char *mark)
{
	char path[32], text[PROC_CGROUP_MAX];

	snprintf(path, sizeof(path), "%d/cgroup", (int)t->pid);
	if (file_read_small_at(l->roots->proc_fd, path, text, sizeof(text)) <= 0)
		return false;
	return (t->id && has_component(text, t->id)) || (mark && has_component(text, mark));
}

/* The path in the line of /proc/PID/cgroup that starts with `mark` ("0::", ":freezer:"); cut off at
 * its end within `text`. NULL when there is none. */
static char *cgroup_path(char *text, const char *mark)
{
	char *p = strstr(text, mark);

	if (!p)
		return NULL;
	p += strlen(mark);
	p[strcspn(p, "\n")] = '\0';
	return p;
}

/* Whether its cgroup's freezer holds the process (a paused container). */
static bool is_frozen(struct look *l, const struct proc_stat *st)
{
	static const struct {
		const char *mark, *dir, *file, *frozen;
	} ways[] = {
		{":freezer:", "sys/fs/cgroup/freezer", "freezer.state", "FROZEN"},
		{"0::", "sys/fs/cgroup", "cgroup.freeze", "1"},
		{"0::", "sys/fs/cgroup/unified", "cgroup.freeze", "1"},
	};
	char name[32], text[PROC_CGROUP_MAX], state[32];

	if (!l->freezer)
		l->freezer = faccessat(l->root_fd, ways[0].dir, F_OK, 0) == 0 ? 1 : -1;
	/* version 1 stops it in a sleep that cannot be interrupted, version 2 in any */
	if (st->state != 'D' && l->freezer > 0)
		return false;
	snprintf(name, sizeof(name), "%d/cgroup", (int)st->pid);
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		_cleanup_free_ char *file = NULL;
		char *path;

		if (file_read_small_at(l->roots->proc_fd, name, text, sizeof(text)) <= 0)
			return false;
		path = cgroup_path(text, ways[i].mark);
		if (!path || str_eq(path, "/"))
			continue;
		file = str_fmt("%s%s/%s", ways[i].dir, path, ways[i].file);
		if (file && file_read_small_at(l->root_fd, file, state, sizeof(state)) > 0)
			return str_starts(state, ways[i].frozen);
	}
	return false;
}

static bool under_monitor(const struct look *l, const struct target *t, pid_t ppid)
{
	struct proc_stat parent;
	struct monitor m = {};
	bool is;

	if (proc_stat_read_at(l->roots->proc_fd, ppid, &parent) == 0)
		monitor_read(l->roots->proc_fd, &parent, &m);
	is = m.kind && (str_eq(m.id, t->id) || str_eq(m.name, t->name));
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

bool target_verify(struct look *l, struct target *t, const char *mark, struct err *why)
{
	const struct proc_stat *known = l->scan ? scan_stat(l, t->pid) : NULL;
	struct proc_stat st;

	if (known)
		st = *known;
	else if (proc_stat_read_at(l->roots->proc_fd, t->pid, &st) < 0)
		return dead(t, why, "is gone", "");
	if (st.ended)
		return dead(t, why, "has ended and was not reaped by its parent", "");
	if (t->start ? t->start != st.start
		     : !under_monitor(l, t, st.ppid) && !in_cgroup(l, t, mark))
		return dead(t, why, "now is another one: ", st.comm);
	t->start = st.start;
	if (!t->started)
		t->started = proc_start_time(st.start);
	if (t->state != TARGET_PAUSED && is_frozen(l, &st))
		t->state = TARGET_PAUSED;
	return true;
}

bool target_take_pid(struct look *l, struct target *t, pid_t pid)
{
	struct proc_stat st;

	if (proc_stat_read_at(l->roots->proc_fd, pid, &st) < 0 || st.ended)
		return false;
	t->pid = pid;
	t->start = st.start;
	t->started = proc_start_time(st.start);
	t->state = is_frozen(l, &st) ? TARGET_PAUSED : TARGET_RUNNING;
	return true;
}

/*
 * bubblewrap keeps nothing on disk: the outer bwrap's child is pid 1 of the new pid namespace (the
 * program itself with --as-pid-1, else bwrap's reaper). Named by --hostname, else by its program.
 */
#include "target/engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "target/scan.h"

/* The program: init itself, or what bwrap's reaper has started. */
static const char *program(struct look *l, pid_t init)
{
	const struct proc_stat *p = scan_stat(l, init), *child;
	size_t i = 0;

	if (p && str_eq(p->comm, "bwrap") && (child = scan_child(l, init, &i)))
		p = child;
	return p ? p->comm : "bwrap";
}

static int more(struct look *l, const struct want *w, struct targets *out)
{
	const struct monitor *m;
	size_t i = 0;

	while ((m = scan_monitor(l, &i))) {
		struct target t = TARGET_INIT;
		const char *comm;
		pid_t pid;

		/* the reaper has a child too, but no namespace for it */
		pid = m->kind == MONITOR_BWRAP ? scan_init(l, m) : 0;
		if (!pid)
			continue;
		comm = program(l, pid);
		t.engine = engine_bwrap.name;
		t.name = strdup(m->name ? m->name : comm);
		t.state_file = str_fmt("/proc/%d", (int)m->pid);
		t.exit_code = -1;
		t.owner_uid = m->uid;
		t.owner = look_owner(l, m->uid);
		if (!target_take_pid(l, &t, pid))
			target_done(&t);
		else if (want_take(w, out, &t, comm) < 0)
			return -ENOMEM;
	}
	return 0;
}

const struct engine engine_bwrap = {.name = "bwrap", .more = more};

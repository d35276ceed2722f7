/* Rules: what stands still, or hurts. */
#include "facts/unusual_rules.h"
#include "sys/cgroup.h"

RULE(no_container)
{
	return unusual_no_container(f);
}

RULE(frozen)
{
	return t->state == TARGET_PAUSED || f->limits.frozen;
}

RULE(stopped)
{
	return f->init.state == 'T';
}

RULE(traced)
{
	buf_printf(b, "pid %d (%s)", f->init.tracer, f->init.tracer_comm);
	return f->init.tracer > 0;
}

RULE(blocked)
{
	return f->init.state == 'D' && !frozen(t, f, b);
}

RULE(unhealthy)
{
	return str_eq(f->engine.health, "unhealthy");
}

RULE(restarted)
{
	buf_printf(b, "%lld", (long long)f->engine.restarts);
	return f->engine.restarts >= 3;
}

RULE(oom_killed)
{
	buf_printf(b, "%llu process%s", (unsigned long long)f->limits.oom_kills,
		   f->limits.oom_kills == 1 ? "" : "es");
	return f->limits.oom_kills > 0;
}

static bool near(const struct fact_limit *l, struct buf *b)
{
	unsigned n =
		l->known && l->limit != CGROUP_NONE ? unusual_percent(l->counted, l->limit) : 0;

	buf_printf(b, "%u %%", n);
	if (l->at)
		buf_printf(b, " of the limit of %s, which it shares", l->at);
	else
		buf_puts(b, " of its limit");
	return n >= 90;
}

RULE(memory_full)
{
	return near(&f->limits.memory, b);
}

RULE(pids_full)
{
	return near(&f->limits.pids, b);
}

RULE(throttled)
{
	unsigned n = unusual_percent(f->limits.throttled, f->limits.periods);

	buf_printf(b, "%u %%", n);
	return f->limits.periods >= 100 && n >= 10;
}

RULE(swapped)
{
	uint64_t bytes = f->limits.swap > f->init.swap ? f->limits.swap : f->init.swap;

	buf_printf(b, "%llu MiB", (unsigned long long)(bytes >> 20));
	return bytes >> 20 >= 1;
}

RULE(fds_full)
{
	unsigned n = unusual_percent(f->init.fds, f->init.fd_limit);

	buf_printf(b, "%u %%", n);
	return n >= 90;
}

RULE(disk_full)
{
	unsigned n =
		f->files.size ? unusual_percent(f->files.size - f->files.free, f->files.size) : 0;

	buf_printf(b, "%u %%", n);
	return n >= 95;
}

RULE(zombies)
{
	buf_printf(b, "%zu", f->procs.orphans);
	return f->procs.orphans > 0;
}

const struct unusual_rule unusual_trouble[] = {
	{"no-container", UNUSUAL_NOTE, no_container,
	 "It is a process of the host and in no container: every namespace is the host's."},
	{"frozen", UNUSUAL_WARN, frozen,
	 "It is frozen (paused): nothing in it runs until it is resumed, and a debugger that "
	 "attaches "
	 "will wait."},
	{"stopped", UNUSUAL_WARN, stopped,
	 "Its first process is stopped (SIGSTOP): it answers nobody until it gets SIGCONT."},
	{"traced", UNUSUAL_WARN, traced,
	 "Its first process is being traced by @: a second debugger cannot attach."},
	{"blocked", UNUSUAL_WARN, blocked,
	 "Its first process waits in the kernel, for a disk or a network file system as a rule, "
	 "and "
	 "cannot be killed meanwhile."},
	{"unhealthy", UNUSUAL_WARN, unhealthy, "Its own health check fails."},
	{"restarted", UNUSUAL_WARN, restarted, "Its engine has restarted it @ times."},
	{"oom-killed", UNUSUAL_WARN, oom_killed,
	 "The kernel has killed @ in it because memory ran out."},
	{"memory-full", UNUSUAL_WARN, memory_full, "Its memory is at @."},
	{"pids-full", UNUSUAL_WARN, pids_full,
	 "Its number of processes and threads is at @: soon it cannot start any."},
	{"cpu-throttled", UNUSUAL_WARN, throttled,
	 "Its CPU limit has held it back in @ of all periods."},
	{"swapped", UNUSUAL_WARN, swapped, "@ of its memory are swapped out, which makes it slow."},
	{"fds-full", UNUSUAL_WARN, fds_full,
	 "Its first process has @ of the files open that it may have."},
	{"disk-full", UNUSUAL_WARN, disk_full, "The file system it writes to is @ full."},
	{"zombies", UNUSUAL_WARN, zombies,
	 "Dead children that its PID 1 does not wait for (zombies): @. An init such as tini would "
	 "reap "
	 "them."},
	{},
};

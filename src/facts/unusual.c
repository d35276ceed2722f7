#include "facts/unusual.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>

#include "sys/caps.h"
#include "sys/cgroup.h"

/* A rule's question. What it writes to `b` stands where the sentence has '@'. */
#define RULE(name) static bool name(const struct target *t, const struct facts *f, struct buf *b)

static bool is_kind(const struct facts *f, unsigned flag, enum ns_kind kind)
{
	return facts_ns_get(f, flag)->kind == kind;
}

/* Are its ids and capabilities those of the host? In a user namespace of its own they end there. */
static bool host_ids(const struct facts *f)
{
	return f->rights.known && is_kind(f, CLONE_NEWUSER, NS_HOST);
}

static unsigned percent(uint64_t part, uint64_t whole)
{
	return whole ? (unsigned)((double)part * 100 / (double)whole) : 0;
}

/* ", ", and " and " before the last of `n`. */
static void comma(struct buf *b, size_t i, size_t n)
{
	if (i)
		buf_puts(b, i + 1 == n ? " and " : ", ");
}

/* Is nothing of it its own? Then it is just a process, and saying what it shares would be noise. */
RULE(no_container)
{
	for (size_t i = 0; i < NS_COUNT; i++)
		if (f->ns.v[i].kind != NS_HOST && f->ns.v[i].kind != NS_ABSENT)
			return false;
	return true;
}

/* ---- what stands still, or hurts ---- */

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
	unsigned n = l->known && l->limit != CGROUP_NONE ? percent(l->counted, l->limit) : 0;

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
	unsigned n = percent(f->limits.throttled, f->limits.periods);

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
	unsigned n = percent(f->init.fds, f->init.fd_limit);

	buf_printf(b, "%u %%", n);
	return n >= 90;
}

RULE(disk_full)
{
	unsigned n = f->files.size ? percent(f->files.size - f->files.free, f->files.size) : 0;

	buf_printf(b, "%u %%", n);
	return n >= 95;
}

RULE(zombies)
{
	buf_printf(b, "%zu", f->procs.orphans);
	return f->procs.orphans > 0;
}

/* ---- what makes debugging different ---- */

RULE(exe_deleted)
{
	buf_puts(b, f->init.exe ? f->init.exe : "");
	return f->init.exe_deleted;
}

RULE(no_shell)
{
	return f->files.looked && !f->files.shell;
}

RULE(no_libc)
{
	return f->files.looked && f->files.libc == LIBC_NONE;
}

RULE(musl)
{
	return f->files.looked && f->files.libc == LIBC_MUSL;
}

RULE(read_only)
{
	size_t n = 0, k = 0;

	for (size_t i = 0; i < f->files.n; i++)
		n += f->files.v[i].class == MOUNT_OTHER && !f->files.v[i].ro;
	if (!n)
		buf_puts(b, "nowhere else either");
	else if (n > 6)
		buf_printf(b, "to %zu mounts only", n);
	else
		buf_puts(b, "only to ");
	for (size_t i = 0; n <= 6 && i < f->files.n; i++)
		if (f->files.v[i].class == MOUNT_OTHER && !f->files.v[i].ro) {
			comma(b, k++, n);
			buf_puts(b, f->files.v[i].row->target);
		}
	return f->files.root && f->files.root_ro;
}

RULE(no_dev)
{
	return f->files.looked && !f->files.dev;
}

RULE(no_dev_null)
{
	return f->files.looked && f->files.dev && !f->files.dev_null;
}

RULE(no_proc)
{
	return f->files.looked && !f->files.proc;
}

RULE(no_passwd)
{
	return f->rights.known && f->rights.passwd == FILE_MISSING;
}

RULE(odd_passwd)
{
	return f->rights.known && f->rights.passwd == FILE_STRANGE;
}

RULE(no_user_name)
{
	buf_printf(b, "%u", f->rights.uid);
	return f->rights.known && f->rights.passwd == FILE_OK && !f->rights.user &&
	       f->rights.uid != (uint32_t)-1;
}

RULE(preload)
{
	for (size_t i = 0; i < f->env.n; i++)
		if (str_eq(f->env.v[i].key, "LD_PRELOAD") && *f->env.v[i].value) {
			buf_puts(b, f->env.v[i].value);
			return true;
		}
	return false;
}

/* ---- what it may, and may not ---- */

RULE(user_ns)
{
	uint32_t root = idmap_to_outside(&f->rights.uid_map, 0);

	if (root == (uint32_t)-1)
		buf_puts(b, "it has no root at all");
	else
		buf_printf(b, "its root is uid %u on the host", root);
	return f->rights.known &&
	       (is_kind(f, CLONE_NEWUSER, NS_OWN) || is_kind(f, CLONE_NEWUSER, NS_SHARED));
}

RULE(not_root)
{
	buf_printf(b, "%u", f->rights.uid);
	if (f->rights.user)
		buf_printf(b, " (%s)", f->rights.user);
	return f->rights.known && f->rights.uid != 0 && f->rights.uid != (uint32_t)-1;
}

RULE(no_new_privs)
{
	return f->rights.known && f->rights.cred.no_new_privs;
}

RULE(powerless_root)
{
	return f->rights.known && f->rights.uid == 0 && f->rights.cred.cap_eff == 0;
}

/* What its processes can get hold of: a set-user-id program gives the bounding set back. */
static uint64_t reach(const struct facts *f)
{
	const struct cred *c = &f->rights.cred;

	return c->no_new_privs && c->euid != 0 ? c->cap_prm : c->cap_bnd;
}

static bool all_caps(const struct facts *f)
{
	uint64_t ours = caps_bounding();

	return (reach(f) & ours) == ours && (reach(f) & CAPS_BIT(CAP_SYS_ADMIN));
}

RULE(privileged)
{
	return host_ids(f) &&
	       (f->engine.privileged || (all_caps(f) && f->rights.cred.seccomp == 0));
}

static const struct {
	int cap;
	const char *can;
} grave[] = {
	{CAP_SYS_ADMIN, "it can mount, and do most of what root can"},
	{CAP_SYS_PTRACE, "it can take over any process it sees"},
	{CAP_SYS_MODULE, "it can load kernel modules"},
	{CAP_SYS_RAWIO, "it can reach hardware and memory directly"},
	{CAP_DAC_READ_SEARCH, "it can read any file on the host's disks"},
	{CAP_BPF, "it can load BPF programs"},
	{CAP_PERFMON, "it can watch the whole kernel"},
	{CAP_SYS_BOOT, "it can reboot the host"},
	{CAP_SYS_TIME, "it can set the host's clock"},
	{CAP_SYSLOG, "it can read the kernel's log"},
	{CAP_NET_ADMIN, "it can change its network"},
};

RULE(more_caps)
{
	char name[CAPS_NAME_MAX];
	uint64_t have;
	size_t n = 0;

	if (!host_ids(f) || no_container(t, f, b) || privileged(t, f, b))
		return false;
	have = reach(f);
	for (size_t i = 0; i < ARRAY_LEN(grave); i++)
		if (have & CAPS_BIT(grave[i].cap))
			buf_printf(b, "%s%s (%s)", n++ ? ", " : "",
				   caps_name((unsigned)grave[i].cap, name), grave[i].can);
	return n > 0;
}

RULE(no_seccomp)
{
	return f->rights.known && f->rights.cred.seccomp == 0 && !no_container(t, f, b) &&
	       !privileged(t, f, b);
}

RULE(no_own_files)
{
	return is_kind(f, CLONE_NEWNS, NS_HOST) && !no_container(t, f, b);
}

RULE(shares_host)
{
	static const struct {
		unsigned flag;
		const char *words;
	} shared[] = {{CLONE_NEWNET, "network"},
		      {CLONE_NEWPID, "processes"},
		      {CLONE_NEWIPC, "shared memory (ipc)"},
		      {CLONE_NEWUTS, "host name"}};
	size_t n = 0, k = 0;

	for (size_t i = 0; i < ARRAY_LEN(shared); i++)
		n += is_kind(f, shared[i].flag, NS_HOST);
	for (size_t i = 0; i < ARRAY_LEN(shared); i++)
		if (is_kind(f, shared[i].flag, NS_HOST)) {
			comma(b, k++, n);
			buf_puts(b, shared[i].words);
		}
	return n > 0 && !no_container(t, f, b);
}

RULE(shares_others)
{
	static const unsigned flags = CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWNS;
	size_t n = 0;

	for (size_t i = 0; i < NS_COUNT; i++) {
		const struct fact_ns *ns = &f->ns.v[i];

		if (!(ns_types[i].flag & flags) || ns->kind != NS_SHARED)
			continue;
		buf_printf(b, "%s%s with ", n++ ? "; " : "", ns_types[i].name);
		for (size_t k = 0; k < ns->with.n; k++) {
			comma(b, k, ns->with.n + (ns->more > 0));
			buf_puts(b, ns->with.v[k]);
		}
		if (ns->more)
			buf_printf(b, " and %zu more", ns->more);
	}
	return n > 0 && !t->pod;
}

RULE(engine_socket)
{
	static const char *const names[] = {"docker.sock", "containerd.sock", "crio.sock",
					    "podman.sock"};
	size_t n = 0;

	for (size_t i = 0; i < f->files.n; i++)
		for (size_t k = 0; k < ARRAY_LEN(names); k++)
			if (str_ends(f->files.v[i].row->root, names[k]))
				buf_printf(b, "%s%s", n++ ? ", " : "", f->files.v[i].row->target);
	return n > 0;
}

RULE(host_root)
{
	for (size_t i = 0; i < f->files.n; i++) {
		const struct fact_mount *m = &f->files.v[i];

		if (m->class != MOUNT_OTHER || m->nested || !str_eq(m->host_path, "/"))
			continue;
		buf_printf(b, "%s (%s)", m->row->target, m->ro ? "read-only" : "writable");
		return !is_kind(f, CLONE_NEWNS, NS_HOST);
	}
	return false;
}

RULE(host_dirs)
{
	static const char *const dirs[] = {"/etc",
					   "/run",
					   "/proc",
					   "/sys",
					   "/dev",
					   "/boot",
					   "/root",
					   "/home",
					   "/usr",
					   "/var",
					   "/var/lib",
					   "/var/lib/docker",
					   "/var/lib/containers",
					   "/var/lib/kubelet",
					   "/lib/modules",
					   "/usr/lib/modules",
					   "/var/run"};
	size_t n = 0;

	for (size_t i = 0; i < f->files.n; i++) {
		const struct fact_mount *m = &f->files.v[i];
		bool dev = str_eq(m->row->fstype, "devtmpfs") && str_eq(m->row->target, "/dev");

		for (size_t k = 0; !dev && k < ARRAY_LEN(dirs); k++)
			if (m->class == MOUNT_OTHER && !m->nested &&
			    str_eq(m->host_path, dirs[k])) {
				buf_printf(b, "%s%s%s", n++ ? ", " : "", m->host_path,
					   m->ro ? " (read-only)" : "");
				break;
			}
		if (dev)
			buf_printf(b, "%s/dev", n++ ? ", " : "");
	}
	return n > 0 && !is_kind(f, CLONE_NEWNS, NS_HOST);
}

RULE(proc_sys)
{
	bool proc = false, covered = false;

	for (size_t i = 0; i < f->files.n; i++) {
		const struct fact_mount *m = &f->files.v[i];

		if (str_eq(m->row->target, "/proc") && str_eq(m->row->fstype, "proc"))
			proc = !m->ro;
		if (str_eq(m->row->target, "/proc/sys"))
			covered = m->ro;
	}
	return proc && !covered && host_ids(f) && f->rights.cred.euid == 0 &&
	       !is_kind(f, CLONE_NEWNS, NS_HOST);
}

RULE(unkillable)
{
	return f->init.oom_score_adj <= -999;
}

static const struct {
	const char *id;
	enum unusual_weight weight;
	bool (*is)(const struct target *t, const struct facts *f, struct buf *b);
	const char *sentence;
} rules[] = {
	{"no-container", UNUSUAL_NOTE, no_container,
	 "It is a process of the host and in no container: every namespace is the host's."},
	/* what stands still, or hurts */
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
	/* what makes debugging different */
	{"exe-deleted", UNUSUAL_WARN, exe_deleted,
	 "The program it runs, @, was replaced or deleted since it started: a debugger must read "
	 "/proc/PID/exe instead."},
	{"no-shell", UNUSUAL_NOTE, no_shell,
	 "There is no shell in it, so 'docker exec' has nothing to run; 'porthole exec' brings "
	 "one."},
	{"no-libc", UNUSUAL_NOTE, no_libc,
	 "There is no C library in it: only static programs run there, and the kit's."},
	{"musl", UNUSUAL_NOTE, musl,
	 "Its C library is musl: programs built for glibc do not run in it, but the kit's do."},
	{"read-only-root", UNUSUAL_NOTE, read_only, "Its root is read-only; it can write @."},
	{"no-dev", UNUSUAL_WARN, no_dev, "It has no /dev."},
	{"no-dev-null", UNUSUAL_WARN, no_dev_null, "Its /dev has no working /dev/null."},
	{"no-proc", UNUSUAL_WARN, no_proc,
	 "No /proc is mounted in it: ps, top and debuggers started in it see no processes."},
	{"no-passwd", UNUSUAL_NOTE, no_passwd, "It has no /etc/passwd: users have numbers only."},
	{"odd-passwd", UNUSUAL_WARN, odd_passwd,
	 "Its /etc/passwd is no ordinary file (or huge) and was left alone."},
	{"no-user-name", UNUSUAL_NOTE, no_user_name,
	 "Its user, uid @, is not in its /etc/passwd: whoami and ssh complain about that."},
	{"ld-preload", UNUSUAL_WARN, preload,
	 "Its environment sets LD_PRELOAD=@, which changes what its programs do."},
	/* what it may, and may not */
	{"not-root", UNUSUAL_NOTE, not_root, "It does not run as root but as uid @."},
	{"user-namespace", UNUSUAL_NOTE, user_ns, "It has a user namespace of its own: @."},
	{"no-new-privs", UNUSUAL_NOTE, no_new_privs,
	 "no_new_privs is set: sudo, su and the like gain nothing in it."},
	{"powerless-root", UNUSUAL_NOTE, powerless_root,
	 "It is root without any capability: even root's usual rights fail in it."},
	{"privileged", UNUSUAL_DANGER, privileged,
	 "It is privileged: who gets into it owns the host."},
	{"more-caps", UNUSUAL_DANGER, more_caps, "It has capabilities beyond the usual: @."},
	{"no-seccomp", UNUSUAL_DANGER, no_seccomp,
	 "No seccomp filter is on: every system call is open to it."},
	{"host-mnt", UNUSUAL_DANGER, no_own_files,
	 "It has no files of its own: it uses the host's."},
	{"host-namespaces", UNUSUAL_DANGER, shares_host, "It shares with the host: @."},
	{"shared-namespaces", UNUSUAL_NOTE, shares_others, "It shares namespaces: @."},
	{"engine-socket", UNUSUAL_DANGER, engine_socket,
	 "A container engine's socket is mounted in it, at @: who can write to it owns the host."},
	{"host-root", UNUSUAL_DANGER, host_root, "The host's whole file system is mounted at @."},
	{"host-directories", UNUSUAL_DANGER, host_dirs,
	 "Directories of the host are mounted in it: @."},
	{"proc-sys-writable", UNUSUAL_DANGER, proc_sys,
	 "/proc/sys is writable for it: it can change settings of the host's kernel."},
	{"unkillable", UNUSUAL_NOTE, unkillable,
	 "The kernel may not kill it when memory runs out; others die instead."},
};

void unusuals_done(struct unusuals *u)
{
	for (size_t i = 0; i < u->n; i++)
		free(u->v[i].text);
	free(u->v);
	*u = (struct unusuals){};
}

int unusual_find(const struct target *t, const struct facts *f, struct unusuals *out)
{
	*out = (struct unusuals){.v = calloc(ARRAY_LEN(rules), sizeof(*out->v))};
	if (!out->v)
		return -ENOMEM;
	for (size_t i = 0; t->proc_fd >= 0 && i < ARRAY_LEN(rules); i++) {
		_cleanup_buf_ struct buf what = {}, text = {};
		const char *at = strchr(rules[i].sentence, '@');

		if (!rules[i].is(t, f, &what))
			continue;
		if (at) {
			buf_add(&text, rules[i].sentence, (size_t)(at - rules[i].sentence));
			buf_add(&text, what.data, what.len);
			buf_puts(&text, at + 1);
		} else {
			buf_puts(&text, rules[i].sentence);
		}
		out->v[out->n].id = rules[i].id;
		out->v[out->n].weight = rules[i].weight;
		out->v[out->n].text = buf_take(&text);
		if (what.oom || !out->v[out->n++].text)
			return -ENOMEM;
	}
	return 0;
}

/* Rules: what it may, and may not. */
#include <linux/capability.h>
#include <sched.h>

#include "facts/unusual_rules.h"
#include "sys/caps.h"

/* Are its ids and capabilities those of the host? In a user namespace of its own they end there. */
static bool host_ids(const struct facts *f)
{
	return f->rights.known && unusual_ns_is(f, CLONE_NEWUSER, NS_HOST);
}

RULE(user_ns)
{
	uint32_t root = idmap_to_outside(&f->rights.uid_map, 0);

	if (root == (uint32_t)-1)
		buf_puts(b, "it has no root at all");
	else
		buf_printf(b, "its root is uid %u on the host", root);
	return f->rights.known && (unusual_ns_is(f, CLONE_NEWUSER, NS_OWN) ||
				   unusual_ns_is(f, CLONE_NEWUSER, NS_SHARED));
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

	if (!host_ids(f) || unusual_no_container(f) || privileged(t, f, b))
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
	return f->rights.known && f->rights.cred.seccomp == 0 && !unusual_no_container(f) &&
	       !privileged(t, f, b);
}

RULE(no_own_files)
{
	return unusual_ns_is(f, CLONE_NEWNS, NS_HOST) && !unusual_no_container(f);
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
		n += unusual_ns_is(f, shared[i].flag, NS_HOST);
	for (size_t i = 0; i < ARRAY_LEN(shared); i++)
		if (unusual_ns_is(f, shared[i].flag, NS_HOST)) {
			unusual_comma(b, k++, n);
			buf_puts(b, shared[i].words);
		}
	return n > 0 && !unusual_no_container(f);
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
			unusual_comma(b, k, ns->with.n + (ns->more > 0));
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
		return !unusual_ns_is(f, CLONE_NEWNS, NS_HOST);
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
	return n > 0 && !unusual_ns_is(f, CLONE_NEWNS, NS_HOST);
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
	       !unusual_ns_is(f, CLONE_NEWNS, NS_HOST);
}

RULE(unkillable)
{
	return f->init.oom_score_adj <= -999;
}

const struct unusual_rule unusual_rights[] = {
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
	{},
};

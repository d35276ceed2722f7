/* What each thing a container is given means. The order is that of the page: the worst first. */
#include "profile/meaning_rules.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "sys/caps.h"

#define RULE(name) static bool name(const struct grants *g, struct buf *b)

enum {
	SYS_MODULE = 16,
	SYS_RAWIO = 17,
	SYS_PTRACE = 19,
	SYS_ADMIN = 21,
	SYS_BOOT = 22,
	SYS_TIME = 25,
	NET_ADMIN = 12,
	NET_RAW = 13,
	DAC_READ_SEARCH = 2,
	PERFMON = 38,
	BPF = 39,
};

static bool has_cap(const struct grants *g, unsigned n)
{
	return g->caps & CAPS_BIT(n) && !g->userns;
}

static bool is_host(const struct grants *g, unsigned ns)
{
	return g->host_ns & ns;
}

/* --- root of the host --- */

RULE(privileged)
{
	buf_puts(b, g->tool == TOOL_NSPAWN  ? "--capability=all with the host's processes"
		    : g->tool == TOOL_BWRAP ? "Every capability"
					    : "--privileged");
	return g->privileged;
}

RULE(modules)
{
	(void)b;
	return has_cap(g, SYS_MODULE) && !g->privileged;
}

RULE(ptrace_host)
{
	(void)b;
	return has_cap(g, SYS_PTRACE) && is_host(g, CLONE_NEWPID) && !g->privileged;
}

RULE(admin)
{
	(void)b;
	return has_cap(g, SYS_ADMIN) && !g->privileged;
}

/* --- isolation that is gone --- */

#define GONE(name, ns)                                                                             \
	RULE(name)                                                                                 \
	{                                                                                          \
		(void)b;                                                                           \
		return is_host(g, ns);                                                             \
	}

GONE(pid_gone, CLONE_NEWPID)
GONE(net_gone, CLONE_NEWNET)
GONE(ipc_gone, CLONE_NEWIPC)
GONE(uts_gone, CLONE_NEWUTS)
GONE(cgroup_gone, CLONE_NEWCGROUP)

RULE(joined)
{
	for (size_t i = 0; i < g->joined.n; i++)
		meaning_item(b, g->joined.v[i]);
	return g->joined.n > 0;
}

RULE(filters_gone)
{
	if (g->seccomp_off)
		meaning_item(b, "system calls are not filtered (seccomp)");
	if (g->lsm_off)
		meaning_item(b, "AppArmor's and SELinux's rules do not hold");
	if (g->masks_off && g->tool != TOOL_BWRAP)
		meaning_item(b, "/proc and /sys are not masked");
	return b->len > 0;
}

RULE(reads_any)
{
	(void)b;
	return has_cap(g, DAC_READ_SEARCH) && !g->privileged;
}

RULE(net_admin)
{
	(void)b;
	return has_cap(g, NET_ADMIN) && is_host(g, CLONE_NEWNET);
}

RULE(net_raw)
{
	(void)b;
	return has_cap(g, NET_RAW) && is_host(g, CLONE_NEWNET);
}

RULE(kernel_watch)
{
	(void)b;
	return (has_cap(g, BPF) || has_cap(g, PERFMON)) && !g->privileged;
}

RULE(gpus)
{
	buf_puts(b, g->gpus ? g->gpus : "");
	return g->gpus;
}

RULE(host_state)
{
	if (has_cap(g, SYS_BOOT))
		meaning_item(b, "reboot it");
	if (has_cap(g, SYS_TIME))
		meaning_item(b, "set its clock");
	if (has_cap(g, SYS_RAWIO))
		meaning_item(b, "read and write its hardware's ports and memory");
	return b->len > 0;
}

RULE(signals)
{
	(void)b;
	return is_host(g, CLONE_NEWPID) && !g->userns;
}

/* --- kept --- */

/* `option`: how it begins where another's is taken: "net of container:web". */
static bool is_joined(const struct grants *g, const char *option)
{
	for (size_t i = 0; i < g->joined.n; i++)
		if (str_starts(g->joined.v[i], option))
			return true;
	return false;
}

RULE(kept_ns)
{
	static const struct {
		unsigned flag;
		const char *option, *name;
	} ns[] = {{CLONE_NEWPID, "pid", "processes"},
		  {CLONE_NEWNET, "net", "network"},
		  {CLONE_NEWIPC, "ipc", "shared memory"},
		  {CLONE_NEWUTS, "uts", "host name"}};

	meaning_item(b, "file systems");
	for (size_t i = 0; i < ARRAY_LEN(ns); i++)
		if (!is_host(g, ns[i].flag) && !is_joined(g, ns[i].option))
			meaning_item(b, ns[i].name);
	return true;
}

RULE(kept_caps)
{
	_cleanup_free_ char *words = caps_words(g->caps, caps_all());

	buf_puts(b, words ? words : "");
	return g->caps != caps_all();
}

RULE(kept_rest)
{
	if (g->userns)
		meaning_item(b, "root in it is nobody outside (a user namespace)");
	if (g->no_new_privs)
		meaning_item(b, "set-id programs give no rights (no new privileges)");
	if (g->read_only)
		meaning_item(b, "its own root is read-only");
	if (!g->seccomp_off)
		meaning_item(b, "system calls are filtered (seccomp)");
	return b->len > 0;
}

/* It says nothing of who runs it. */
RULE(by_user)
{
	(void)b;
	return g->tool == TOOL_BWRAP && !g->userns && !g->by_root;
}

RULE(ports)
{
	for (size_t i = 0; i < g->ports.n; i++)
		meaning_item(b, g->ports.v[i]);
	return g->ports.n > 0;
}

RULE(unbound)
{
	uint64_t lost = g->caps & ~caps_bounding();
	_cleanup_free_ char *words = caps_list(lost);

	buf_puts(b, words ? words : "");
	/* the others take what there is */
	return lost && !g->userns && (g->tool == TOOL_DOCKER || g->tool == TOOL_PODMAN);
}

/* What a shell replaces by options, perhaps, or the value of an option that nobody knows: the
 * first word that is none is the image. */
RULE(open_image)
{
	buf_puts(b, g->image ? g->image : "");
	return g->cmd.n > 0 && b->len > 0 && (g->unsure || strchr("$`", *g->image));
}

RULE(unknown)
{
	for (size_t i = 0; i < g->unknown.n; i++) {
		buf_printf(b, "%s%s%s", b->len ? ", " : "", g->unknown.v[i][1] ? "--" : "-",
			   g->unknown.v[i]);
	}
	return g->unknown.n > 0;
}

const struct meaning_rule meaning_rules[] = {
	{"privileged", MEANS_ROOT, privileged,
	 "@: every capability, every device, no filter and no mask. Root in it is root of the "
	 "host."},
	{"engine-socket", MEANS_ROOT, meaning_engine_socket,
	 "@: an engine's own socket, or where engines have them. Whoever may connect to one starts "
	 "containers with any rights, and so is root of the host. Read-only changes nothing: one "
	 "still connects."},
	{"dbus", MEANS_ROOT, meaning_dbus,
	 "@: the host's D-Bus or systemd. Root in it can have systemd run anything as root of the "
	 "host. Read-only changes nothing: one still connects."},
	{"root-writable", MEANS_ROOT, meaning_root_writable,
	 "The host's / is writable at @: /etc/shadow, cron, systemd's units, every container's "
	 "files."},
	{"dirs-writable", MEANS_ROOT, meaning_dirs_writable,
	 "It can write to @: enough to have the host's root run what it likes."},
	{"sys-module", MEANS_ROOT, modules,
	 "It can load kernel modules (sys_module): code in the kernel is above root."},
	{"ptrace-host", MEANS_ROOT, ptrace_host,
	 "It can trace every process of the host (sys_ptrace with the host's pids), read and "
	 "change its "
	 "memory, and so be root."},
	{"proc-writable", MEANS_ROOT, meaning_proc_writable,
	 "The host's /proc is writable at @: core_pattern there runs a program as the host's "
	 "root."},
	{"devices", MEANS_ROOT, meaning_devices,
	 "It has devices of the host's: @. A disk can be read and written behind every "
	 "permission."},
	{"sys-admin", MEANS_ROOT, admin,
	 "It can mount, and much else (sys_admin); with seccomp or AppArmor off too, that is as "
	 "good as "
	 "root of the host."},
	{"pid", MEANS_GONE, pid_gone,
	 "Processes: it sees every one of the host, with its arguments."},
	{"net", MEANS_GONE, net_gone,
	 "Network: it has the host's own interfaces, and reaches what listens on 127.0.0.1 there, "
	 "and "
	 "abstract sockets."},
	{"ipc", MEANS_GONE, ipc_gone,
	 "Shared memory: the host's, /dev/shm and System V segments included."},
	{"uts", MEANS_GONE, uts_gone, "Host name: the host's own, which root with sys_admin sets."},
	{"cgroup", MEANS_GONE, cgroup_gone, "Cgroups: it sees the host's whole tree."},
	{"joined", MEANS_GONE, joined, "It shares @."},
	{"filters", MEANS_GONE, filters_gone, "Filters: @."},
	{"reads-root", MEANS_READ, meaning_reads_root,
	 "Every file of the host at @: passwords, keys, other containers' files and volumes."},
	{"reads-proc", MEANS_READ, meaning_reads_proc,
	 "Every process of the host at @: its arguments, and the environment and files of "
	 "those with no more rights than it can have; of the others only with sys_ptrace."},
	{"reads-paths", MEANS_READ, meaning_reads_paths, "@."},
	{"reads-any", MEANS_READ, reads_any,
	 "Any file of a file system it has a part of, by its handle (dac_read_search)."},
	{"shallow-ro", MEANS_WRITE, meaning_shallow_ro,
	 "Below @ all that is a mount of its own (such as /proc/sys, /dev/shm, /sys/fs/cgroup): "
	 "'ro' is "
	 "only for the top mount."},
	{"writes-paths", MEANS_WRITE, meaning_writes_paths, "@."},
	{"signals", MEANS_DO, signals,
	 "Signal and kill the host's processes (its root, any of them)."},
	{"net-admin", MEANS_DO, net_admin,
	 "Change the host's interfaces, routes and firewall (net_admin)."},
	{"net-raw", MEANS_DO, net_raw,
	 "Read and forge packets on the host's interfaces (net_raw)."},
	{"kernel-watch", MEANS_DO, kernel_watch,
	 "Load BPF programs and use perf: it sees what every process does (bpf, perfmon)."},
	{"gpus", MEANS_DO, gpus,
	 "Use its GPUs (@): the driver's ways into the kernel, and what others left in their "
	 "memory."},
	{"host-state", MEANS_DO, host_state, "With the host itself: @."},
	{"kept-ns", MEANS_KEPT, kept_ns, "Of its own: @."},
	{"kept-caps", MEANS_KEPT, kept_caps, "Capabilities: @."},
	{"kept-rest", MEANS_KEPT, kept_rest, "And: @."},
	{"pinned", MEANS_NOTE, meaning_pinned,
	 "What the host mounts later is not seen below @, and what it unmounts stays in use there: "
	 "'rslave' would mend both."},
	{"received", MEANS_NOTE, meaning_received,
	 "What the host mounts later appears below @ where the host's mounts are shared (systemd's "
	 "are), "
	 "and who is in it then keeps the host from unmounting it."},
	{"by-user", MEANS_NOTE, by_user,
	 "This is what it gives when root runs it. A user's bwrap makes a user namespace, and "
	 "gives no "
	 "more than that user has."},
	{"slave", MEANS_NOTE, meaning_slave,
	 "Docker refuses 'rslave' where the host's @ is no shared mount (hosts without systemd)."},
	{"ports", MEANS_NOTE, ports, "Ports that are reachable from outside: @."},
	{"unbound", MEANS_NOTE, unbound,
	 "This host cannot give @: docker, runc and crun then refuse to start it."},
	{"open-image", MEANS_NOTE, open_image,
	 "@ is taken for the image, and what follows it for the command: if it stands for options, "
	 "or is the value of one, neither they nor those that follow are counted. Write it out."},
	{"unknown", MEANS_NOTE, unknown, "Not understood, and so not counted: @."},
	{},
};

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/sem.h>
#include <sys/shm.h>

#include "base/str.h"
#include "sys/caps.h"
#include "sys/seccomp_filter.h"

/* The newest call that we know whether to allow: Linux 6.7. What came later does not exist. */
#define NEWEST "futex_requeue"

enum {
	CODE_MAX = 1024,
	SKIP = 2,		     /* instructions before an architecture's own */
	NEW_NAMESPACES = 0x7e020000, /* CLONE_NEW*, without NEWTIME, which only clone3(2) has */
	ARM_PRIVATE = 0xf0000,
	GAP_FIRST = 335, /* of x86-64's numbers: none then */
	GAP_LAST = 423,
	VSOCK = 40, /* AF_VSOCK: reaches a hypervisor past all namespaces */
};

/* Calls that fail for who has none of these capabilities; with 0, for everybody. */
static const struct {
	uint64_t caps;
	const char *calls;
} denied[] = {
	/* keys have no namespace; what else is here is of the whole kernel, or long gone */
	{0, "add_key request_key keyctl kexec_load kexec_file_load swapon swapoff pivot_root "
	    "userfaultfd migrate_pages move_pages io_uring_setup io_uring_enter io_uring_register "
	    "uselib ustat sysfs _sysctl create_module get_kernel_syms query_module nfsservctl "
	    "getpmsg putpmsg afs_syscall tuxcall security vserver vm86 vm86old bdflush idle "
	    "pciconfig_iobase pciconfig_read pciconfig_write"},
	{CAPS_BIT(CAP_SYS_ADMIN),
	 "fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr "
	 "move_mount "
	 "open_tree quotactl quotactl_fd setdomainname sethostname setns umount umount2 unshare"},
	{CAPS_BIT(CAP_SYS_ADMIN) | CAPS_BIT(CAP_BPF), "bpf"},
	{CAPS_BIT(CAP_SYS_ADMIN) | CAPS_BIT(CAP_PERFMON), "perf_event_open"},
	{CAPS_BIT(CAP_SYS_ADMIN) | CAPS_BIT(CAP_SYSLOG), "syslog"},
	{CAPS_BIT(CAP_DAC_READ_SEARCH), "open_by_handle_at"},
	{CAPS_BIT(CAP_SYS_BOOT), "reboot"},
	{CAPS_BIT(CAP_SYS_CHROOT), "chroot"},
	{CAPS_BIT(CAP_SYS_MODULE), "init_module finit_module delete_module"},
	{CAPS_BIT(CAP_SYS_PACCT), "acct"},
	{CAPS_BIT(CAP_SYS_PTRACE), "kcmp pidfd_getfd process_madvise"},
	{CAPS_BIT(CAP_SYS_RAWIO), "iopl ioperm"},
	{CAPS_BIT(CAP_SYS_TIME), "settimeofday stime clock_settime clock_settime64"},
	{CAPS_BIT(CAP_SYS_TTY_CONFIG), "vhangup"},
	{CAPS_BIT(CAP_SYS_NICE), "mbind get_mempolicy set_mempolicy set_mempolicy_home_node"},
};

/* Calls that change what a System V or POSIX queue, semaphore or shared memory of others holds (to
 * receive takes away), or make one; ipc(2) is all of them in one, on 32 bits. */
static const char ipc_changes[] =
	"ipc mq_timedsend mq_timedsend_time64 mq_timedreceive mq_timedreceive_time64 mq_unlink "
	"mq_notify msgsnd msgrcv semop semtimedop semtimedop_time64";

/* And with such arguments: where `mask` of it is `value`. */
static const struct {
	const char *call;
	uint8_t arg;
	uint32_t mask, value;
} ipc_changing[] = {
	{"mq_open", 1, O_ACCMODE, O_WRONLY},	{"mq_open", 1, O_ACCMODE, O_RDWR},
	{"mq_open", 1, O_CREAT, O_CREAT},	{"msgget", 1, IPC_CREAT, IPC_CREAT},
	{"msgget", 0, UINT32_MAX, IPC_PRIVATE}, {"semget", 2, IPC_CREAT, IPC_CREAT},
	{"semget", 0, UINT32_MAX, IPC_PRIVATE}, {"shmget", 2, IPC_CREAT, IPC_CREAT},
	{"shmget", 0, UINT32_MAX, IPC_PRIVATE}, {"shmat", 2, SHM_RDONLY, 0},
	{"semctl", 2, ~0x100U, SETVAL}, /* 0x100: a flag of older architectures */
	{"semctl", 2, ~0x100U, SETALL},
};

struct program {
	struct sock_filter *code;
	size_t n;
	uint32_t arch;
};

static void put(struct program *f, uint16_t op, uint32_t k, uint8_t yes, uint8_t no)
{
	if (f->n < CODE_MAX)
		f->code[f->n++] = (struct sock_filter){op, yes, no, k};
}

static void load(struct program *f, size_t offset)
{
	put(f, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

/* The lower half of an argument: the kernel takes no more of those that are looked at. */
static void load_arg(struct program *f, uint8_t i)
{
	load(f, offsetof(struct seccomp_data, args) + i * sizeof(uint64_t) +
			(__BYTE_ORDER == __BIG_ENDIAN ? 4 : 0));
}

static void answer(struct program *f, uint32_t with)
{
	put(f, BPF_RET | BPF_K, with, 0, 0);
}

static void fail(struct program *f, int num)
{
	answer(f, SECCOMP_RET_ERRNO | (uint32_t)num);
}

/* Pass over the next `n` instructions unless it is this call. False: there is none of that name. */
static bool only_for(struct program *f, const char *call, size_t n)
{
	int nr = seccomp_syscall_resolve_name_arch(f->arch, call);

	if (nr < 0)
		return false;
	put(f, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, (uint8_t)n);
	return true;
}

static void deny(struct program *f, const char *calls)
{
	char name[32];

	for (size_t len; *calls; calls += len + strspn(calls + len, " ")) {
		len = strcspn(calls, " ");
		snprintf(name, sizeof(name), "%.*s", (int)len, calls);
		if (only_for(f, name, 1))
			fail(f, EPERM);
	}
}

static void deny_ipc_changes(struct program *f)
{
	deny(f, ipc_changes);
	for (size_t i = 0; i < ARRAY_LEN(ipc_changing); i++) {
		if (!only_for(f, ipc_changing[i].call, 5))
			continue;
		load_arg(f, ipc_changing[i].arg);
		put(f, BPF_ALU | BPF_AND | BPF_K, ipc_changing[i].mask, 0, 0);
		put(f, BPF_JMP | BPF_JEQ | BPF_K, ipc_changing[i].value, 0, 1);
		fail(f, EPERM);
		load(f, offsetof(struct seccomp_data, nr));
	}
}

/* No new namespaces; what clone3(2) asks for cannot be seen, so that it is not there. */
static void deny_namespaces(struct program *f)
{
	if (only_for(f, "clone3", 1))
		fail(f, ENOSYS);
	if (!only_for(f, "clone", 4))
		return;
	load_arg(f, 0);
	put(f, BPF_JMP | BPF_JSET | BPF_K, NEW_NAMESPACES, 0, 1);
	fail(f, EPERM);
	answer(f, SECCOMP_RET_ALLOW);
}

/* Those of Linux on the same machine (UNAME26, PER_LINUX32), and asking. */
static void deny_arguments(struct program *f)
{
	static const uint32_t personas[] = {0, 8, 0x20000, 0x20008, 0xffffffff};
	const uint8_t n = ARRAY_LEN(personas);

	if (only_for(f, "socket", 4)) {
		load_arg(f, 0);
		put(f, BPF_JMP | BPF_JEQ | BPF_K, VSOCK, 0, 1);
		fail(f, EPERM);
		answer(f, SECCOMP_RET_ALLOW);
	}
	if (!only_for(f, "personality", n + 3U))
		return;
	load_arg(f, 0);
	for (uint8_t i = 0; i < n; i++)
		put(f, BPF_JMP | BPF_JEQ | BPF_K, personas[i], (uint8_t)(n - i), 0);
	fail(f, EPERM);
	answer(f, SECCOMP_RET_ALLOW);
}

/* All for one architecture; what is called by another's numbers goes past it. */
static void add_arch(struct program *f, uint32_t arch, uint64_t caps, bool ipc_ro)
{
	const size_t start = f->n;

	f->arch = arch;
	put(f, BPF_JMP | BPF_JEQ | BPF_K, arch, 1, 0);
	put(f, BPF_JMP | BPF_JA, 0, 0, 0);
	load(f, offsetof(struct seccomp_data, nr));
	if (arch == SCMP_ARCH_ARM) { /* set_tls and its like */
		put(f, BPF_JMP | BPF_JGE | BPF_K, ARM_PRIVATE, 0, 1);
		answer(f, SECCOMP_RET_ALLOW);
	}
	put(f, BPF_JMP | BPF_JGT | BPF_K, (uint32_t)seccomp_syscall_resolve_name_arch(arch, NEWEST),
	    0, 1);
	fail(f, ENOSYS);
	if (arch == SCMP_ARCH_X86_64) {
		put(f, BPF_JMP | BPF_JGE | BPF_K, GAP_FIRST, 0, 2);
		put(f, BPF_JMP | BPF_JGT | BPF_K, GAP_LAST, 1, 0);
		fail(f, ENOSYS);
	}
	for (size_t i = 0; i < ARRAY_LEN(denied); i++)
		if (!(denied[i].caps & caps))
			deny(f, denied[i].calls);
	if (ipc_ro)
		deny_ipc_changes(f);
	if (!(caps & CAPS_BIT(CAP_SYS_ADMIN)))
		deny_namespaces(f);
	deny_arguments(f);
	answer(f, SECCOMP_RET_ALLOW);
	f->code[start + 1].k = (uint32_t)(f->n - start - SKIP);
}

int seccomp_filter_default(uint64_t caps, bool ipc_ro, struct seccomp_filter *out)
{
	struct program f = {.code = calloc(CODE_MAX, sizeof(*f.code))};
	const uint32_t native = seccomp_arch_native();

	*out = (struct seccomp_filter){};
	if (!f.code)
		return -ENOMEM;
	load(&f, offsetof(struct seccomp_data, arch));
	add_arch(&f, native, caps, ipc_ro);
	if (native == SCMP_ARCH_X86_64)
		add_arch(&f, SCMP_ARCH_X86, caps, ipc_ro);
	if (native == SCMP_ARCH_AARCH64)
		add_arch(&f, SCMP_ARCH_ARM, caps, ipc_ro);
	answer(&f, SECCOMP_RET_KILL_PROCESS);
	*out = (struct seccomp_filter){.code = f.code, .n = (unsigned short)f.n};
	return 0;
}

/* One rule; `arg` is of its arguments, or NULL. */
static void add_rule(json_t *rules, const char *calls, int num, json_t *arg)
{
	_cleanup_strv_ struct strv v = {};
	json_t *names = json_array();

	strv_split(&v, calls, " ");
	for (size_t i = 0; i < v.n; i++)
		json_array_append_new(names, json_string(v.v[i]));
	json_array_append_new(rules, json_pack("{s:o,s:s,s:i,s:o*}", "names", names, "action",
					       "SCMP_ACT_ERRNO", "errnoRet", num, "args", arg));
}

/* Where `mask` of an argument is `value`. */
static json_t *one_arg(uint8_t arg, uint32_t mask, uint32_t value)
{
	return json_pack("[{s:i,s:I,s:I,s:s}]", "index", (int)arg, "value", (json_int_t)mask,
			 "valueTwo", (json_int_t)value, "op", "SCMP_CMP_MASKED_EQ");
}

json_t *seccomp_default_oci(uint64_t caps, bool ipc_ro)
{
	json_t *rules = json_array(), *archs = json_array();
	const uint32_t native = seccomp_arch_native();

	for (size_t i = 0; i < ARRAY_LEN(denied); i++)
		if (!(denied[i].caps & caps))
			add_rule(rules, denied[i].calls, EPERM, NULL);
	for (uint32_t bit = 1; bit && !(caps & CAPS_BIT(CAP_SYS_ADMIN)); bit <<= 1)
		if (NEW_NAMESPACES & bit)
			add_rule(rules, "clone", EPERM, one_arg(0, bit, bit));
	if (!(caps & CAPS_BIT(CAP_SYS_ADMIN)))
		add_rule(rules, "clone3", ENOSYS, NULL);
	add_rule(rules, "socket", EPERM, one_arg(0, UINT32_MAX, VSOCK));
	if (ipc_ro)
		add_rule(rules, ipc_changes, EPERM, NULL);
	for (size_t i = 0; ipc_ro && i < ARRAY_LEN(ipc_changing); i++)
		add_rule(rules, ipc_changing[i].call, EPERM,
			 one_arg(ipc_changing[i].arg, ipc_changing[i].mask, ipc_changing[i].value));
	if (native == SCMP_ARCH_X86_64) {
		json_array_append_new(archs, json_string("SCMP_ARCH_X86_64"));
		json_array_append_new(archs, json_string("SCMP_ARCH_X86"));
	} else if (native == SCMP_ARCH_AARCH64) {
		json_array_append_new(archs, json_string("SCMP_ARCH_AARCH64"));
		json_array_append_new(archs, json_string("SCMP_ARCH_ARM"));
	}
	return json_pack("{s:s,s:o,s:o}", "defaultAction", "SCMP_ACT_ALLOW", "architectures", archs,
			 "syscalls", rules);
}

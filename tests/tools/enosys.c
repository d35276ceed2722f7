/*
 * Run a command on a kernel that lacks something: seccomp answers chosen system calls with an
 *error.
 *
 *	enosys RULE[,RULE...] -- CMD [ARG...]
 *
 * RULE is NAME[/INDEX=VALUE][:ERRNO], as in "fsopen", "fsopen:ENODEV",
 *"ioctl/1=LOOP_CONFIGURE:EINVAL". Without ERRNO it is ENOSYS; with /INDEX=VALUE only calls whose
 *argument INDEX (0 to 5, its low 32 bits) has that value. "mountapi" stands for all of fsopen
 *fsconfig fsmount fspick move_mount open_tree mount_setattr. The filter is inherited by everything
 *CMD starts.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/loop.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#error "this architecture's audit number is not known here"
#endif

struct word {
	const char *name;
	long value;
};

static const struct word calls[] = {
	{"fsopen", SYS_fsopen},
	{"fsconfig", SYS_fsconfig},
	{"fsmount", SYS_fsmount},
	{"fspick", SYS_fspick},
	{"move_mount", SYS_move_mount},
	{"open_tree", SYS_open_tree},
	{"mount_setattr", SYS_mount_setattr},
	{"mount", SYS_mount},
	{"openat2", SYS_openat2},
	{"pidfd_open", SYS_pidfd_open},
	{"pidfd_send_signal", SYS_pidfd_send_signal},
	{"pidfd_getfd", SYS_pidfd_getfd},
	{"setns", SYS_setns},
	{"unshare", SYS_unshare},
	{"clone3", SYS_clone3},
	{"close_range", SYS_close_range},
	{"copy_file_range", SYS_copy_file_range},
	{"statx", SYS_statx},
	{"ioctl", SYS_ioctl},
	{"mknodat", SYS_mknodat},
#ifdef SYS_mknod
	{"mknod", SYS_mknod},
#endif
	{"bpf", SYS_bpf},
	{"ptrace", SYS_ptrace},
	{"kcmp", SYS_kcmp},
	{"name_to_handle_at", SYS_name_to_handle_at},
	{"perf_event_open", SYS_perf_event_open},
};

static const char *const mountapi[] = {
	"fsopen", "fsconfig", "fsmount", "fspick", "move_mount", "open_tree", "mount_setattr",
};

static const struct word values[] = {
	{"LOOP_CONFIGURE", LOOP_CONFIGURE},
	{"LOOP_CTL_GET_FREE", LOOP_CTL_GET_FREE},
	{"LOOP_SET_FD", LOOP_SET_FD},
	{"LOOP_SET_STATUS64", LOOP_SET_STATUS64},
};

static const struct word errors[] = {
	{"ENOSYS", ENOSYS}, {"EINVAL", EINVAL},	  {"EPERM", EPERM},   {"EACCES", EACCES},
	{"ENODEV", ENODEV}, {"ENOTBLK", ENOTBLK}, {"ENOTTY", ENOTTY}, {"EBUSY", EBUSY},
	{"EMFILE", EMFILE}, {"ENOMEM", ENOMEM},
};

static struct sock_filter prog[512];
static size_t len;

static void fail(const char *what, const char *word)
{
	fprintf(stderr, "enosys: %s: %s\n", what, word);
	exit(125);
}

static long look_up(const struct word *table, size_t n, const char *name, const char *what)
{
	char *end;
	long v;

	for (size_t i = 0; i < n; i++)
		if (strcmp(table[i].name, name) == 0)
			return table[i].value;
	v = strtol(name, &end, 0);
	if (!*name || *end)
		fail(what, name);
	return v;
}
#define LOOK_UP(table, name, what) look_up(table, sizeof(table) / sizeof(table[0]), name, what)

static void add(struct sock_filter f)
{
	if (len == sizeof(prog) / sizeof(prog[0]))
		fail("too many rules", "");
	prog[len++] = f;
}

/* The accumulator holds the call's number before and after. */
static void rule(const char *name, long index, long value, long num)
{
	unsigned nr = (unsigned)LOOK_UP(calls, name, "no such system call here");
	unsigned ret = SECCOMP_RET_ERRNO | ((unsigned)num & SECCOMP_RET_DATA);

	if (index < 0) {
		add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1));
		add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, ret));
		return;
	}
	add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 4));
	add((struct sock_filter)BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS,
		(unsigned)(offsetof(struct seccomp_data, args) + (size_t)index * 8)));
	add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)value, 0, 1));
	add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, ret));
	add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					 offsetof(struct seccomp_data, nr)));
}

static void parse(char *text)
{
	char *num = strchr(text, ':'), *arg, *eq;
	long index = -1, value = 0, error = ENOSYS;

	if (num) {
		*num++ = '\0';
		error = LOOK_UP(errors, num, "no such errno here");
	}
	arg = strchr(text, '/');
	if (arg) {
		*arg++ = '\0';
		eq = strchr(arg, '=');
		if (!eq || eq != arg + 1 || *arg < '0' || *arg > '5')
			fail("an argument is /INDEX=VALUE, not", arg);
		index = *arg - '0';
		value = LOOK_UP(values, eq + 1, "no such value here");
	}
	if (strcmp(text, "mountapi") != 0) {
		rule(text, index, value, error);
		return;
	}
	for (size_t i = 0; i < sizeof(mountapi) / sizeof(mountapi[0]); i++)
		rule(mountapi[i], index, value, error);
}

int main(int argc, char **argv)
{
	struct sock_fprog filter = {.filter = prog};
	int cmd = argc > 2 && strcmp(argv[2], "--") == 0 ? 3 : 2;
	char *save = NULL;

	if (argc <= cmd)
		fail("usage", "enosys RULE[,RULE...] -- CMD [ARG...]");
	add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					 offsetof(struct seccomp_data, arch)));
	add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0));
	add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
	add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					 offsetof(struct seccomp_data, nr)));
	for (char *p = strtok_r(argv[1], ",", &save); p; p = strtok_r(NULL, ",", &save))
		parse(p);
	add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	filter.len = (unsigned short)len;
	/* no no_new_privs: the tests are root, and setuid programs must go on working */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0 &&
	    (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	     syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0)) {
		perror("enosys: seccomp");
		return 125;
	}
	execvp(argv[cmd], argv + cmd);
	perror(argv[cmd]);
	return 127;
}

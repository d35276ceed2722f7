/* See what a program opens: seccomp stops at open and execve only, so the rest runs at full speed.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kit/check.h"

/* System calls that take a path, and which argument it is. */
static const struct call {
	int nr, arg;
	bool exec;
} calls[] = {
#ifdef SYS_open
	{SYS_open, 0, false},
#endif
	{SYS_openat, 1, false}, {SYS_openat2, 1, false},
	{SYS_execve, 0, true},	{SYS_execveat, 1, true},
};

int trace_filter(void)
{
	struct sock_filter f[2 + 2 * ARRAY_LEN(calls)];
	struct sock_fprog prog = {.filter = f};
	size_t n = 0;

	f[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					      offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
						      (unsigned)calls[i].nr, 0, 1);
		f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
	}
	f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	prog.len = (unsigned short)n;
	/* with CAP_SYS_ADMIN of our user namespace no_new_privs is not needed */
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0 ? -errno : 0;
}

int trace_start(pid_t pid)
{
	long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
		       PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;

	return ptrace(PTRACE_SEIZE, pid, 0, options) < 0 ? -errno : 0;
}

/* The path an argument points at; false when it cannot be read. */
static bool read_path(pid_t pid, uint64_t addr, char *out, size_t size)
{
	/* a string near the end of its page: stop at the page's end first */
	size_t first = 4096 - addr % 4096;
	struct iovec to = {out, first < size - 1 ? first : size - 1};
	struct iovec from = {(void *)(uintptr_t)addr, to.iov_len};
	ssize_t n = process_vm_readv(pid, &to, 1, &from, 1, 0);

	if (n <= 0)
		return false;
	out[n] = '\0';
	if (strlen(out) == (size_t)n && (size_t)n < size - 1) {
		to = (struct iovec){out + n, size - 1 - (size_t)n};
		from = (struct iovec){(void *)(uintptr_t)(addr + (uint64_t)n), to.iov_len};
		n += process_vm_readv(pid, &to, 1, &from, 1, 0) > 0 ? (ssize_t)to.iov_len : 0;
		out[n] = '\0';
	}
	return true;
}

static void look(struct trace *t, pid_t pid)
{
	struct __ptrace_syscall_info info;
	char path[sizeof(t->path)];

	if (t->path[0] || ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0 ||
	    info.op != PTRACE_SYSCALL_INFO_SECCOMP)
		return;
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		if (info.seccomp.nr != (uint64_t)calls[i].nr ||
		    !read_path(pid, info.seccomp.args[calls[i].arg], path, sizeof(path)))
			continue;
		if (path[0] != '/' || !checks_is_bad(t->checks, path))
			continue;
		memcpy(t->path, path, sizeof(path));
		t->exec = calls[i].exec;
	}
}

void trace_event(struct trace *t, pid_t pid, int status)
{
	int event = status >> 16, sig = WSTOPSIG(status);

	if (event == PTRACE_EVENT_SECCOMP)
		look(t, pid);
	if (event == PTRACE_EVENT_STOP && sig != SIGTRAP) {
		/* stopped by job control: leave it so until it is continued */
		ptrace(PTRACE_LISTEN, pid, 0, 0);
		return;
	}
	ptrace(PTRACE_CONT, pid, 0, event ? 0 : sig);
}

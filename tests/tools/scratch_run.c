/* Namespaces, identity and start of a scratch container. See scratch.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scratch.h"

static int fail(const char *what)
{
	fprintf(stderr, "scratch: %s: %s\n", what, strerror(errno));
	return 1;
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return n < 0 ? fail(path) : 0;
}

static int lo_up(void)
{
	struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int ret = fd < 0 ? -1 : ioctl(fd, SIOCSIFFLAGS, &r);

	if (fd >= 0)
		close(fd);
	return ret < 0 ? fail("lo") : 0;
}

/* "net:1234" */
static int join(const char *spec)
{
	char path[64];
	const char *colon = strchr(spec, ':');
	int fd;

	if (!colon)
		return fail(spec);
	snprintf(path, sizeof(path), "/proc/%d/ns/%.*s", atoi(colon + 1), (int)(colon - spec),
		 spec);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, 0) < 0)
		return fail(path);
	return close(fd);
}

static int drop(const struct scratch *s)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {0};
	gid_t gid = (gid_t)s->uid;

	if (!s->caps)
		for (int c = 0; c <= 63; c++)
			prctl(PR_CAPBSET_DROP, c);
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(gid, gid, gid) < 0)
		return fail("identity");
	if (!s->caps && syscall(SYS_capset, &h, none) < 0)
		return fail("capset");
	if (s->nnp && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail("no_new_privs");
	return 0;
}

/* Standard streams of a container nobody watches. */
static int detach_stdio(int null)
{
	for (int fd = 0; fd < 3; fd++)
		if (dup2(null, fd) < 0)
			return fail("standard streams");
	return 0;
}

/* [child] Everything up to exec; returns only when that failed. */
static int init_main(const struct scratch *s, int go_fd)
{
	static char *envp[SCRATCH_MAX + 2] = {"PATH=/usr/local/bin:/usr/bin:/bin"};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	char c;

	if (null < 0 || read(go_fd, &c, 1) != 1)
		return fail("start");
	if ((s->flags & CLONE_NEWUSER) && (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
		return fail("root of the user namespace");
	if ((s->flags & CLONE_NEWNET) && lo_up())
		return 1;
	if ((s->flags & CLONE_NEWUTS) && sethostname(s->hostname, strlen(s->hostname)) < 0)
		return fail("hostname");
	if (scratch_root(s) < 0 || drop(s))
		return 1;
	if (s->pdeathsig) /* after setresuid(2), which clears it */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; i < s->n_env; i++)
		envp[i + 1] = s->env[i];
	/* room for --big-env: exec takes a quarter of the stack's limit */
	setrlimit(RLIMIT_STACK, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY});
	setsid();
	if (!s->stdio && detach_stdio(null))
		return 1;
	execve(s->cmd[0], s->cmd, envp);
	return fail(s->cmd[0]);
}

/* [child] A byte on `ready_fd` says that it failed; its end (exec closes it) that the app runs. */
static void child(const struct scratch *s, int ready_fd, int go_fd)
{
	int ret = init_main(s, go_fd);

	if (write(ready_fd, "!", 1) != 1)
		ret = 1;
	_exit(ret);
}

static int write_maps(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	if (write_file(path, "0 100000 65536\n"))
		return 1;
	snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
	return write_file(path, "0 100000 65536\n");
}

static int wait_end(const struct scratch *s, pid_t pid)
{
	int st;

	while (s->no_reap)
		pause();
	while (waitpid(pid, &st, 0) < 0)
		if (errno != EINTR)
			return fail("wait");
	return WIFSIGNALED(st) ? 128 + WTERMSIG(st) : WEXITSTATUS(st);
}

static int report(const struct scratch *s, pid_t pid)
{
	FILE *f = s->pidfile ? fopen(s->pidfile, "we") : stdout;

	if (!f || fprintf(f, "%d\n", pid) < 0 || (s->pidfile ? fclose(f) : fflush(f)) != 0)
		return fail("pid file");
	return 0;
}

int scratch_run(const struct scratch *s)
{
	int ready[2], go[2];
	char c;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(go, O_CLOEXEC) < 0)
		return fail("pipe");
	for (int i = 0; i < s->n_join; i++)
		if (join(s->join[i]))
			return 1;
	pid = (pid_t)syscall(SYS_clone, (long)(s->flags | SIGCHLD), NULL, NULL, NULL, NULL);
	if (pid < 0)
		return fail("clone");
	if (pid == 0) {
		close(ready[0]);
		close(go[1]);
		child(s, ready[1], go[0]);
	}
	close(ready[1]);
	if ((s->flags & CLONE_NEWUSER) && write_maps(pid)) {
		kill(pid, SIGKILL);
		return 1;
	}
	if (write(go[1], "g", 1) != 1)
		return fail("go");
	if (read(ready[0], &c, 1) != 0) {
		waitpid(pid, NULL, 0);
		return 1;
	}
	return report(s, pid) ? 1 : s->foreground ? wait_end(s, pid) : 0;
}

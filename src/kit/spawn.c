#include "kit/spawn.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/fd.h"

/* [child] Never returns. Tells `report` the errno of a failed start. */
static _Noreturn void child(char *const *argv, const char *cwd, int out, int errfd, pid_t parent,
			    int report)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int num;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(out >= 0 ? out : null, STDOUT_FILENO);
		dup2(errfd >= 0 ? errfd : null, STDERR_FILENO);
	}
	if (!cwd || chdir(cwd) == 0)
		execvp(argv[0], argv);
	num = errno;
	if (write(report, &num, sizeof(num)) < 0)
		_exit(126);
	_exit(127);
}

pid_t spawn_start(char *const *argv, const char *cwd, int out, int errfd)
{
	_cleanup_close_ int rd = -EBADF;
	pid_t parent = getpid(), pid;
	int p[2], num = 0;
	ssize_t n;

	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	rd = p[0];
	setenv("LC_ALL", "C", 1);
	pid = fork();
	if (pid == 0)
		child(argv, cwd, out, errfd, parent, p[1]);
	num = pid < 0 ? errno : 0;
	close(p[1]);
	if (pid < 0)
		return -num;
	do
		n = read(rd, &num, sizeof(num));
	while (n < 0 && errno == EINTR);
	if (n != sizeof(num))
		return pid;
	spawn_wait(pid);
	return -num;
}

int spawn_wait(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Read what is there; false at the end of the stream. */
static bool drain(int fd, struct buf *b)
{
	char chunk[16384];
	ssize_t n = read(fd, chunk, sizeof(chunk));

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	if (b && b->len < SPAWN_OUTPUT_MAX)
		buf_add(b, chunk, (size_t)n);
	return n > 0;
}

int spawn_run(char *const *argv, const char *cwd, struct buf *out, struct buf *errs)
{
	int o[2], r[2];
	pid_t pid;
	bool open_o = true, open_r = true;

	if (pipe2(o, O_CLOEXEC) < 0)
		return -errno;
	_cleanup_close_ int o0 = o[0];
	int o1 = o[1];

	if (pipe2(r, O_CLOEXEC) < 0) {
		int num = errno;

		close(o1);
		return -num;
	}
	_cleanup_close_ int r0 = r[0];

	pid = spawn_start(argv, cwd, o1, r[1]);
	close(o1);
	close(r[1]);
	if (pid < 0)
		return pid;
	while (open_o || open_r) {
		struct pollfd p[] = {{open_o ? o0 : -1, POLLIN, 0}, {open_r ? r0 : -1, POLLIN, 0}};

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			break;
		if (p[0].revents)
			open_o = drain(o0, out);
		if (p[1].revents)
			open_r = drain(r0, errs);
	}
	return spawn_wait(pid);
}

#include "session/leave.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "sys/ns.h"
#include "sys/proc.h"

enum { PRIORITY = -20 };

static void nap(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

/* Kill each child listed in the host's /proc/self/task/self/children; the numbers are those of that
 * procfs, whatever our own pid namespace. */
static int kill_listed(int host_proc)
{
	_cleanup_free_ char *list = NULL;
	_cleanup_close_ int fd = openat(host_proc, "thread-self/children", O_RDONLY | O_CLOEXEC);
	char *save = NULL;
	int killed = 0;

	if (fd < 0 || fd_read_all(fd, 16 << 20, &list, NULL) < 0)
		return -ENOENT;
	for (char *pid = strtok_r(list, " \n", &save); pid; pid = strtok_r(NULL, " \n", &save)) {
		_cleanup_close_ int dir = openat(host_proc, pid, O_DIRECTORY | O_CLOEXEC);

		killed += dir >= 0 && proc_signal(host_proc, dir, SIGKILL) == 0;
	}
	return killed;
}

void leave_children(int host_proc)
{
	int idle = 0;

	for (;;) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);

		if (pid > 0)
			continue;
		if (pid < 0 && errno == ECHILD)
			return;
		if (!idle) /* some may fork as fast as they can */
			setpriority(PRIO_PROCESS, 0, PRIORITY);
		if (kill_listed(host_proc) <= 0 && ++idle > 500)
			return; /* a second without being able to kill: nothing more can be done */
		nap();
	}
}

static bool has_cookie(int pid_dir, const char *cookie)
{
	_cleanup_free_ char *env = NULL;
	_cleanup_close_ int fd = openat(pid_dir, "environ", O_RDONLY | O_CLOEXEC);
	char want[64];
	size_t len, n;

	n = (size_t)snprintf(want, sizeof(want), "PORTHOLE_SESSION=%s", cookie);
	if (fd < 0 || fd_read_all(fd, 8 << 20, &env, &len) < 0)
		return false;
	return memmem(env, len, want, n + 1) != NULL;
}

static int sweep_once(int host_proc, ino_t mnt_ns, const char *cookie)
{
	_cleanup_dir_ DIR *d = NULL;
	_cleanup_close_ int fd = openat(host_proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	static const struct ns_type mnt = {"mnt", "ns/mnt", 0};
	struct dirent *de;
	int killed = 0;

	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		return 0;
	TAKE_FD(fd);
	while ((de = readdir(d))) {
		_cleanup_close_ int dir = -EBADF;

		if (de->d_name[0] < '1' || de->d_name[0] > '9')
			continue;
		dir = openat(host_proc, de->d_name, O_DIRECTORY | O_CLOEXEC);
		if (dir < 0)
			continue;
		if ((mnt_ns && ns_inode(dir, &mnt) == mnt_ns) || has_cookie(dir, cookie))
			killed += proc_signal(host_proc, dir, SIGKILL) == 0;
	}
	return killed;
}

int leave_sweep(int host_proc, int mnt_ns, const char *cookie)
{
	struct stat st = {};
	int killed = 0, idle = 0;

	if (mnt_ns >= 0 && fstat(mnt_ns, &st) < 0)
		st.st_ino = 0;
	/* twice nothing: a process has no environment to be seen for a moment of its execve(2) */
	for (int round = 0; round < 200 && idle < 2; round++) {
		int n = sweep_once(host_proc, st.st_ino, cookie);

		idle = n ? 0 : idle + 1;
		killed += n;
		if (idle < 2)
			nap();
	}
	return killed;
}

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

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "sys/ns.h"
#include "sys/proc.h"

enum { PRIORITY = -20, SWEEP_MS = 5000 };

static void nap(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

/* A virtual machine, or what works for one. */
static bool is_guest(int pid_dir)
{
	static const char *const names[] = {"qemu-system", "qemu-kvm", "kvm",	    "cloud-hyperv",
					    "firecracker", "crosvm",   "virtiofsd", "swtpm"};
	char comm[32];

	if (file_read_small_at(pid_dir, "comm", comm, sizeof(comm)) <= 0)
		return false;
	comm[strcspn(comm, "\n")] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_starts(comm, names[i]))
			return true;
	return false;
}

static bool is_spared(int pid_dir, const char *cookie)
{
	return *cookie == LEAVE_GUESTS && is_guest(pid_dir);
}

/* Kill each child listed in the host's /proc/self/task/self/children; the numbers are those of that
 * procfs, whatever our own pid namespace. */
static int kill_listed(int host_proc, const char *cookie, int *spared)
{
	_cleanup_free_ char *list = NULL;
	_cleanup_close_ int fd = openat(host_proc, "thread-self/children", O_RDONLY | O_CLOEXEC);
	char *save = NULL;
	int killed = 0;

	*spared = 0;
	if (fd < 0 || fd_read_all(fd, 16 << 20, &list, NULL) < 0)
		return -ENOENT;
	for (char *pid = strtok_r(list, " \n", &save); pid; pid = strtok_r(NULL, " \n", &save)) {
		_cleanup_close_ int dir = openat(host_proc, pid, O_DIRECTORY | O_CLOEXEC);

		if (dir >= 0 && is_spared(dir, cookie))
			(*spared)++;
		else
			killed += dir >= 0 && proc_signal(host_proc, dir, SIGKILL) == 0;
	}
	return killed;
}

void leave_children(int host_proc, const char *cookie)
{
	int idle = 0, spared, killed;

	for (;;) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);

		if (pid > 0)
			continue;
		if (pid < 0 && errno == ECHILD)
			return;
		if (!idle) /* some may fork as fast as they can */
			setpriority(PRIO_PROCESS, 0, PRIORITY);
		killed = kill_listed(host_proc, cookie, &spared);
		if (killed == 0 && spared)
			return;
		if (killed <= 0 && ++idle > 500)
			return; /* a second without being able to kill: nothing more can be done */
		nap();
	}
}

/* What leave_sweep() is looking for. */
struct ours {
	ino_t mnt_ns; /* 0: not known */
	const char *cookie;
};

char *leave_env(int pid_dir, const char *start)
{
	_cleanup_free_ char *env = NULL;
	_cleanup_close_ int fd = openat(pid_dir, "environ", O_RDONLY | O_CLOEXEC);
	const char *at;
	size_t len;

	if (fd < 0 || fd_read_all(fd, 8 << 20, &env, &len) < 0)
		return NULL;
	at = memmem(env, len, start, strlen(start));
	return at ? strndup(at, 64) : NULL;
}

static bool is_of_session(int pid_dir, const void *arg)
{
	static const struct ns_type mnt = {"mnt", "ns/mnt", 0};
	const struct ours *o = arg;
	_cleanup_free_ char *var = NULL;
	char want[64];

	if (o->mnt_ns && ns_inode(pid_dir, &mnt) == o->mnt_ns)
		return true;
	snprintf(want, sizeof(want), "PORTHOLE_SESSION=%s", o->cookie);
	var = leave_env(pid_dir, want);
	return str_eq(var, want);
}

static bool is_ours(int pid_dir, const void *arg)
{
	const struct ours *o = arg;

	return is_of_session(pid_dir, o) && !is_spared(pid_dir, o->cookie);
}

static int sweep_once(int host_proc, bool (*is)(int pid_dir, const void *arg), const void *arg)
{
	_cleanup_dir_ DIR *d = dir_open(host_proc, ".");
	struct dirent *de;
	int killed = 0;

	if (!d)
		return 0;
	while ((de = readdir(d))) {
		_cleanup_close_ int dir = -EBADF;

		if (de->d_name[0] < '1' || de->d_name[0] > '9')
			continue;
		dir = openat(host_proc, de->d_name, O_DIRECTORY | O_CLOEXEC);
		if (dir >= 0 && is(dir, arg))
			killed += proc_signal(host_proc, dir, SIGKILL) == 0;
	}
	return killed;
}

int leave_sweep_of(int host_proc, bool (*is)(int pid_dir, const void *arg), const void *arg)
{
	const int64_t until = clock_ms() + SWEEP_MS;
	int killed = 0, idle = 0;

	/* twice nothing: a process has no environment to be seen for a moment of its execve(2); one
	 * that is killed is there until it comes to run */
	while (idle < 2 && clock_ms() < until) {
		int n = sweep_once(host_proc, is, arg);

		idle = n ? 0 : idle + 1;
		killed += n;
		if (idle < 2)
			nap();
	}
	return killed;
}

int leave_sweep(int host_proc, int mnt_ns, const char *cookie)
{
	struct ours o = {.cookie = cookie};
	struct stat st = {};

	if (mnt_ns >= 0 && fstat(mnt_ns, &st) == 0)
		o.mnt_ns = st.st_ino;
	return leave_sweep_of(host_proc, is_ours, &o);
}

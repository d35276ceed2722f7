/* sys/proc and sys/pidfd on ourselves and our children. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "sys/pidfd.h"
#include "sys/proc.h"
#include "sys/processor.h"

static int proc_fd = -EBADF;

static int open_proc(void **state)
{
	(void)state;
	proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return proc_fd < 0 ? -1 : 0;
}

/* A child that waits to be killed, called `comm`. */
static pid_t child(const char *comm)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, comm);
		for (;;)
			pause();
	}
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void test_stat(void **state)
{
	/* a name made to mislead a parser of /proc/PID/stat */
	static const char evil[] = ") Z 1 (x) 2";
	pid_t pid = child(evil);
	struct proc_stat st = {}, self;
	struct proc_status status;
	int64_t now = time(NULL);

	(void)state;
	for (int i = 0; i < 1000 && !str_eq(st.comm, evil); i++) {
		assert_int_equal(proc_stat_read_at(proc_fd, pid, &st), 0);
		usleep(1000);
	}
	assert_string_equal(st.comm, evil);
	assert_int_equal(st.pid, pid);
	assert_int_equal(st.ppid, getpid());
	assert_true(st.state == 'S' || st.state == 'R');
	assert_false(st.kthread);
	assert_int_equal(proc_stat_read_at(proc_fd, getpid(), &self), 0);
	assert_true(st.start >= self.start);
	assert_true(proc_start_time(st.start) >= now - 10 && proc_start_time(st.start) <= now + 10);
	assert_int_equal(proc_start_time(0), 0);
	assert_int_equal(proc_status_read_at(proc_fd, pid, &status), 0);
	assert_int_equal(status.tgid, pid);
	assert_int_equal(status.nspid[0], pid);
	assert_int_equal(status.ruid, getuid());
	assert_true(proc_ns_inode_at(proc_fd, pid, "mnt") > 0);
	assert_int_equal(proc_ns_inode_at(proc_fd, pid, "mnt"),
			 proc_ns_inode_at(proc_fd, getpid(), "mnt"));
	assert_int_equal(proc_ns_inode_at(proc_fd, pid, "nosuch"), 0);
	end(pid);
	assert_int_equal(proc_stat_read_at(proc_fd, pid, &st), -ENOENT);
}

static void test_dir_outlives_pid(void **state)
{
	pid_t pid = child("short");
	_cleanup_close_ int dir = proc_dir_open(proc_fd, pid);
	struct proc_stat st;

	(void)state;
	assert_true(dir >= 0);
	assert_int_equal(proc_stat_read(dir, &st), 0);
	end(pid);
	assert_int_equal(proc_stat_read(dir, &st), -ESRCH);
	assert_int_equal(proc_dir_open(proc_fd, pid), -ENOENT);
	assert_int_equal(proc_dir_open(proc_fd, 0), -EINVAL);
	assert_int_equal(proc_dir_open(proc_fd, -1), -EINVAL);
}

static void test_args(void **state)
{
	static const char args[] = "conmon\0-c\0id\0--machine=box\0-n\0\0last\0";
	size_t n = sizeof(args) - 1;
	char text[4096];

	(void)state;
	assert_string_equal(proc_arg(args, n, "-c"), "id");
	assert_string_equal(proc_arg(args, n, "--machine"), "box");
	assert_string_equal(proc_arg(args, n, "-n"), "");
	assert_null(proc_arg(args, n, "last"));
	assert_null(proc_arg(args, n, "-x"));
	assert_true(proc_cmdline_read(proc_fd, getpid(), text, sizeof(text)) > 0);
	assert_non_null(strstr(text, "test_proc"));
	/* cut to fit, still with its two NULs */
	memset(text, 'x', sizeof(text));
	assert_int_equal(proc_cmdline_read(proc_fd, getpid(), text, 8), 6);
	assert_int_equal(text[6], 0);
	assert_int_equal(text[7], 0);
}

static void test_pidfd(void **state)
{
	pid_t pid = child("held");
	_cleanup_close_ int fd = pidfd_get(pid);

	(void)state;
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_false(pidfd_has_ended(fd));
	kill(pid, SIGKILL);
	for (int i = 0; i < 1000 && !pidfd_has_ended(fd); i++)
		usleep(1000);
	assert_true(pidfd_has_ended(fd)); /* a zombie has ended too */
	waitpid(pid, NULL, 0);
	assert_int_equal(pidfd_get(pid), -ESRCH);
	assert_int_equal(pidfd_get(0), -EINVAL);
}

/* Without being its parent one learns how it ended: as a zombie, and after it was reaped. */
static void test_wait_status(void **state)
{
	pid_t pid = child("ends");
	_cleanup_close_ int fd = pidfd_get(pid), dir = proc_dir_open(proc_fd, pid);
	int status = -1, r;

	(void)state;
	assert_int_equal(proc_wait_status(dir, &status), -EAGAIN);
	r = pidfd_wait_status(fd, &status);
	assert_true(r == -EAGAIN || r == -ENOTTY);
	kill(pid, SIGUSR1);
	for (int i = 0; i < 1000 && !pidfd_has_ended(fd); i++)
		usleep(1000);
	assert_int_equal(proc_wait_status(dir, &status), 0);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1);
	waitpid(pid, NULL, 0);
	assert_int_equal(proc_wait_status(dir, &status), -EAGAIN);
	if (r == -ENOTTY) /* Linux before 6.15 */
		return;
	status = -1;
	assert_int_equal(pidfd_wait_status(fd, &status), 0);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1);
}

static void test_uid_map(void **state)
{
	_cleanup_close_ int dir = proc_dir_open(proc_fd, getpid());
	uint32_t inside = 1, outside = 1, count = 0;

	(void)state;
	assert_int_equal(proc_uid_map_first(dir, &inside, &outside, &count), 0);
	assert_int_equal(inside, 0);
	assert_true(count > 0);
}

/* A child that waits for us to let it go, as processor_part() leaves it: on which may it run? */
static cpu_set_t parted(void)
{
	cpu_set_t set;
	int gate[2];
	pid_t pid;

	assert_int_equal(pipe(gate), 0);
	pid = fork();
	if (pid == 0) {
		close(gate[1]);
		_exit(read(gate[0], &gate[1], 1) == 0 ? 0 : 1);
	}
	processor_part(pid);
	assert_int_equal(sched_getaffinity(pid, sizeof(set), &set), 0);
	close(gate[1]);
	close(gate[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return set;
}

static void test_processor_part(void **state)
{
	cpu_set_t ours, one, child;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(ours), &ours), 0);
	for (int i = 0; i < 50; i++) {
		child = parted();
		assert_true(CPU_EQUAL(&child, &ours));
	}
	/* who may run on one alone stays there */
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	child = parted();
	assert_true(CPU_EQUAL(&child, &one));
	assert_int_equal(sched_setaffinity(0, sizeof(ours), &ours), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stat),	       cmocka_unit_test(test_dir_outlives_pid),
		cmocka_unit_test(test_args),	       cmocka_unit_test(test_pidfd),
		cmocka_unit_test(test_uid_map),	       cmocka_unit_test(test_wait_status),
		cmocka_unit_test(test_processor_part),
	};

	return cmocka_run_group_tests(tests, open_proc, NULL);
}

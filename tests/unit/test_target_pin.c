/* Holding real processes: the state files are made up, the processes are our children. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "sys/proc.h"
#include "target/ended.h"
#include "target_tree.h"

static struct tree tree;

/* An empty host whose /proc is the real one. */
static int setup(void **state)
{
	(void)state;
	tree_init(&tree);
	close(tree.roots.proc_fd);
	tree.roots.proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return tree.roots.proc_fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	tree_done(&tree);
	return 0;
}

static pid_t child(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
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

static unsigned long start_of(pid_t pid)
{
	struct proc_stat st;

	assert_int_equal(proc_stat_read_at(tree.roots.proc_fd, pid, &st), 0);
	return (unsigned long)st.start;
}

/* A runc container, called as none on the host is, that says its init is this process. */
static void runc_box(pid_t pid, unsigned long start)
{
	tree_puts(&tree, "run/runc/unit-pin-box/state.json",
		  "{\"id\":\"unit-pin-box\",\"init_process_pid\":%d,\"init_process_start\":%lu,"
		  "\"config\":{}}",
		  (int)pid, start);
}

static void test_held(void **state)
{
	_cleanup_target_ struct target t = TARGET_INIT;
	pid_t pid = child();
	struct err e = {};

	(void)state;
	runc_box(pid, start_of(pid));
	assert_int_equal(target_resolve(&tree.roots, "unit-pin-box", &t, &e), 0);
	assert_int_equal(t.pidfd, -EBADF); /* found, not yet held */
	assert_int_equal(target_pin(&tree.roots, &t, &e), 0);
	assert_true(t.pidfd >= 0 && t.proc_fd >= 0);
	assert_true(fcntl(t.pidfd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(t.proc_fd, F_GETFD) & FD_CLOEXEC);
	/* again: what was open is replaced */
	assert_int_equal(target_pin(&tree.roots, &t, &e), 0);
	end(pid);
}

static void test_gone_between(void **state)
{
	_cleanup_target_ struct target t = TARGET_INIT;
	pid_t pid = child();
	struct err e = {};

	(void)state;
	runc_box(pid, start_of(pid));
	assert_int_equal(target_resolve(&tree.roots, "unit-pin-box", &t, &e), 0);
	/* a zombie first, then nothing */
	kill(pid, SIGKILL);
	waitid(P_PID, (id_t)pid, NULL, WEXITED | WNOWAIT);
	assert_int_equal(target_pin(&tree.roots, &t, &e), -ESRCH);
	assert_int_equal(t.pidfd, -EBADF);
	assert_int_equal(t.proc_fd, -EBADF);
	waitpid(pid, NULL, 0);
	assert_int_equal(target_pin(&tree.roots, &t, &e), -ESRCH);
	assert_non_null(strstr(e.msg, "box"));
}

/* Another process has the number: never entered. */
static void test_reused(void **state)
{
	_cleanup_target_ struct target t = TARGET_INIT;
	pid_t pid = child();
	struct err e = {};

	(void)state;
	runc_box(pid, start_of(pid) - 1);
	assert_int_equal(target_resolve(&tree.roots, "unit-pin-box", &t, &e), 0);
	assert_int_equal(t.state, TARGET_EXITED);
	assert_int_equal(target_pin(&tree.roots, &t, &e), -ESRCH);
	target_done(&t);

	/* it happens after the state file was read */
	runc_box(pid, start_of(pid));
	assert_int_equal(target_resolve(&tree.roots, "unit-pin-box", &t, &e), 0);
	t.start--;
	assert_int_equal(target_pin(&tree.roots, &t, &e), -ESRCH);
	assert_non_null(strstr(e.msg, "another process"));
	assert_int_equal(t.pidfd, -EBADF);
	end(pid);
}

static pid_t thread_id;

static void *wait_in_thread(void *arg)
{
	__atomic_store_n(&thread_id, (pid_t)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
	for (;;)
		pause();
	return arg;
}

static void test_threads(void **state)
{
	_cleanup_target_ struct target t = TARGET_INIT;
	struct err e = {};
	pthread_t thread;
	char spec[32];

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, wait_in_thread, NULL), 0);
	while (!__atomic_load_n(&thread_id, __ATOMIC_SEQ_CST))
		usleep(1000);
	snprintf(spec, sizeof(spec), "pid:%d", (int)thread_id);
	assert_int_equal(target_resolve(&tree.roots, spec, &t, &e), -ESRCH);
	assert_non_null(strstr(e.msg, "is a thread"));
	snprintf(spec, sizeof(spec), "pid:%d", (int)getpid());
	assert_non_null(strstr(e.hint, spec));
	/* by a state file */
	runc_box(thread_id, start_of(thread_id));
	assert_int_equal(target_resolve(&tree.roots, "unit-pin-box", &t, &e), 0);
	assert_int_equal(target_pin(&tree.roots, &t, &e), -ESRCH);
	target_done(&t);
	/* ourselves */
	assert_int_equal(target_resolve(&tree.roots, spec, &t, &e), -ESRCH);
	assert_non_null(strstr(e.msg, "porthole itself"));
}

static void test_kernel_thread(void **state)
{
	_cleanup_target_ struct target t = TARGET_INIT;
	struct proc_stat st;
	struct err e = {};

	(void)state;
	if (proc_stat_read_at(tree.roots.proc_fd, 2, &st) < 0 || !st.kthread)
		skip(); /* in a pid namespace of our own there is none */
	assert_int_equal(target_resolve(&tree.roots, "pid:2", &t, &e), -ESRCH);
	assert_non_null(strstr(e.msg, "kernel thread"));
	runc_box(2, start_of(2));
	assert_int_equal(target_resolve(&tree.roots, "unit-pin-box", &t, &e), 0);
	assert_int_equal(target_pin(&tree.roots, &t, &e), -ESRCH);
	assert_non_null(strstr(e.msg, "kernel thread"));
}

/* A user's state file that names a process which is not in his user namespace. */
static void test_foreign(void **state)
{
	_cleanup_target_ struct target t = TARGET_INIT;
	pid_t pid = child();
	struct err e = {};

	(void)state;
	tree_puts(&tree, "run/user/4242/crun/mine/status",
		  "{\"pid\":%d,\"process-start-time\":%lu,\"bundle\":\"/\"}", (int)pid,
		  start_of(pid));
	assert_int_equal(target_resolve(&tree.roots, "mine", &t, &e), 0);
	assert_string_equal(t.owner, "4242");
	assert_int_equal(t.owner_uid, 4242);
	assert_int_equal(target_pin(&tree.roots, &t, &e), -EPERM);
	assert_non_null(strstr(e.msg, "not that user's"));
	assert_int_equal(t.pidfd, -EBADF);
	end(pid);
}

/* Kernels before 5.3: /proc/PID alone is held. */
static int pin_without_pidfd(pid_t pid)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {.len = ARRAY_LEN(code), .filter = code};
	struct target t = TARGET_INIT;
	struct err e = {};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, 2, &prog))
		return 10;
	if (target_resolve(&tree.roots, "unit-pin-box", &t, &e) || target_pin(&tree.roots, &t, &e))
		return 11;
	if (t.pidfd != -EBADF || t.proc_fd < 0)
		return 12;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	for (int i = 0; i < 2000 && kill(pid, 0) == 0; i++)
		usleep(1000);
	return target_pin(&tree.roots, &t, &e) == -ESRCH && t.proc_fd == -EBADF ? 0 : 13;
}

static void test_no_pidfd(void **state)
{
	int status;
	pid_t helper = fork();

	(void)state;
	assert_true(helper >= 0);
	if (helper == 0) {
		pid_t pid = child();

		runc_box(pid, start_of(pid));
		_exit(pin_without_pidfd(pid));
	}
	assert_int_equal(waitpid(helper, &status, 0), helper);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_ended(void **state)
{
	static const struct {
		struct ended x;
		const char *words;
	} cases[] = {
		{{.code = -1}, "ended"},
		{{ENDED_STATUS, 3 << 8, 3}, "ended with exit code 3"},
		{{ENDED_STATUS, SIGSEGV | 0x80, 139}, "was killed by signal 11 (SEGV)"},
		{{ENDED_CODE, 0, 0}, "ended with exit code 0"},
		{{ENDED_CODE, 0, 137}, "ended with code 137 (as after signal 9, KILL)"},
		{{ENDED_CODE, 0, 255}, "ended with exit code 255"},
	};
	struct target t = {.pid = child(), .engine = "docker", .name = "web", .exit_code = -1};
	char *spec = ended_spec(&t, "web"), *by_pid = ended_spec(&t, "4711"), words[128];
	struct ended x;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(ended_words(&cases[i].x, words, sizeof(words)), cases[i].words);
	assert_string_equal(spec, "web");
	assert_string_equal(by_pid, "docker://web");
	free(spec);
	free(by_pid);
	t.engine = "none";
	assert_null(ended_spec(&t, "pid:4711"));
	t.state = TARGET_RUNNING;
	t.pidfd = t.proc_fd = -EBADF;
	assert_int_equal(proc_stat_read_at(tree.roots.proc_fd, t.pid, &(struct proc_stat){}), 0);
	t.proc_fd = proc_dir_open(tree.roots.proc_fd, t.pid);
	ended_read(&tree.roots, &t, 0, &x);
	assert_int_equal(x.how, ENDED_UNKNOWN);
	kill(t.pid, SIGTERM);
	ended_read(&tree.roots, &t, 1000, &x); /* a zombie: nobody reaps it meanwhile */
	assert_int_equal(x.how, ENDED_STATUS);
	assert_int_equal(x.code, 128 + SIGTERM);
	end(t.pid);
	close(t.proc_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_held, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gone_between, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kernel_thread, setup, teardown),
		cmocka_unit_test_setup_teardown(test_foreign, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_pidfd, setup, teardown),
		cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ended, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

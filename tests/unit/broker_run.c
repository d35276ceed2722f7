#include "broker_run.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fd.h"

struct broker b = BROKER_INIT;
struct rules rules;
char path[64], dir[] = "/tmp/test-broker.XXXXXX";
pid_t launcher;

/* What the supervisor of a container does. */
_Noreturn static void launch(pid_t inside)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	for (;;) {
		struct pollfd p = {.fd = broker_watch(&b), .events = POLLIN};

		if (poll(&p, 1, -1) > 0)
			broker_attend(&b, inside);
	}
}

void start_with(int log, pid_t inside)
{
	struct broker_options o = {.rules = &rules, .container = "unit", .log = log};
	struct err e = {};

	if (broker_open(&b, &o, &e) < 0 || broker_listen(&b, &e) < 0)
		fail_msg("%s", e.msg);
	snprintf(path, sizeof(path), "/proc/self/fd/%d/" BROKER_NAME, b.mount);
	launcher = fork();
	assert_true(launcher >= 0);
	if (launcher == 0)
		launch(inside ?: getppid());
	cleanup_close(&b.listener);
	b.listener = -EBADF;
}

void start(void)
{
	start_with(-EBADF, 0);
}

void stop_launcher(void)
{
	if (launcher > 0) {
		kill(launcher, SIGKILL);
		waitpid(launcher, NULL, 0);
	}
	launcher = 0;
}

int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/test-broker.XXXXXX");
	return mkdtemp(dir) && chmod(dir, 0755) == 0 ? 0 : -1;
}

int teardown(void **state)
{
	char cmd[80];

	(void)state;
	stop_launcher();
	broker_done(&b);
	strv_done(&rules.allow);
	strv_done(&rules.ask);
	strv_done(&rules.deny);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd);
}

struct got got;

static void note(const char *text)
{
	snprintf(got.note, sizeof(got.note), "%s", text);
}

/* In a process of its own, as another user if `uid`. */
void call_as(uid_t uid, struct hostcall c, const char *const *argv)
{
	int out[2], res[2];
	pid_t pid;
	ssize_t n;

	memset(&got, 0, sizeof(got));
	assert_int_equal(pipe(out), 0);
	assert_int_equal(pipe(res), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(out[1], 1);
		dup2(out[1], 2);
		close(out[0]);
		close(out[1]);
		for (size_t i = 0; argv[i]; i++)
			strv_add(&c.argv, argv[i]);
		c.note = note;
		if (uid && (setgid(uid) < 0 || setuid(uid) < 0))
			_exit(99);
		got.code = hostcall_run(path, &c, &got.e);
		fd_write_all(res[1], &got, sizeof(got));
		_exit(0);
	}
	close(out[1]);
	close(res[1]);
	assert_int_equal(read(res[0], &got, sizeof(got)), sizeof(got));
	n = read(out[0], got.out, sizeof(got.out) - 1);
	got.out[n > 0 ? n : 0] = '\0';
	close(out[0]);
	close(res[0]);
	waitpid(pid, NULL, 0);
}

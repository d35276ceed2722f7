/* The last resort: a daemon's socket, which may answer, refuse, lie or hang. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "target_tree.h"

#define ID "abababababababababababababababababababababababababababababababab"

static struct tree tree;
static pid_t server;

static int setup(void **state)
{
	(void)state;
	tree_init(&tree);
	tree.roots.no_sockets = false;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (server > 0) {
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
	}
	server = 0;
	tree_done(&tree);
	return 0;
}

static const char body[] = "{\"HostsPath\":\"/data/docker/containers/" ID "/hosts\",\"Id\":\"" ID
			   "\",\"Created\":\"2026-11-22T01:12:40Z\",\"Name\":\"/far\","
			   "\"State\":{\"Running\":true,\"Pid\":7001,\"ExitCode\":0,"
			   "\"StartedAt\":\"2026-11-22T01:12:41Z\"},\"Image\":\"sha256:1\","
			   "\"Config\":{\"Image\":\"app:2\",\"Labels\":{}}}\n";

/* Answer as dockerd does: by name or id, and the list. */
static void serve(int fd, const char *answer)
{
	for (;;) {
		int c = accept(fd, NULL, NULL);
		char ask[1024] = "";
		_cleanup_free_ char *text = NULL;

		if (c < 0)
			continue;
		if (read(c, ask, sizeof(ask) - 1) > 0 && answer)
			text = strdup(answer);
		else if (strstr(ask, "GET /containers/far/json ") ||
			 strstr(ask, "GET /containers/" ID "/json "))
			text = str_fmt("HTTP/1.0 200 OK\r\nA: b\r\n\r\n%s", body);
		else if (strstr(ask, "GET /containers/json "))
			text = strdup("HTTP/1.0 200 OK\r\n\r\n[{\"Id\":\"" ID "\"}]\n");
		else
			text = strdup("HTTP/1.0 404 Not Found\r\n\r\n{}");
		fd_write_all(c, text, strlen(text));
		close(c);
	}
}

/* A socket at run/docker.sock; `answer` NULL: honest ones, "": none at all. */
static void start(const char *answer)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	tree_mkdir(&tree, "run");
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/root/run/docker.sock", tree.dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 1), 0);
	server = fork();
	assert_true(server >= 0);
	if (server == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (answer && !*answer)
			for (;;)
				pause();
		serve(fd, answer);
	}
	close(fd);
}

static void test_answers(void **state)
{
	_cleanup_target_ struct target t = TARGET_INIT, none = TARGET_INIT;
	struct err e = {};

	(void)state;
	tree_add(&tree, &(struct tree_proc){.pid = 7001,
					    .ppid = 1,
					    .comm = "app",
					    .start = 70,
					    .nspid = "7001\t1",
					    .pid_ns = 71,
					    .mnt_ns = 72,
					    .cgroup = "0::/docker/" ID "\n"});
	start(NULL);
	assert_int_equal(target_resolve(&tree.roots, "far", &t, &e), 0);
	assert_string_equal(t.engine, "docker");
	assert_string_equal(t.id, ID);
	assert_string_equal(t.image, "app:2");
	assert_int_equal(t.pid, 7001);
	assert_int_equal(t.start, 70);
	assert_string_equal(t.state_file, "/run/docker.sock");
	/* where the daemon says its files are, if they are there */
	tree_puts(&tree, "data/docker/containers/" ID "/config.v2.json", "{}");
	target_done(&t);
	assert_int_equal(target_resolve(&tree.roots, "far", &t, &e), 0);
	assert_string_equal(t.state_file, "/data/docker/containers/" ID "/config.v2.json");
	assert_int_equal(target_resolve(&tree.roots, "near", &none, &e), -ENOENT);
	/* never part of a URL */
	assert_int_equal(target_resolve(&tree.roots, "a b", &none, &e), -ENOENT);
	tree.roots.no_sockets = true;
	assert_int_equal(target_resolve(&tree.roots, "far", &none, &e), -ENOENT);
}

/* It names a process that is not the container's. */
static void test_lies(void **state)
{
	_cleanup_target_ struct target t = TARGET_INIT;
	struct err e = {};

	(void)state;
	tree_add(&tree, &(struct tree_proc){.pid = 7001, .ppid = 1, .comm = "cron", .start = 70});
	start(NULL);
	assert_int_equal(target_resolve(&tree.roots, "far", &t, &e), 0);
	assert_int_equal(t.state, TARGET_DEAD);
	assert_int_equal(t.pid, 0);
	assert_int_equal(target_pin(&tree.roots, &t, &e), -ESRCH);
}

static void test_nonsense(void **state)
{
	static const char *const answers[] = {
		"x",
		"HTTP/1.0 200 OK",
		"HTTP/1.0 200 OK\r\n\r\n",
		"HTTP/1.0 200 OK\r\n\r\n{\"Id\":",
		"HTTP/1.0 200 OK\r\n\r\n{\"Id\":\"../../x\"}",
		"HTTP/1.0 500 No\r\n\r\n{}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		_cleanup_target_ struct target t = TARGET_INIT;
		_cleanup_free_ char *sock = str_fmt("%s/root/run/docker.sock", tree.dir);
		struct err e = {};

		start(answers[i]);
		assert_int_equal(target_resolve(&tree.roots, "far", &t, &e), -ENOENT);
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
		unlink(sock);
	}
}

/* A stopped daemon: waited for once, half a second, and it is said. */
static void test_hangs(void **state)
{
	_cleanup_target_ struct target t = TARGET_INIT;
	struct timespec from, to;
	struct err e = {};

	(void)state;
	start("");
	clock_gettime(CLOCK_MONOTONIC, &from);
	assert_int_equal(target_resolve(&tree.roots, "far", &t, &e), -ENOENT);
	clock_gettime(CLOCK_MONOTONIC, &to);
	assert_true(to.tv_sec - from.tv_sec < 3);
	assert_non_null(strstr(e.hint, "does not answer"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lies, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nonsense, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hangs, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* launch/broker: rubbish, strangers, a thousand at once, and the end of each of those who take
 * part. */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "launch/hostwire.h"
#include "session/wire.h"
#include "sys/proc.h"
#include "broker_run.h"

static bool eventually(bool (*is)(void))
{
	for (int i = 0; i < 500; i++) {
		if (is())
			return true;
		usleep(20000);
	}
	return false;
}

/* --- those who do not keep to the rules --- */

static int dial(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	assert_int_equal(connect(s, (struct sockaddr *)&a, sizeof(a)), 0);
	return s;
}

/* Say `len` bytes, with n descriptors; what comes back is a refusal, or the end. */
static void say_rubbish(const void *data, size_t len, size_t n)
{
	char space[CMSG_SPACE(200 * sizeof(int))] = {};
	struct iovec iov = {.iov_base = (void *)data, .iov_len = len};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *h = (struct cmsghdr *)space;
	_cleanup_close_ int s = dial(), fd = -EBADF;
	struct wire_msg m = {};

	if (n) {
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(n * sizeof(int));
		for (size_t i = 0; i < n; i++)
			memcpy(CMSG_DATA(h) + i * sizeof(int), &b.mount, sizeof(int));
		mh.msg_control = space;
		mh.msg_controllen = CMSG_SPACE(n * sizeof(int));
	}
	assert_int_equal(sendmsg(s, &mh, MSG_NOSIGNAL), len);
	if (wire_recv(s, &m, &fd) == 1)
		assert_int_equal(m.type, WIRE_FAIL);
	assert_true(fd < 0);
}

static void test_rubbish(void **state)
{
	static char big[100000];
	struct {
		char magic[4];
		uint32_t flags, argc, envc, fds;
		uint16_t rows, cols;
		char text[64];
	} r = {.magic = {'P', 'H', 'x', '1'}, .argc = 1};

	(void)state;
	start();
	CALL("true");
	say_rubbish("x", 1, 0);
	say_rubbish(big, sizeof(big), 0);
	say_rubbish(big, 10, 200); /* descriptors nobody asked for */
	say_rubbish(&r, sizeof(r), 3);
	r.fds = 0xffffffff;
	say_rubbish(&r, sizeof(r), 0);
	r.fds = 7;
	say_rubbish(&r, sizeof(r), 2);
	say_rubbish(&r, sizeof(r), 3); /* directories */
	r.fds = 0;
	r.argc = r.envc = 0xffffffff;
	say_rubbish(&r, sizeof(r), 0);
	memset(r.text, 'a', sizeof(r.text)); /* no end */
	r.argc = 1;
	r.envc = 0;
	say_rubbish(&r, sizeof(r), 0);
	for (size_t len = 1; len < sizeof(r); len++)
		say_rubbish(&r, len, 0);
	CALL("echo", "still here");
	assert_string_equal(got.out, "still here\n");
}

/* The root directory of who asks is another. */
static void test_strangers(void **state)
{
	(void)state;
	start();
	pid_t pid = fork();

	if (pid == 0) {
		struct hostcall c = {.cwd = "/", .stdin_open = true};
		struct err e = {};
		char here[80];

		snprintf(here, sizeof(here), "%s/s", dir);
		mkdir(here, 0700);
		strv_add(&c.argv, "true");
		/* reached by descriptor, from a chroot without /proc */
		if (fchdir(b.mount) < 0 || chroot(here) < 0)
			_exit(2);
		_exit(hostcall_run(BROKER_NAME, &c, &e) == -EACCES ? 0 : 1);
	}
	int status;

	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

/* Every call has its own end. */
static void test_thousand(void **state)
{
	enum { N = 1000 };
	static int socks[N + 200];
	struct hostwire h = {.cwd = "/"};
	static const int none[3] = {-1, -1, -1};
	size_t served = 0, ended = 0, told = 0;

	(void)state;
	strv_add(&h.argv, "true");
	start();
	for (size_t i = 0; i < ARRAY_LEN(socks); i++) {
		socks[i] = dial();
		assert_int_equal(hostwire_send(socks[i], &h, none), 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(socks); i++) {
		struct wire_msg m;
		int fd;

		while (wire_recv(socks[i], &m, &fd) == 1) {
			served += m.type == WIRE_READY;
			ended += m.type == WIRE_ENDED && m.num == 0;
			told += m.type == WIRE_FAIL;
		}
		close(socks[i]);
	}
	assert_int_equal(served, ended);
	assert_int_equal(served + told, ARRAY_LEN(socks));
	assert_true(served >= 100);
	CALL("true");
	assert_int_equal(got.code, 0);
	hostwire_done(&h);
}

/* --- ends --- */

static char pidfile[80];

static pid_t pid_in_file(void)
{
	char text[32];

	return file_read_small_at(AT_FDCWD, pidfile, text, sizeof(text)) > 0 ? atoi(text) : 0;
}

static bool it_runs(void)
{
	pid_t pid = pid_in_file();

	return pid > 0 && kill(pid, 0) == 0;
}

static bool it_ended(void)
{
	return !it_runs();
}

/* A command that does not listen to signals, and leaves another behind that does not either. */
static int stubborn(void)
{
	struct hostwire h = {.cwd = "/"};
	static const int none[3] = {-1, -1, -1};
	char script[400];
	int s = dial();

	snprintf(pidfile, sizeof(pidfile), "%s/pid", dir);
	unlink(pidfile);
	snprintf(script, sizeof(script),
		 "trap '' HUP TERM INT; (trap '' HUP TERM; setsid sleep 1000 & "
		 "echo $! > %s.1; mv %s.1 %s); sleep 1000",
		 pidfile, pidfile, pidfile);
	strv_add(&h.argv, "sh");
	strv_add(&h.argv, "-c");
	strv_add(&h.argv, script);
	assert_int_equal(hostwire_send(s, &h, none), 0);
	hostwire_done(&h);
	assert_true(eventually(it_runs));
	return s;
}

static void test_caller_dies(void **state)
{
	(void)state;
	start();
	close(stubborn());
	assert_true(eventually(it_ended));
}

static void test_launcher_dies(void **state)
{
	(void)state;
	start();
	int s = stubborn();

	stop_launcher();
	assert_true(eventually(it_ended));
	close(s);
}

/* The process between them is killed: who asked is told, what it had run ends, the next is served.
 */
static void test_broker_dies(void **state)
{
	_cleanup_close_ int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct wire_msg m;
	int fd;

	(void)state;
	start();
	_cleanup_close_ int s = stubborn();

	assert_int_equal(kill(proc_first_child(proc, launcher), SIGKILL), 0);
	while (wire_recv(s, &m, &fd) == 1)
		;
	assert_true(eventually(it_ended));
	CALL("echo", "again");
	assert_string_equal(got.out, "again\n");
}

/* What a command leaves behind when it has ended by itself, as a service does, stays. */
static void test_services_stay(void **state)
{
	char script[200];

	(void)state;
	snprintf(pidfile, sizeof(pidfile), "%s/pid", dir);
	snprintf(script, sizeof(script), "setsid sleep 1000 >/dev/null 2>&1 & echo $! > %s",
		 pidfile);
	start();
	CALL("sh", "-c", script);
	assert_int_equal(got.code, 0);
	stop_launcher();
	usleep(500000);
	assert_true(it_runs());
	kill(pid_in_file(), SIGKILL);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_rubbish),       T(test_strangers),     T(test_thousand),
		T(test_caller_dies),   T(test_launcher_dies), T(test_broker_dies),
		T(test_services_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* session/wire and session/relay: messages that are none, pipes that are full, closed and cut off.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "session/relay.h"
#include "session/wire.h"

static int pair[2];

static int setup(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
}

static int teardown(void **state)
{
	(void)state;
	cleanup_close(&pair[0]);
	cleanup_close(&pair[1]);
	return 0;
}

static size_t open_files(void)
{
	_cleanup_dir_ DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	while (readdir(d))
		n++;
	return n;
}

static void test_wire(void **state)
{
	struct wire_msg m = {.type = WIRE_SIGNAL, .num = 15}, got = {};
	int fd;

	(void)state;
	assert_int_equal(wire_send(pair[0], &m, -1), 0);
	assert_int_equal(wire_recv(pair[1], &got, &fd), 1);
	assert_int_equal(got.type, WIRE_SIGNAL);
	assert_int_equal(got.num, 15);
	assert_int_equal(got.err.num, 0);
	assert_true(fd < 0);
	m.type = WIRE_FAIL;
	err_say(&m.err, ENOENT, "not there");
	assert_int_equal(wire_send(pair[0], &m, 0), 0);
	assert_int_equal(wire_recv(pair[1], &got, &fd), 1);
	assert_string_equal(got.err.msg, "not there");
	assert_true(fd > 2 && fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	cleanup_close(&pair[0]);
	pair[0] = -EBADF;
	assert_int_equal(wire_recv(pair[1], &got, &fd), 0);
	assert_int_equal(wire_send(pair[1], &m, -1), -EPIPE);
}

/* A message of `size` bytes with `n` descriptors. */
static void send_raw(const void *data, size_t size, size_t n)
{
	union {
		struct cmsghdr h;
		char space[CMSG_SPACE(4 * sizeof(int))];
	} c = {};
	struct iovec iov = {.iov_base = (void *)data, .iov_len = size};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};

	if (n) {
		mh.msg_control = c.space;
		mh.msg_controllen = CMSG_SPACE(n * sizeof(int));
		c.h = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
				       .cmsg_type = SCM_RIGHTS,
				       .cmsg_len = CMSG_LEN(n * sizeof(int))};
		memset(CMSG_DATA(&c.h), 0, n * sizeof(int));
	}
	assert_int_equal(sendmsg(pair[0], &mh, 0), size);
}

static void test_wire_bad(void **state)
{
	static const size_t sizes[] = {1,
				       4,
				       offsetof(struct wire_msg, err) - 1,
				       offsetof(struct wire_msg, err) + 1,
				       sizeof(struct wire_msg) - 1,
				       sizeof(struct wire_msg) + 1,
				       sizeof(struct wire_msg) + 4096};
	_cleanup_free_ char *data = malloc(sizeof(struct wire_msg) + 4096);
	struct wire_msg got;
	size_t before = open_files();
	int fd;

	(void)state;
	memset(data, 'x', sizeof(struct wire_msg) + 4096);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		for (size_t n = 0; n < 3; n++) {
			send_raw(data, sizes[i], n);
			assert_int_equal(wire_recv(pair[1], &got, &fd), -EBADMSG);
			assert_true(fd < 0);
			assert_int_equal(open_files(), before);
		}
	/* more descriptors than one; text without an end */
	send_raw(data, sizeof(got), 2);
	assert_int_equal(wire_recv(pair[1], &got, &fd), -EBADMSG);
	assert_int_equal(open_files(), before);
	send_raw(data, sizeof(got), 0);
	assert_int_equal(wire_recv(pair[1], &got, &fd), 1);
	assert_int_equal(strlen(got.err.msg), sizeof(got.err.msg) - 1);
	assert_int_equal(strlen(got.err.hint), sizeof(got.err.hint) - 1);
}

/* One direction between two pipes: we write to in[1] and read from out[0]. */
static struct relay relay;
static int in[2], out[2];
static char buf[RELAY_BUF];

static int relay_setup(void **state)
{
	(void)state;
	if (pipe2(in, O_CLOEXEC | O_NONBLOCK) < 0 || pipe2(out, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	relay = (struct relay){
		.from = in[0], .to = out[1], .own_from = true, .own_to = true, .buf = buf};
	return 0;
}

static int relay_teardown(void **state)
{
	(void)state;
	relay_done(&relay);
	cleanup_close(&in[1]);
	cleanup_close(&out[0]);
	in[1] = out[0] = -EBADF;
	return 0;
}

/* Poll once and move; how many were ready. */
static int turn(void)
{
	struct pollfd fds[2];
	int n;

	relay_poll(&relay, fds);
	n = poll(fds, 2, 0);
	if (n > 0)
		relay_move(&relay, fds);
	return n;
}

static void test_half_close(void **state)
{
	char got[8];

	(void)state;
	assert_int_equal(turn(), 0);
	assert_int_equal(write(in[1], "last", 4), 4);
	cleanup_close(&in[1]);
	in[1] = -EBADF;
	for (int i = 0; i < 10 && !relay.done; i++)
		turn();
	assert_true(relay.done);
	assert_int_equal(read(out[0], got, sizeof(got)), 4);
	assert_memory_equal(got, "last", 4);
	assert_int_equal(read(out[0], got, sizeof(got)), 0); /* its end was passed on */
}

/* Nobody reads: what was read is kept, no more is, and all comes in order once there is room. */
static void test_full(void **state)
{
	static unsigned char data[256 << 10], got[256 << 10];
	size_t sent = 0, n = 0;
	ssize_t k;

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)(i * 31 + i / 251);
	for (int i = 0; i < 1000 && sent < sizeof(data); i++) {
		k = write(in[1], data + sent, sizeof(data) - sent);
		sent += k > 0 ? (size_t)k : 0;
		if (turn() == 0 && k < 0)
			break;
	}
	assert_true(sent < sizeof(data)); /* it is full now, and does not spin */
	assert_int_equal(turn(), 0);
	for (int i = 0; i < 10000 && n < sizeof(data); i++) {
		k = read(out[0], got + n, 5000);
		n += k > 0 ? (size_t)k : 0;
		k = write(in[1], data + sent, sizeof(data) - sent);
		sent += k > 0 ? (size_t)k : 0;
		turn();
	}
	assert_int_equal(n, sizeof(data));
	assert_memory_equal(data, got, n);
}

static void test_reader_gone(void **state)
{
	(void)state;
	cleanup_close(&out[0]);
	out[0] = -EBADF;
	assert_int_equal(write(in[1], "x", 1), 1);
	for (int i = 0; i < 10 && !relay.done; i++)
		turn();
	assert_true(relay.done);
	assert_int_equal(write(in[1], "x", 1), -1); /* the writer is told */
	assert_int_equal(errno, EPIPE);
}

static void test_terminal_end(void **state)
{
	char got[8];

	(void)state;
	relay.tty_eof = true;
	assert_int_equal(write(in[1], "ab", 2), 2);
	cleanup_close(&in[1]);
	in[1] = -EBADF;
	relay.own_from = false; /* as our own terminal is */
	for (int i = 0; i < 10 && !relay.done; i++)
		turn();
	assert_true(relay.done);
	assert_int_equal(read(out[0], got, sizeof(got)), 3);
	assert_memory_equal(got, "ab\004", 3);
	close(in[0]);
}

static void test_drain(void **state)
{
	char got[64];

	(void)state;
	assert_int_equal(write(in[1], "said last", 9), 9);
	relay_drain(&relay); /* the writer still has it open: is not waited for */
	assert_int_equal(read(out[0], got, sizeof(got)), 9);
	assert_memory_equal(got, "said last", 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_wire, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wire_bad, setup, teardown),
		cmocka_unit_test_setup_teardown(test_half_close, relay_setup, relay_teardown),
		cmocka_unit_test_setup_teardown(test_full, relay_setup, relay_teardown),
		cmocka_unit_test_setup_teardown(test_reader_gone, relay_setup, relay_teardown),
		cmocka_unit_test_setup_teardown(test_terminal_end, relay_setup, relay_teardown),
		cmocka_unit_test_setup_teardown(test_drain, relay_setup, relay_teardown),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* session/many: children, their lines, their ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "session/many.h"

enum { N = 40 };

/* What was heard. */
struct seen {
	struct buf out[N], err[N];
	size_t lines[N];
	int code[N], ends[N];
	struct err why[N];
	int (*work)(size_t i);
};

static int run(void *data, size_t i, struct err *e)
{
	const struct seen *s = data;

	if (s->work)
		return s->work(i);
	if (i == 3)
		return err_exit(e, (err_say(e, ENOENT, "nothing is named '%zu'", i), 127));
	printf("out %zu\n", i);
	fprintf(stderr, "err %zu", i); /* no newline */
	return (int)i;
}

static void heard(void *data, size_t i, int fd, const char *text, size_t len)
{
	struct seen *s = data;

	assert_true(len > 0 && len <= MANY_LINE);
	assert_null(memchr(text, '\n', len - 1));
	s->lines[i]++;
	buf_add(fd == 1 ? &s->out[i] : &s->err[i], text, len);
}

static void ended(void *data, size_t i, int code, const struct err *e)
{
	struct seen *s = data;

	s->code[i] = code;
	s->why[i] = *e;
	s->ends[i]++;
}

static void seen_done(struct seen *s)
{
	for (size_t i = 0; i < N; i++) {
		buf_done(&s->out[i]);
		buf_done(&s->err[i]);
	}
}

static void go(struct seen *s, size_t n, size_t parallel)
{
	const struct many m = {.n = n,
			       .parallel = parallel,
			       .run = run,
			       .heard = heard,
			       .ended = ended,
			       .data = s};
	struct err e = {};

	assert_int_equal(many_run(&m, &e), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(s->ends[i], 1);
}

static void each_ends_once(void **state)
{
	(void)state;
	for (size_t parallel = 1; parallel <= MANY_MAX; parallel *= 4) {
		_cleanup_(seen_done) struct seen s = {};

		go(&s, N, parallel);
		for (size_t i = 0; i < N; i++) {
			char out[32], err[32];

			snprintf(out, sizeof(out), "out %zu\n", i);
			snprintf(err, sizeof(err), "err %zu", i);
			assert_int_equal(s.code[i], i == 3 ? 127 : (int)i);
			assert_int_equal(s.why[i].num, i == 3 ? ENOENT : 0);
			assert_int_equal(s.lines[i], i == 3 ? 0 : 2);
			if (i == 3)
				assert_string_equal(s.why[i].msg, "nothing is named '3'");
			else
				assert_string_equal(s.out[i].data, out);
			if (i != 3)
				assert_string_equal(s.err[i].data, err);
		}
	}
}

static void none(void **state)
{
	struct seen s = {};

	(void)state;
	go(&s, 0, 4);
}

/* 300 KB without a newline, then lines. */
static int long_lines(size_t i)
{
	(void)i;
	for (int k = 0; k < 300 * 1024; k++)
		putchar('x');
	putchar('\n');
	for (int k = 0; k < 10000; k++)
		printf("%d\n", k);
	return 0;
}

static void a_long_line_comes_in_pieces(void **state)
{
	_cleanup_(seen_done) struct seen s = {.work = long_lines};
	const size_t x = 300 * 1024;

	(void)state;
	go(&s, 2, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_true(s.lines[i] >= 10000 + x / MANY_LINE && s.lines[i] <= 10000 + x / 1024);
		assert_int_equal(strspn(s.out[i].data, "x"), x);
		assert_string_equal(s.out[i].data + s.out[i].len - 10, "9998\n9999\n");
	}
}

/* Input is empty, nothing of the other children is open. */
static int look_around(size_t i)
{
	char c;
	int open = 0;

	(void)i;
	for (int fd = 3; fd < 256; fd++)
		open += fcntl(fd, F_GETFD) >= 0;
	printf("%zd %d\n", read(0, &c, 1), open);
	return 0;
}

static void children_have_nothing_of_each_other(void **state)
{
	_cleanup_(seen_done) struct seen s = {.work = look_around};

	(void)state;
	go(&s, 12, 12);
	for (size_t i = 1; i < 12; i++)
		assert_string_equal(s.out[i].data, s.out[0].data);
	assert_memory_equal(s.out[0].data, "0 ", 2);
}

static int die(size_t i)
{
	printf("before\n");
	fflush(stdout);
	raise(i ? SIGKILL : SIGSEGV);
	return 0;
}

static void who_is_killed_says_so(void **state)
{
	_cleanup_(seen_done) struct seen s = {.work = die};

	(void)state;
	go(&s, 2, 1);
	assert_int_equal(s.code[1], 128 + SIGKILL);
	assert_string_equal(s.out[1].data, "before\n");
	assert_non_null(strstr(s.why[1].msg, "killed by signal 9"));
}

static int tell_parent(size_t i)
{
	if (i == 0)
		kill(getppid(), SIGTERM); /* it passes the signal on, to us too */
	pause();
	return 0;
}

static void a_signal_ends_those_that_run_and_those_to_come(void **state)
{
	_cleanup_(seen_done) struct seen s = {.work = tell_parent};
	sigset_t before = {}, after = {};

	(void)state;
	sigprocmask(SIG_BLOCK, NULL, &before);
	go(&s, N, 4);
	sigprocmask(SIG_BLOCK, NULL, &after);
	assert_memory_equal(&before, &after, sizeof(before));
	for (size_t i = 0; i < N; i++) {
		assert_int_equal(s.code[i], 128 + SIGTERM);
		assert_int_equal(s.why[i].num, i < 4 ? EIO : EINTR);
	}
}

static int never_stops(size_t i)
{
	signal(SIGPIPE, SIG_IGN);
	if (i == 0 && fork() == 0) { /* what a hostile target may do: go on writing to the pipe */
		alarm(20);
		for (;;)
			if (write(1, "more\n", 5) < 0)
				_exit(0);
	}
	return 0;
}

static void who_goes_on_writing_is_not_waited_for(void **state)
{
	_cleanup_(seen_done) struct seen s = {.work = never_stops};

	(void)state;
	alarm(10); /* kills the test */
	go(&s, 2, 2);
	alarm(0);
	assert_int_equal(s.code[0], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_ends_once),
		cmocka_unit_test(none),
		cmocka_unit_test(a_long_line_comes_in_pieces),
		cmocka_unit_test(children_have_nothing_of_each_other),
		cmocka_unit_test(who_is_killed_says_so),
		cmocka_unit_test(a_signal_ends_those_that_run_and_those_to_come),
		cmocka_unit_test(who_goes_on_writing_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* sys/exitcode: what codes mean, in words. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "sys/exitcode.h"

static void expect(int code, bool oom, const char *part)
{
	_cleanup_free_ char *words = exitcode_words(code, oom);

	assert_non_null(words);
	if (!strstr(words, part))
		fail_msg("%d: '%s' does not say '%s'", code, words, part);
}

static void expect_not(int code, bool oom, const char *part)
{
	_cleanup_free_ char *words = exitcode_words(code, oom);

	assert_null(strstr(words, part));
}

static void test_codes(void **state)
{
	(void)state;
	expect(0, false, "success");
	expect(1, false, "own, its log");
	expect_not(1, false, "memory");
	expect(1, true, "out-of-memory");
	expect(125, false, "engine");
	expect(126, false, "cannot be executed");
	expect(127, false, "not found");
	expect(127, false, "library");
	expect(134, false, "SIGABRT");
	expect(137, false, "SIGKILL");
	expect_not(137, false, "OOM");
	expect(137, true, "memory limit (OOM)");
	expect(139, false, "SIGSEGV");
	expect_not(139, true, "OOM");
	expect(143, false, "asked to end");
	expect(159, false, "seccomp");
	expect(192, false, "SIGRT");
	expect(193, false, "own, its log");
	expect(255, false, "-1");
}

static void test_names(void **state)
{
	char name[24];

	(void)state;
	assert_string_equal(signal_name(SIGKILL, name), "SIGKILL");
	assert_string_equal(signal_name(SIGRTMIN + 2, name), "SIGRTMIN+2");
	assert_string_equal(signal_name(99, name), "signal 99");
	assert_string_equal(signal_words(SIGUSR1, false), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codes),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

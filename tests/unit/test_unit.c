/* Units of systemd's: words by systemd.service(5)'s rules, and the checksum of a file. */
#include "launch/unit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/cleanup.h"

static const char *const words[][2] = {
	{"", "\"\""},
	{"true", "true"},
	{"-a=b:c,d+e_F/1.", "-a=b:c,d+e_F/1."},
	{"a b", "\"a b\""},
	{";", "\";\""},
	{"$HOME ${X}", "\"$$HOME $${X}\""},
	{"%n%%", "\"%%n%%%%\""},
	{"a\"b'c\\d", "\"a\\\"b'c\\\\d\""},
	{"a\nb\tc\x7f", "\"a\\x0ab\\x09c\\x7f\""},
	{"\xc3\xbc", "\"\xc3\xbc\""},
	{"#", "\"#\""},
	{"@x", "\"@x\""},
	{"~", "\"~\""},
};

static void test_word(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		_cleanup_buf_ struct buf b = {};

		unit_word(&b, words[i][0]);
		assert_string_equal(b.data, words[i][1]);
	}
}

static char *text_of(const char *program, const char *word, int want)
{
	const struct strv v = {.v = (char *[]){(char *)program, (char *)word}, .n = 2};
	struct err e = {};
	char *text = NULL;

	assert_int_equal(unit_text("x", &v, false, &text, &e), want);
	return text;
}

static void test_text(void **state)
{
	_cleanup_free_ char *long_word = malloc(UNIT_MAX);
	_cleanup_free_ char *text = text_of("/bin/true", "a b", 0);

	(void)state;
	assert_non_null(strstr(text, "\nExecStart=/bin/true \"a b\"\n"));
	assert_null(text_of("bin/true", "a", -EINVAL));
	assert_null(text_of("/a b/true", "a", -EINVAL));
	assert_null(text_of("/bin/true", "\xff", -EINVAL));
	assert_null(text_of("/bin/true", "\xc3", -EINVAL));
	memset(long_word, 'x', UNIT_MAX - 1);
	long_word[UNIT_MAX - 1] = '\0';
	assert_null(text_of("/bin/true", long_word, -E2BIG));
}

static void test_owner(void **state)
{
	_cleanup_free_ char *text = text_of("/bin/true", "a", 0);
	_cleanup_free_ char *more = str_fmt("%s\n", text);

	(void)state;
	assert_int_equal(unit_owner(text), UNIT_OURS);
	assert_int_equal(unit_owner(more), UNIT_CHANGED);
	strstr(text, "ExecStart")[0] = 'e';
	assert_int_equal(unit_owner(text), UNIT_CHANGED);
	*strchr(text, '\n') = '\0';
	assert_int_equal(unit_owner(text), UNIT_CHANGED);
	assert_int_equal(unit_owner(text + 1), UNIT_OTHER);
	assert_int_equal(unit_owner(""), UNIT_OTHER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_word),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_owner),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}

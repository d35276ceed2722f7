/* base/str.h: text that is safe to print, sizes, words, lines, environments, growth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/str.h"

static void expect_text(const char *bytes, const char *want)
{
	_cleanup_free_ char *text = str_printable_dup(bytes);

	assert_non_null(text);
	assert_string_equal(text, want);
}

static void test_printable(void **state)
{
	(void)state;
	expect_text("plain \\ \"text\" ~", "plain \\ \"text\" ~");
	expect_text("\033[31mred\r\n\t", "\\x1b[31mred\\x0d\\x0a\\x09");
	expect_text("a\x7f", "a\\x7f");
	expect_text("\xc2\x9b"
		    "31m", /* C1: one-character CSI */
		    "\\xc2\\x9b31m");
	expect_text("é漢🐳\xc2\xa0", "é漢🐳\xc2\xa0");
	expect_text("\xe2\x80\xae"
		    "gpj", /* right-to-left override */
		    "\\xe2\\x80\\xaegpj");
	expect_text("\xe2\x81\xa6", "\\xe2\\x81\\xa6");
	expect_text("\xe2\x80\x8f", "\\xe2\\x80\\x8f");
	expect_text("\xd8\x9c", "\\xd8\\x9c");
	expect_text("\xe2\x80\xa8", "\\xe2\\x80\\xa8"); /* line separator */
	expect_text("\xff\xfe", "\\xff\\xfe");
	expect_text("\xc0\xaf", "\\xc0\\xaf");			 /* overlong / */
	expect_text("\xe0\x80\x9b", "\\xe0\\x80\\x9b");		 /* overlong ESC */
	expect_text("\xed\xa0\x80", "\\xed\\xa0\\x80");		 /* surrogate */
	expect_text("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"); /* above U+10FFFF */
	expect_text("\xe6\xbc", "\\xe6\\xbc");			 /* cut short */
}

static void test_printable_fit(void **state)
{
	char out[8];

	(void)state;
	assert_int_equal(str_printable("a\0b", 3, out, sizeof(out)), 6);
	assert_string_equal(out, "a\\x00b");
	assert_int_equal(str_printable("123456789", 9, out, sizeof(out)), 7);
	assert_string_equal(out, "1234567");
	/* never half of an escape or of a character */
	assert_int_equal(str_printable("1234\033", 5, out, sizeof(out)), 4);
	assert_int_equal(str_printable("123456漢", 9, out, sizeof(out)), 6);
	assert_string_equal(out, "123456");
	assert_int_equal(str_printable("x", 1, out, 1), 0);
	assert_string_equal(out, "");
	out[0] = '!';
	assert_int_equal(str_printable("x", 1, out, 0), 0);
	assert_int_equal(out[0], '!');
}

static void expect_size(const char *s, uint64_t want)
{
	uint64_t v = 0;

	if (str_to_size(s, &v) != 0)
		fail_msg("%s is refused", s);
	assert_int_equal(v, want);
}

static void test_seconds(void **state)
{
	static const char *const bad[] = {"",	  "0",	 "s",	   "-1",
					  "1.5h", "1x",	 "1m1h",   "1s1s",
					  " 1",	  "1 s", "37000d", "99999999999999999999"};
	uint64_t v;

	(void)state;
	assert_true(str_to_seconds("90", &v) == 0 && v == 90);
	assert_true(str_to_seconds("90s", &v) == 0 && v == 90);
	assert_true(str_to_seconds("30m", &v) == 0 && v == 1800);
	assert_true(str_to_seconds("1h30m", &v) == 0 && v == 5400);
	assert_true(str_to_seconds("1d1s", &v) == 0 && v == 86401);
	assert_true(str_to_seconds("2m5", &v) == 0 && v == 125);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (str_to_seconds(bad[i], &v) != -EINVAL)
			fail_msg("'%s' is taken", bad[i]);
}

static void test_size(void **state)
{
	static const char *const bad[] = {"",	 "x",	 "-1",	" 1",  "1 ",  "0x10",
					  "1e3", "1.",	 ".5",	"1kk", "1bb", "1i",
					  "1bi", "1kbx", "nan", "inf", "1,5", "1.5.5"};
	uint64_t v = 42;

	(void)state;
	expect_size("0", 0);
	expect_size("512", 512);
	expect_size("64k", 64 << 10);
	expect_size("64KiB", 64 << 10);
	expect_size("64kb", 64 << 10);
	expect_size("12b", 12);
	expect_size("1.5m", 3 << 19);
	expect_size("2G", (uint64_t)2 << 30);
	expect_size("1t", (uint64_t)1 << 40);
	expect_size("1p", (uint64_t)1 << 50);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (str_to_size(bad[i], &v) != -EINVAL)
			fail_msg("'%s' is taken", bad[i]);
	assert_int_equal(str_to_size(NULL, &v), -EINVAL);
	assert_int_equal(str_to_size("9223372036854775808", &v), -ERANGE);
	assert_int_equal(str_to_size("9000p", &v), -ERANGE);
	assert_int_equal(v, 42);
}

static void test_u64(void **state)
{
	uint64_t v = 42;

	(void)state;
	assert_int_equal(str_to_u64("18446744073709551615", 0, UINT64_MAX, &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(str_to_u64("18446744073709551616", 0, UINT64_MAX, &v), -ERANGE);
	assert_int_equal(str_to_u64("007", 1, 7, &v), 0);
	assert_int_equal(v, 7);
	assert_int_equal(str_to_u64("8", 1, 7, &v), -ERANGE);
	assert_int_equal(str_to_u64("0", 1, 7, &v), -ERANGE);
	assert_int_equal(str_to_u64("+1", 0, 7, &v), -EINVAL);
	assert_int_equal(str_to_u64("", 0, 7, &v), -EINVAL);
	assert_int_equal(str_to_u64("1\n", 0, 7, &v), -EINVAL);
	assert_int_equal(v, 7);
}

static void test_strv(void **state)
{
	_cleanup_strv_ struct strv s = {};
	char name[16];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		assert_int_equal(strv_add(&s, name), 0);
		assert_null(s.v[s.n]);
	}
	assert_int_equal(s.n, 1000);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		assert_string_equal(s.v[i], name);
	}
	assert_true(strv_has(&s, "n999"));
	assert_false(strv_has(&s, "n1000"));
	assert_int_equal(strv_push(&s, NULL), -ENOMEM);
	strv_done(&s);
	assert_int_equal(strv_split(&s, ",a,,b:c,", ",:"), 0);
	assert_int_equal(s.n, 3);
	assert_string_equal(s.v[2], "c");
	assert_int_equal(strv_split(&s, ",,", ","), 0);
	assert_int_equal(s.n, 3);
}

static void test_buf(void **state)
{
	_cleanup_buf_ struct buf b = {};
	char *s = buf_take(&b);

	(void)state;
	assert_string_equal(s, "");
	free(s);
	for (int i = 0; i < 100; i++)
		buf_printf(&b, "%d,", i);
	assert_int_equal(b.len, 290);
	assert_int_equal(strlen(b.data), b.len);
	assert_true(str_starts(b.data, "0,1,2,"));
	assert_true(str_ends(b.data, ",98,99,"));
	buf_add(&b, "", SIZE_MAX / 2); /* refused before it is read */
	assert_true(b.oom);
	buf_puts(&b, "more");
	assert_int_equal(b.len, 290);
	assert_null(buf_take(&b));
	assert_int_equal(str_distance("inspekt", "inspect"), 1);
	assert_int_equal(str_distance("", "abc"), 3);
	assert_int_equal(str_distance("abc", ""), 3);
	assert_int_equal(str_distance("exce", "exec"), 1); /* two letters in each other's place */
	assert_int_equal(str_distance("abcd", "badc"), 2);
	assert_int_equal(str_distance("inspetc", "ispect"), 2);
}

static void words(void **state)
{
	(void)state;
	assert_true(str_has_word("cpu io memory pids\n", "memory"));
	assert_true(str_has_word("cpu io memory pids\n", "pids"));
	assert_true(str_has_word("cpu", "cpu"));
	assert_false(str_has_word("cpuset io\n", "cpu"));
	assert_false(str_has_word("io cpuset", "cpu"));
	assert_false(str_has_word("\n", "cpu"));
	assert_false(str_has_word("", ""));
}

static void test_lines(void **state)
{
	static const char text[] = "Name:\tUid: 7\nUid:\t0\t0\nmagic 7f45\nempty:\nUid:\t9\n";

	(void)state;
	assert_ptr_equal(str_line(text, "Uid:"), strstr(text, "\t0\t0"));
	assert_ptr_equal(str_field(text, "Uid:"), strstr(text, "0\t0"));
	assert_ptr_equal(str_line(text, "Name:"), text + strlen("Name:"));
	assert_ptr_equal(str_line(text, "magic "), strstr(text, "7f45"));
	assert_int_equal(*str_field(text, "empty:"), '\n');
	assert_null(str_line(text, "id:"));
	assert_null(str_field(text, "Uids:"));
	assert_null(str_line("", "a"));
}

static void test_environment(void **state)
{
	_cleanup_strv_ struct strv env = {};

	(void)state;
	assert_int_equal(strv_add(&env, "PATH_INFO=/no"), 0);
	assert_int_equal(strv_add(&env, "PATH=/bin=x"), 0);
	assert_int_equal(strv_add(&env, "PATH=/later"), 0);
	assert_int_equal(strv_add(&env, "EMPTY="), 0);
	assert_int_equal(strv_add(&env, "BARE"), 0);
	assert_string_equal(strv_var(&env, "PATH"), "/bin=x");
	assert_string_equal(strv_var(&env, "EMPTY"), "");
	assert_null(strv_var(&env, "BARE"));
	assert_null(strv_var(&env, "PAT"));
	assert_int_equal(strv_find_var(&env, "PATH=/new"), 1);
	assert_int_equal(strv_find_var(&env, "HOME=/"), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words),
		cmocka_unit_test(test_printable),
		cmocka_unit_test(test_printable_fit),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_seconds),
		cmocka_unit_test(test_u64),
		cmocka_unit_test(test_strv),
		cmocka_unit_test(test_buf),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

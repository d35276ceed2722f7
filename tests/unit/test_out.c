/* out/: widths, tables, JSON text, human numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "out/human.h"
#include "out/json_print.h"
#include "out/table.h"

static const struct column columns[] = {
	{"NAME", COL_SHRINK, 6, 0},
	{"PID", COL_RIGHT, 0, 0},
	{"POD", COL_HIDE, 0, 0},
	{"STATE", 0, 0, 0},
};

static void test_width(void **state)
{
	int used;

	(void)state;
	assert_int_equal(out_width("abc"), 3);
	assert_int_equal(out_width("é"), 1);
	assert_int_equal(out_width("e\xcc\x81"), 1); /* e + combining acute */
	assert_int_equal(out_width("漢字"), 4);
	assert_int_equal(out_width("🐳"), 2);
	assert_int_equal(out_width("\xff\xfe"), 2);
	assert_int_equal(out_width("\xf0\x9f"), 2); /* cut short: not read past the end */
	assert_int_equal(out_fit("漢字", 3, &used), 3);
	assert_int_equal(used, 2);
	assert_int_equal(out_fit("abc", 9, NULL), 3);
}

static char *print_table(struct table *t, int width, bool color)
{
	struct out_style style = {.width = width, .color = color};
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	assert_int_equal(table_print(f, t, &style, NULL), 0);
	fclose(f);
	table_done(t);
	return text;
}

static void expect_table(struct table *t, int width, bool color, const char *want)
{
	char *text = print_table(t, width, color);

	assert_string_equal(text, want);
	free(text);
}

static void fill(struct table *t, const char *name)
{
	table_add(t, OUT_BOLD, name);
	table_addf(t, OUT_PLAIN, "%d", 12345);
	table_add(t, OUT_PLAIN, NULL);
	table_add(t, OUT_GREEN, "running");
	table_add(t, OUT_BOLD, "b");
	table_addf(t, OUT_PLAIN, "%d", 7);
}

static void test_table(void **state)
{
	struct table t = TABLE_INIT(columns);

	(void)state;
	fill(&t, "web-漢");
	expect_table(&t, 0, false,
		     "NAME      PID  STATE\n"
		     "web-漢  12345  running\n"
		     "b           7\n");
	fill(&t, "a-very-long-name-indeed");
	expect_table(&t, 26, false,
		     "NAME          PID  STATE\n"
		     "a-very-...  12345  running\n"
		     "b               7\n");
}

static void test_table_hostile(void **state)
{
	struct table t = TABLE_INIT(columns);
	char *text;

	(void)state;
	table_add(&t, OUT_PLAIN, "x\033[2J\ny\xc2\x9b");
	table_add(&t, OUT_PLAIN, "1");
	table_add(&t, OUT_PLAIN, "pod");
	table_add(&t, OUT_RED, "dead");
	text = print_table(&t, 0, true);
	assert_null(strstr(text, "\033[2J"));
	assert_null(strstr(text, "\xc2\x9b"));
	assert_non_null(strstr(text, "x\\x1b[2J\\x0ay"));
	assert_non_null(strstr(text, "POD"));
	assert_non_null(strstr(text, "\033[31mdead\033[0m"));
	free(text);
}

static void test_para(void **state)
{
	struct out_style style = {.width = 20};
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	out_para(f, &style, 0, 2, "one two three four five\nsix aaaaaaaaaaaaaaaaaaaaaaaaa b");
	fclose(f);
	assert_string_equal(text, "one two three four\n  five\n  six\n"
				  "  aaaaaaaaaaaaaaaaaaaaaaaaa\n  b\n");
	free(text);
}

static void test_size(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *want;
	} rows[] = {
		{0, "0 B"},
		{1023, "1023 B"},
		{1024, "1 KiB"},
		{1536, "1.5 KiB"},
		{(1 << 20) - 1, "1 MiB"},
		{10 << 20, "10 MiB"},
		{(uint64_t)3 << 29, "1.5 GiB"},
		{UINT64_MAX, "16 EiB"},
	};
	char out[HUMAN_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(human_size(rows[i].bytes, out), rows[i].want);
}

static void test_age(void **state)
{
	static const struct {
		int64_t seconds;
		const char *want;
	} rows[] = {
		{-5, "now"},
		{0, "now"},
		{1, "1 second"},
		{59, "59 seconds"},
		{60, "1 minute"},
		{3599, "59 minutes"},
		{3600, "1 hour"},
		{86400, "24 hours"},
		{3 * 86400, "3 days"},
		{20 * 86400, "2 weeks"},
		{90 * 86400, "3 months"},
		{800 * 86400, "2 years"},
	};
	char out[HUMAN_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(human_age(rows[i].seconds, out), rows[i].want);
	assert_int_equal(human_percent(1, 0), 0);
	assert_int_equal(human_percent(50, 200), 25);
	assert_int_equal(human_percent(UINT64_MAX, UINT64_MAX), 100);
}

static void test_json(void **state)
{
	/* DEL, C1 CSI, right-to-left override, and an accent that stays */
	_cleanup_json_ json_t *j =
		json_pack("{s:s, s:[i]}", "k\"", "a\x7f\xc2\x9b\xe2\x80\xae\xc3\xa9", "n", 1);
	struct out_style style = {.color = true};
	_cleanup_json_ json_t *back = NULL;
	struct err e = {};
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	assert_int_equal(out_json_line(f, j, &e), 0);
	fclose(f);
	assert_string_equal(text, "{\"k\\\"\":\"a\\u007f\\u009b\\u202e\xc3\xa9\",\"n\":[1]}\n");
	back = json_loads(text, 0, NULL);
	assert_true(json_equal(j, back));
	free(text);

	f = open_memstream(&text, &len);
	assert_int_equal(out_json(f, j, &style, &e), 0);
	fclose(f);
	assert_non_null(strstr(text, "\n  \033[36m\"n\"\033[0m: [\n"));
	free(text);
	assert_int_equal(out_json(stdout, NULL, &style, &e), -ENOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_width),	      cmocka_unit_test(test_table),
		cmocka_unit_test(test_table_hostile), cmocka_unit_test(test_para),
		cmocka_unit_test(test_size),	      cmocka_unit_test(test_age),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

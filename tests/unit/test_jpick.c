/* base/jpick: values out of JSON, whole, cut and broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/jpick.h"

#define S(text) ((struct slice){text, strlen(text)})

static void test_values(void **state)
{
	static const char doc[] =
		" {\"a\":1, \"b\" : "
		"{\"c\":\"x\",\"d\":{\"e.f/g\":\"deep\",\"c\":2}},\"s\":\"q\\\"\\\\\","
		"\"list\":[{\"c\":9},\"]\"],\"t\":true,\"n\":null,\"a\":-7,\"c\":\"top\",\"o\":{}} "
		"\n";
	static const char *const paths[] = {"a", "b>c", "b>d>e.f/g", "s",   "list",   "t",
					    "n", "b",	"c",	     "b>x", "list>c", "o>x"};
	struct slice v[ARRAY_LEN(paths)];
	_cleanup_free_ char *s = NULL, *deep = NULL, *none = NULL;

	(void)state;
	assert_int_equal(jpick(S(doc), paths, ARRAY_LEN(paths), v), 0);
	assert_int_equal(jpick_int(v[0], 0), -7); /* of two the last */
	assert_true(jpick_is(v[1], "x"));
	deep = jpick_str(v[2]);
	assert_string_equal(deep, "deep");
	s = jpick_str(v[3]);
	assert_string_equal(s, "q\"\\");
	assert_true(v[4].n > 0 && *v[4].p == '[');
	assert_true(jpick_bool(v[5], false));
	none = jpick_str(v[6]);
	assert_null(none);
	assert_true(*v[7].p == '{');
	assert_true(jpick_is(v[8], "top"));
	for (size_t i = 9; i < ARRAY_LEN(paths); i++)
		assert_int_equal(v[i].n, 0);
}

static void test_broken(void **state)
{
	static const char *const docs[] = {
		"",
		" ",
		"{",
		"}",
		"[]",
		"1",
		"{\"a\"}",
		"{\"a\":}",
		"{\"a\":1",
		"{\"a\":1}}",
		"{\"a\":1} x",
		"{\"a\":1,}",
		"{a:1}",
		"{\"a\":\"x}",
		"{\"a\":[1}",
		"{\"a\":{\"b\":1]}",
		"{\"a\":{\"b\"}}",
		"{\"a\" 1}",
		"{\"a\":1 \"b\":2}",
		"{,\"a\":1}",
		"\xff\xfe",
	};
	static const char *const paths[] = {"a", "a>b"};
	struct slice v[2];
	_cleanup_free_ char *nest = malloc(5000);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(docs); i++)
		if (jpick(S(docs[i]), paths, 2, v) != -EBADMSG)
			fail_msg("taken: %s", docs[i]);
	/* deeper than any engine writes */
	memset(nest, '[', 5000);
	memcpy(nest, "{\"a\":", 5);
	assert_int_equal(jpick((struct slice){nest, 5000}, paths, 1, v), -EBADMSG);
}

static void test_every_cut(void **state)
{
	static const char doc[] =
		"{\"a\":{\"b\":\"x\\\"y\",\"l\":[1,{\"z\":[]}]},\"c\":\"\\u00e9\"}";
	static const char *const paths[] = {"a>b", "c", "a"};
	struct slice v[3];

	(void)state;
	for (size_t n = 0; n < sizeof(doc) - 1; n++) {
		/* in memory of just that size, so that a sanitizer sees every byte too far */
		_cleanup_free_ char *cut = malloc(n + 1);

		memcpy(cut, doc, n);
		assert_int_equal(jpick((struct slice){cut, n}, paths, 3, v), -EBADMSG);
	}
	assert_int_equal(jpick(S(doc), paths, 3, v), 0);
}

static void test_lists(void **state)
{
	struct slice at = S("[ 1 , {\"a\":[2]}, \"x\"]"), key, elem;
	struct slice members = S("{\"k\":1,\"m\":[]}"), empty = S("[]"), broken = S("[1,2");
	int n = 0;

	(void)state;
	while (jpick_next(&at, NULL, &elem))
		n++;
	assert_int_equal(n, 3);
	assert_null(at.p);
	assert_true(jpick_next(&members, &key, &elem) && jpick_is(key, "k"));
	assert_true(jpick_next(&members, &key, &elem) && jpick_is(key, "m"));
	assert_false(jpick_next(&members, &key, &elem));
	assert_false(jpick_next(&empty, NULL, &elem));
	while (jpick_next(&broken, NULL, &elem))
		;
	assert_non_null(broken.p); /* that it was no proper end can be told */
}

static void test_strings(void **state)
{
	static const struct {
		const char *json, *want;
	} all[] = {
		{"\"a\\n\\t\\/b\"", "a\n\t/b"},
		{"\"\\u0041\\u00e9\\u20ac\"", "A\xc3\xa9\xe2\x82\xac"},
		{"\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80"},
		{"\"\\ud83d\"", "?"},
		{"\"\\udc00x\"", "?x"},
		{"\"\\u0000\"", NULL},
		{"\"\\x\"", NULL},
		{"\"\\u12g4\"", NULL},
		{"\"\"", NULL},
		{"17", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		_cleanup_free_ char *s = jpick_str(S(all[i].json));

		if (!all[i].want)
			assert_null(s);
		else
			assert_string_equal(s, all[i].want);
	}
}

static void test_numbers_and_times(void **state)
{
	(void)state;
	assert_int_equal(jpick_int(S("42"), 5), 42);
	assert_int_equal(jpick_int(S("\"42\""), 5), 42);
	assert_int_equal(jpick_int(S("-3"), 5), -3);
	assert_int_equal(jpick_int(S("4x"), 5), 5);
	assert_int_equal(jpick_int(S("1e3"), 5), 5);
	assert_int_equal(jpick_int(S("99999999999999999999"), 5), 5);
	assert_int_equal(jpick_int((struct slice){}, 5), 5);
	assert_int_equal(jpick_time(S("\"2024-02-29T12:34:56.789Z\"")), 1709210096);
	assert_int_equal(jpick_time(S("\"2024-02-29T12:34:56Z\"")), 1709210096);
	assert_int_equal(jpick_time(S("\"2024-02-29T14:34:56+02:00\"")), 1709210096);
	assert_int_equal(jpick_time(S("\"2024-02-29T07:34:56.1-05:00\"")), 1709210096);
	assert_int_equal(jpick_time(S("\"2000-03-01T00:00:00.0Z\"")), 951868800);
	assert_int_equal(jpick_time(S("\"2100-12-31T23:59:59.0Z\"")), 4133980799);
	assert_int_equal(jpick_time(S("\"0001-01-01T00:00:00Z\"")), 0);
	assert_int_equal(jpick_time(S("\"2024-13-29T12:34:56Z\"")), 0);
	assert_int_equal(jpick_time(S("\"2024-02-29 12:34:56Z  \"")), 0);
	assert_int_equal(jpick_time(S("1709210096")), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),	  cmocka_unit_test(test_broken),
		cmocka_unit_test(test_every_cut), cmocka_unit_test(test_lists),
		cmocka_unit_test(test_strings),	  cmocka_unit_test(test_numbers_and_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* base/json: text and bytes from anywhere become JSON strings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/json.h"

static void test_json_bytes(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *want; /* of which NULs are \1 */
	} t[] = {
		{"", 0, ""},
		{"a\nb\n", 4, "a\nb\n"},
		{"a\0b\t\033", 5, "a\1b\t\033"},
		{"\xc3\xa4\n", 3, "\xc3\xa4\n"},
		{"\xff\n\xc3\xa4\0\n\n", 7, "\\xff\n\xc3\xa4\\x00\n\n"},
		{"no end \xc3", 8, "no end \\xc3"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		_cleanup_json_ json_t *j = json_bytes(t[i].bytes, t[i].len);
		size_t n = json_string_length(j);
		char got[64];

		assert_true(j && n < sizeof(got));
		memcpy(got, json_string_value(j), n);
		got[n] = '\0';
		for (size_t k = 0; k < n; k++)
			got[k] = got[k] ? got[k] : '\1';
		assert_string_equal(got, t[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

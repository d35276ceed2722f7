/* TARGET:PATH as people type it. */
#include "files/location.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/str.h"

struct row {
	const char *arg, *target, *path; /* path NULL: refused */
};

static const struct row rows[] = {
	{"web:/etc/passwd", "web", "/etc/passwd"},
	{"web:etc/passwd", "web", "etc/passwd"},
	{"web:", "web", "/"},
	{"web:.", "web", "."},
	{"web:/a:b", "web", "/a:b"},
	{"web:a:b", "web", "a:b"},
	{"docker://web:/etc", "docker://web", "/etc"},
	{"docker://web:etc", "docker://web", "etc"},
	{"docker:web:/etc", "docker:web", "/etc"},
	{"docker:web:etc", "docker:web", "etc"},
	{"docker:web", "docker", "web"},
	{"pid:123:/etc", "pid:123", "/etc"},
	{"pid:123:etc", "pid:123", "etc"},
	{"image://busybox:1.36:/bin", "image://busybox:1.36", "/bin"},
	{"image://reg.io:5000/a/b:1:/bin", "image://reg.io:5000/a/b:1", "/bin"},
	{"img.tar:app:1.0:/etc", "img.tar:app:1.0", "/etc"},
	{"ns/pod/app:/var", "ns/pod/app", "/var"},
	{"dir/a:b", NULL, "dir/a:b"},
	{"./a:b", NULL, "./a:b"},
	{"../a:/b", NULL, "../a:/b"},
	{"/a:/b", NULL, "/a:/b"},
	{"plain", NULL, "plain"},
	{"-", NULL, "-"},
	{"", NULL, NULL},
	{":/etc", NULL, NULL},
	{":", NULL, NULL},
	{"docker://web", NULL, NULL},
	{"image://busybox:1.36", NULL, NULL},
};

static void same(const char *a, const char *b)
{
	if (b)
		assert_string_equal(a, b);
	else
		assert_null(a);
}

static void test_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_location_ struct location s = {};
		struct err e = {};
		int r = location_parse(rows[i].arg, &s, &e);

		assert_int_equal(r, rows[i].path ? 0 : -EINVAL);
		assert_int_equal(r < 0, e.msg[0] != '\0');
		same(s.target, rows[i].target);
		same(s.path, rows[i].path);
		assert_int_equal(s.stream, str_eq(rows[i].arg, "-"));
	}
}

static const struct row targets[] = {
	{"web", "web", "/"},
	{"web:/etc", "web", "/etc"},
	{"web:etc", "web", "etc"},
	{"image://busybox", "image://busybox", "/"},
	{"image://busybox:1.36", "image://busybox:1.36", "/"},
	{"ns/pod/app", "ns/pod/app", "/"},
	{"./img.tar", "./img.tar", "/"},
	{"./img.tar:/etc", "./img.tar", "/etc"},
	{"/srv/rootfs/:/etc", "/srv/rootfs/", "/etc"},
	{"", NULL, NULL},
	{":/etc", NULL, NULL},
};

static void test_parse_target(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		_cleanup_location_ struct location s = {};
		struct err e = {};

		assert_int_equal(location_parse_target(targets[i].arg, &s, &e),
				 targets[i].path ? 0 : -EINVAL);
		same(s.target, targets[i].target);
		same(s.path, targets[i].path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_target),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

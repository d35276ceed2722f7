/* Where a visible kit is to be mounted, from mount tables alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "session/visible.h"

static struct mountinfo table(const char *text)
{
	struct mountinfo m;
	char *copy = strdup(text);

	assert_non_null(copy);
	assert_int_equal(mountinfo_parse(copy, &m), 0);
	return m;
}

/* The host: / is shared, /srv/tools is a mount of its own, /private is not shared. */
#define HOST                                                                                       \
	"20 1 254:0 / / rw shared:1 - ext4 /dev/vda rw\n"                                          \
	"30 20 0:40 / /srv/tools rw shared:7 - tmpfs t rw\n"                                       \
	"31 20 254:0 /data /exported rw shared:9 - ext4 /dev/vda rw\n"                             \
	"32 20 0:41 / /private rw - tmpfs p rw\n"

static void assert_host_path(const char *theirs, const char *path, const char *want)
{
	_cleanup_mountinfo_ struct mountinfo host = table(HOST), in = table(theirs);
	_cleanup_free_ char *got = visible_host_path(&host, &in, path);

	if (want)
		assert_string_equal(got, want);
	else
		assert_null(got);
}

static void test_host_path(void **state)
{
	(void)state;
	/* a directory of /, a whole mount, a directory of one that shows a part of its own */
	assert_host_path("50 40 254:0 /tmp/master /dev/p rw master:1 - ext4 /dev/vda rw\n",
			 "/dev/p", "/tmp/master");
	assert_host_path("50 40 0:40 / /tools rw master:7 - tmpfs t rw\n", "/tools", "/srv/tools");
	assert_host_path("50 40 254:0 /data/x /tools rw master:9 - ext4 /dev/vda rw\n", "/tools",
			 "/exported/x");
	assert_host_path("50 40 254:0 /data /tools rw master:9 - ext4 /dev/vda rw\n", "/tools",
			 "/exported");
	/* not above what the host shows; a name that only starts so; a group of nobody; no slave */
	assert_host_path("50 40 254:0 / /tools rw master:9 - ext4 /dev/vda rw\n", "/tools", NULL);
	assert_host_path("50 40 254:0 /database /tools rw master:9 - ext4 /dev/vda rw\n", "/tools",
			 NULL);
	assert_host_path("50 40 0:40 / /tools rw master:8 - tmpfs t rw\n", "/tools", NULL);
	assert_host_path("50 40 0:40 / /tools rw shared:7 - tmpfs t rw\n", "/tools", NULL);
	/* another path, and one that something lies over */
	assert_host_path("50 40 0:40 / /tools rw master:7 - tmpfs t rw\n", "/tool", NULL);
	assert_host_path("50 40 0:40 / /tools rw master:7 - tmpfs t rw\n"
			 "51 50 0:44 / /tools rw - tmpfs over rw\n",
			 "/tools", NULL);
}

static bool is_kit(const char *line)
{
	_cleanup_mountinfo_ struct mountinfo m = table(line);

	assert_int_equal(m.n, 1);
	return visible_is_kit(&m.v[0]);
}

static void test_is_kit(void **state)
{
	(void)state;
	assert_true(is_kit("9 8 0:5 / /dev/p ro,nosuid,nodev - erofs porthole ro\n"));
	assert_true(is_kit("9 8 0:5 / /dev/p ro,nosuid,nodev - tmpfs porthole rw\n"));
	assert_true(is_kit("9 8 0:5 / /dev/p ro - overlay porthole ro,lowerdir=x\n"));
	assert_false(is_kit("9 8 0:5 / /dev/p rw,nosuid - erofs porthole ro\n"));
	assert_false(is_kit("9 8 0:5 /b /dev/p ro - erofs porthole ro\n"));
	assert_false(is_kit("9 8 0:5 / /dev/p ro - erofs /dev/loop0 ro\n"));
	assert_false(is_kit("9 8 0:5 / /dev/p ro - erofs porthole2 ro\n"));
	assert_false(is_kit("9 8 0:5 / /dev/p ro - ext4 porthole ro\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_host_path),
		cmocka_unit_test(test_is_kit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

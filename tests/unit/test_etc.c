/* base/etc: passwd and group files as hostile containers may have them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/etc.h"
#include "base/str.h"

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
			     ":x:7:0::/:\n"
			     "broken\n"
			     "neg:x:-1:0::/:\n"
			     "big:x:99999999999999999999:0::/:\n"
			     "short:x:8:8\n"
			     "rel:x:9:9::home:\n"
			     "app:x:1000:1001::/srv:/bin/ash\n"
			     "app:x:0:0::/second:/bin/sh\n"
			     "last:x:5:6:a:b";

static const char group[] = "root:x:0:\nwheel:x:10:root,app\nbad:x:ten:app\n"
			    "apps:x:11:happy,appl\nwww:x:33:app";

static void test_etc_name(void **state)
{
	_cleanup_free_ char *root = etc_name(passwd, 0), *app = etc_name(passwd, 1000);

	(void)state;
	assert_string_equal(root, "root");
	assert_string_equal(app, "app");
	assert_null(etc_name(passwd, 7));
	assert_null(etc_name(passwd, 1));
	assert_null(etc_name(passwd, UINT32_MAX));
	assert_null(etc_name("", 0));
	assert_null(etc_name("\n\n:::\n", 0));
}

static void expect_user(const char *name, uid_t uid, const char *want, uid_t want_uid, gid_t gid,
			const char *home)
{
	_cleanup_etc_user_ struct etc_user u = {};

	assert_int_equal(etc_user_find(passwd, name, uid, &u), 0);
	assert_string_equal(u.name, want);
	assert_int_equal(u.uid, want_uid);
	assert_int_equal(u.gid, gid);
	assert_string_equal(u.home, home);
	if (!strcmp(want, "last"))
		assert_null(u.shell);
	else if (strcmp(want, "rel") != 0)
		assert_string_equal(u.shell, !strcmp(want, "app") ? "/bin/ash" : "/bin/sh");
}

static void test_users(void **state)
{
	static const char *const none[] = {"nobody", "neg", "big", "short", "broken", "ap", "appp"};
	struct etc_user u;

	(void)state;
	expect_user("root", 99, "root", 0, 0, "/root");
	expect_user("app", 0, "app", 1000, 1001, "/srv"); /* the first of two */
	expect_user(NULL, 1000, "app", 1000, 1001, "/srv");
	expect_user("rel", 0, "rel", 9, 9, "/");
	expect_user("last", 0, "last", 5, 6, "/");
	for (size_t i = 0; i < ARRAY_LEN(none); i++) {
		assert_int_equal(etc_user_find(passwd, none[i], 0, &u), -ENOENT);
		assert_null(u.name);
	}
	assert_int_equal(etc_user_find(passwd, NULL, 8, &u), -ENOENT);
	assert_int_equal(etc_user_find("", NULL, 0, &u), -ENOENT);
}

static int add(void *data, gid_t gid)
{
	struct buf *b = data;

	buf_printf(b, "%u ", gid);
	return 0;
}

static int stop(void *data, gid_t gid)
{
	return (int)gid;
}

static void test_groups(void **state)
{
	_cleanup_buf_ struct buf b = {};
	gid_t gid;

	(void)state;
	assert_int_equal(etc_groups_of(group, "app", add, &b), 0);
	assert_string_equal(b.data, "10 33 ");
	assert_int_equal(etc_groups_of(group, "app", stop, NULL), 10);
	assert_int_equal(etc_groups_of(group, "nobody", stop, NULL), 0);
	assert_int_equal(etc_group_find(group, "www", &gid), 0);
	assert_int_equal(gid, 33);
	assert_int_equal(etc_group_find(group, "ww", &gid), -ENOENT);
	assert_int_equal(etc_group_find(group, "bad", &gid), -ENOENT);
}

static void test_ids(void **state)
{
	uint32_t id;

	(void)state;
	assert_int_equal(etc_id("4294967294", &id), 0);
	assert_int_equal(id, 4294967294U);
	assert_int_not_equal(etc_id("4294967295", &id), 0);
	assert_int_not_equal(etc_id("-1", &id), 0);
	assert_int_not_equal(etc_id("", &id), 0);
	assert_int_not_equal(etc_id("1 ", &id), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_etc_name),
		cmocka_unit_test(test_users),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

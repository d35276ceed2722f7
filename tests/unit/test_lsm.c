/* sys/lsm: what a process is confined by, as its container's /proc may say it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "sys/lsm.h"

static char dir[] = "/tmp/test_lsm.XXXXXX";
static int proc = -EBADF;

static void put(const char *name, const char *text)
{
	_cleanup_close_ int fd = openat(proc, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

static int setup(void **state)
{
	(void)state;
	proc = mkdtemp(dir) ? open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC) : -EBADF;
	return proc < 0 || mkdirat(proc, "attr", 0700) < 0 ||
	       mkdirat(proc, "attr/apparmor", 0700) < 0 || mkdirat(proc, "self", 0700) < 0;
}

static int teardown(void **state)
{
	static const char *const files[] = {"attr/apparmor/current", "attr/current",
					    "self/attr/apparmor/exec", "self/attr/exec"};
	static const char *const dirs[] = {"attr/apparmor", "attr", "self/attr/apparmor",
					   "self/attr", "self"};

	(void)state;
	for (size_t i = 0; i < 4; i++)
		unlinkat(proc, files[i], 0);
	for (size_t i = 0; i < 5; i++)
		unlinkat(proc, dirs[i], AT_REMOVEDIR);
	close(proc);
	return rmdir(dir);
}

static void test_read(void **state)
{
	static const struct {
		const char *text, *name;
	} cases[] = {
		{"docker-default (enforce)\n", "docker-default"},
		{"a b (complain)", "a b"},
		{"lxc-l1_</var/lib/lxc>//&:lxc-l1_<-var-lib-lxc>:unconfined (enforce)\n",
		 "lxc-l1_</var/lib/lxc>//&:lxc-l1_<-var-lib-lxc>:unconfined"},
		{"unconfined\n", ""},
		{"", ""},
		{"system_u:system_r:container_t:s0", ""},
		{"no mode", ""},
	};
	struct lsm lsm;

	(void)state;
	lsm_read(proc, &lsm);
	assert_string_equal(lsm.name, ""); /* no such file */
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		put("attr/apparmor/current", cases[i].text);
		lsm_read(proc, &lsm);
		assert_string_equal(lsm.name, cases[i].name);
		assert_string_equal(lsm.files, "");
	}
}

/* Where AppArmor is off, its file cannot be read. */
static void test_label(void **state)
{
	static const struct {
		const char *text, *name;
	} cases[] = {
		{"system_u:system_r:container_t:s0:c1,c2\n",
		 "system_u:system_r:container_t:s0:c1,c2"},
		{"user_u:user_r:user_t", "user_u:user_r:user_t"},
		{"docker-default (enforce)\n", ""},
		{":ns://profile:x\n", ""},
		{"a:b\n", ""},
		{"kernel", ""},
		{"", ""},
	};
	struct lsm lsm;

	(void)state;
	assert_int_equal(unlinkat(proc, "attr/apparmor/current", 0), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		put("attr/current", cases[i].text);
		lsm_read(proc, &lsm);
		assert_string_equal(lsm.name, cases[i].name);
		assert_string_equal(lsm.files, "");
	}
}

static void test_on_exec(void **state)
{
	char text[64];

	(void)state;
	assert_int_equal(lsm_on_exec(proc, "p"), -ENOENT);
	assert_int_equal(mkdirat(proc, "self/attr", 0700), 0);
	assert_int_equal(mkdirat(proc, "self/attr/apparmor", 0700), 0);
	put("self/attr/apparmor/exec", "");
	assert_int_equal(lsm_on_exec(proc, "docker-default"), 0);
	assert_true(file_read_small_at(proc, "self/attr/apparmor/exec", text, sizeof(text)) > 0);
	assert_string_equal(text, "exec docker-default");
	assert_int_equal(lsm_on_exec(proc, "u:r:t:s0"), -ENOENT);
	put("self/attr/exec", "");
	assert_int_equal(lsm_on_exec(proc, "u:r:t:s0:c1,c2"), 0);
	assert_true(file_read_small_at(proc, "self/attr/exec", text, sizeof(text)) > 0);
	assert_string_equal(text, "u:r:t:s0:c1,c2");
}

static void test_has(void **state)
{
	(void)state;
	assert_false(lsm_has("no-such-profile-of-porthole"));
	assert_false(lsm_has("no_such_u:no_such_r:no_such_t:s0"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_label),
		cmocka_unit_test(test_on_exec),
		cmocka_unit_test(test_has),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

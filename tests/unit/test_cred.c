/* sys/cred: what a process is and may, from captured /proc files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "sys/cred.h"

static char dir[] = "/tmp/porthole-test.XXXXXX";

static void put(int fd, const char *name, const char *text)
{
	_cleanup_close_ int f = openat(fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(f >= 0);
	assert_int_equal(fd_write_all(f, text, strlen(text)), 0);
}

static int setup(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	_cleanup_close_ int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	unlinkat(fd, "status", 0);
	unlinkat(fd, "uid_map", 0);
	return rmdir(dir);
}

/* A status file with that many supplementary groups, which the kernel writes before the rest. */
static void expect_caps(int fd, int groups)
{
	_cleanup_buf_ struct buf b = {};
	struct cred c;

	buf_puts(&b, "Name:\tapp\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t");
	for (int i = 0; i < groups; i++)
		buf_printf(&b, "%d ", 1000000 + i);
	buf_puts(&b, "\nCapInh:\t01\nCapPrm:\t02\nCapEff:\t0000000000000003\nCapBnd:\tffff\n"
		     "CapAmb:\t05\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t3\n");
	put(fd, "status", b.data);
	assert_int_equal(cred_read(fd, &c), 0);
	assert_int_equal(c.euid, 2);
	assert_int_equal(c.fsgid, 8);
	assert_int_equal(c.ngroups, groups < CRED_GROUPS_MAX ? groups : CRED_GROUPS_MAX);
	assert_int_equal(c.cap_eff, 3);
	assert_int_equal(c.cap_bnd, 0xffff);
	assert_true(c.no_new_privs);
	assert_int_equal(c.seccomp, 2);
	assert_int_equal(c.seccomp_filters, 3);
}

static void test_cred(void **state)
{
	_cleanup_close_ int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct cred c;

	(void)state;
	assert_int_equal(cred_read(fd, &c), -ENOENT);
	expect_caps(fd, 0);
	expect_caps(fd, 3);
	expect_caps(fd, 65536); /* half a megabyte of them does not hide the capabilities */
	put(fd, "status", "Name:\tapp\n");
	assert_int_equal(cred_read(fd, &c), -EBADMSG);
	put(fd, "status", "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n"); /* an old kernel's */
	assert_int_equal(cred_read(fd, &c), 0);
	assert_int_equal(c.seccomp, -1);
	assert_int_equal(c.seccomp_filters, -1);
	assert_false(c.no_new_privs);
}

static void test_idmap(void **state)
{
	_cleanup_close_ int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct idmap m;

	(void)state;
	put(fd, "uid_map", "         0       1001          1\n         1     100000      65536\n");
	assert_int_equal(idmap_read(fd, "uid_map", &m), 0);
	assert_int_equal(m.n, 2);
	assert_int_equal(idmap_to_inside(&m, 1001), 0);
	assert_int_equal(idmap_to_inside(&m, 100000), 1);
	assert_int_equal(idmap_to_inside(&m, 165535), 65536);
	assert_int_equal(idmap_to_inside(&m, 165536), UINT32_MAX);
	assert_int_equal(idmap_to_outside(&m, 0), 1001);
	assert_int_equal(idmap_to_outside(&m, 65537), UINT32_MAX);
	assert_int_equal(idmap_first_inside(&m), 0);
	put(fd, "uid_map", "");
	assert_int_equal(idmap_read(fd, "uid_map", &m), 0);
	assert_int_equal(m.n, 0);
	assert_int_equal(idmap_to_outside(&m, 0), UINT32_MAX);
	assert_int_equal(idmap_first_inside(&m), UINT32_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cred),
		cmocka_unit_test(test_idmap),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

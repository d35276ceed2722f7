/* sys/cgroup and sys/mountinfo on captured text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "sys/cgroup.h"
#include "sys/mountinfo.h"

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
	static const char *const files[] = {"mountinfo", "cgroup", "n", "stat"};
	_cleanup_close_ int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		unlinkat(fd, files[i], 0);
	return rmdir(dir);
}

static void test_hiers(void **state)
{
	_cleanup_close_ int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_cgroup_hiers_ struct cgroup_hiers h = {};
	_cleanup_free_ char *path = NULL, *none = NULL, *v2 = NULL;

	(void)state;
	put(fd, "mountinfo",
	    "20 1 0:1 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n"
	    "21 1 0:2 /part /mnt/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
	    "22 1 0:2 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup "
	    "rw,cpu,cpuacct,clone_children\n"
	    "23 1 0:3 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,xattr,memory\n"
	    "24 1 0:4 / /sys/fs/cgroup/systemd rw - cgroup none "
	    "rw,release_agent=/x,name=systemd\n");
	put(fd, "cgroup",
	    "4:name=systemd:/s\n3:memory:/a:b/c\n2:cpu,cpuacct:/docker/ID\n9:memory\n0::/u\n");
	assert_int_equal(cgroup_hiers_read(fd, &h), 0);
	assert_int_equal(h.n, 4);
	assert_true(h.v[3].v2);
	assert_string_equal(cgroup_find(&h, "cpuacct")->mount, "/sys/fs/cgroup/cpu,cpuacct");
	assert_string_equal(cgroup_find(&h, "memory")->names, "memory");
	assert_string_equal(cgroup_find(&h, "name=systemd")->mount, "/sys/fs/cgroup/systemd");
	assert_true(cgroup_find(&h, "pids")->v2); /* on no version 1 hierarchy */
	assert_true(cgroup_find(&h, "")->v2);
	path = cgroup_path_read(fd, cgroup_find(&h, "memory"));
	assert_string_equal(path, "/a:b/c");
	v2 = cgroup_path_read(fd, cgroup_find(&h, ""));
	assert_string_equal(v2, "/u");
	none = cgroup_path_parse("3:mem:/x\nnonsense\n:\n::", cgroup_find(&h, "memory"));
	assert_null(none);
}

static void test_open(void **state)
{
	struct cgroup_hier h = {.names = (char *)"", .mount = (char *)"/proc", .root = (char *)"/"};
	struct cgroup_hier part = {
		.names = (char *)"", .mount = (char *)"/proc", .root = (char *)"/docker/x"};
	_cleanup_close_ int self = cgroup_open(&h, "/self"),
			    below = cgroup_open(&part, "/docker/x/self");
	_cleanup_close_ int top = cgroup_open(&part, "/docker/x");

	(void)state;
	assert_true(self >= 0);
	assert_true(below >= 0);
	assert_true(top >= 0);
	assert_int_equal(cgroup_open(&h, "/no-such"), -ENOENT);
	assert_int_equal(cgroup_open(&h, "/../x"), -ENOENT);
	assert_int_equal(cgroup_open(&part, "/docker/xy"), -ENOENT);
}

static void test_numbers(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint64_t want;
	} rows[] = {
		{"0\n", 0, 0},
		{"1048576\n", 0, 1048576},
		{"max\n", 0, CGROUP_NONE},
		{"-1\n", 0, CGROUP_NONE},
		{"9223372036854771712\n", 0, CGROUP_NONE}, /* version 1's "no limit" */
		{"", -EBADMSG, 5},
		{"x\n", -EBADMSG, 5},
		{"99999999999999999999\n", -EBADMSG, 5},
	};
	_cleanup_close_ int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	uint64_t v;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		v = 5;
		put(fd, "n", rows[i].text);
		assert_int_equal(cgroup_u64(fd, "n", &v), rows[i].r);
		if (rows[i].r == 0)
			assert_true(v == rows[i].want);
	}
	assert_int_equal(cgroup_u64(fd, "missing", &v), -ENOENT);
	put(fd, "stat", "oom_kill_disable 0\noom_kill 3\nlast 4");
	assert_int_equal(cgroup_key(fd, "stat", "oom_kill", &v), 0);
	assert_int_equal(v, 3);
	assert_int_equal(cgroup_key(fd, "stat", "last", &v), 0);
	assert_int_equal(v, 4);
	assert_int_equal(cgroup_key(fd, "stat", "oom", &v), -ENOENT);
}

static void test_mountinfo(void **state)
{
	_cleanup_mountinfo_ struct mountinfo m = {}, empty = {};
	const char *v;
	size_t len;

	(void)state;
	assert_int_equal(
		mountinfo_parse(
			strdup("1 0 0:1 / / rw - rootfs rootfs rw\n"
			       "2 1 0:2 / / rw shared:3 master:4 propagate_from:5 - a b c=d\n"
			       "3 1 0:2 /\\134\\011\\012 /x\\0402 rw - a b c\n"
			       "4 1 0:2 / \\400\\9 rw - a b c\n"
			       "5 1\n6 1 0:2 / /y rw - a\n7 1 0:2 / /y rw a b c\n"),
			&m),
		0);
	assert_int_equal(m.n, 4);
	assert_ptr_equal(mountinfo_root(&m), &m.v[1]); /* the upper one */
	assert_int_equal(m.v[1].shared, 3);
	assert_int_equal(m.v[1].master, 4);
	assert_string_equal(m.v[2].root, "/\\\t\n");
	assert_string_equal(m.v[2].target, "/x 2");
	assert_string_equal(m.v[3].target, "\\400\\9");
	assert_int_equal(mountinfo_parse(strdup(""), &empty), 0);
	assert_null(mountinfo_root(&empty));

	assert_true(mountinfo_has("rw,nosuid", "rw"));
	assert_true(mountinfo_has("rw,nosuid", "nosuid"));
	assert_false(mountinfo_has("rw,nosuid", "no"));
	assert_false(mountinfo_has("errors=ro", "ro"));
	v = mountinfo_value("rw,upperdir=/a,workdir=/b", "upperdir", &len);
	assert_int_equal(len, 2);
	assert_memory_equal(v, "/a", 2);
	v = mountinfo_value("x=a\\", "x", &len); /* ends in the middle of an escape */
	assert_int_equal(len, 2);
	assert_null(mountinfo_value("rw,xupperdir=/a", "upperdir", &len));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hiers),
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_mountinfo),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

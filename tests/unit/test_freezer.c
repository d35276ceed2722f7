/* sys/freezer on made-up trees of both versions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fd.h"
#include "base/str.h"
#include "sys/freezer.h"

static char dir[] = "/tmp/porthole-test.XXXXXX";

static void put(const char *name, const char *text)
{
	_cleanup_free_ char *path = str_fmt("%s/%s", dir, name);
	FILE *f;

	for (char *p = path + strlen(dir) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(path, 0700);
		*p = '/';
	}
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static bool holds(const char *name, const char *text)
{
	_cleanup_close_ int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char got[64];

	return file_read_small_at(fd, name, got, sizeof(got)) >= 0 && str_starts(got, text);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static int setup(void **state)
{
	(void)state;
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* The freezer of a process whose /proc/PID/cgroup is `theirs`, ours being `ours`. */
static int find(const char *theirs, const char *ours, struct freezer *f)
{
	_cleanup_free_ char *info = str_fmt("4 1 0:7 / %s/f rw - cgroup cgroup rw,freezer\n"
					    "5 1 0:8 / %s/u rw - cgroup2 cgroup2 rw\n",
					    dir, dir);
	_cleanup_close_ int top = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), self = -EBADF,
			    proc = -EBADF;
	_cleanup_cgroup_hiers_ struct cgroup_hiers h = {};

	put("self/mountinfo", info);
	put("self/cgroup", ours);
	put("7/cgroup", theirs);
	self = openat(top, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	proc = openat(top, "7", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(cgroup_hiers_read(self, &h), 0);
	return freezer_open(&h, proc, self, f);
}

static void test_v1(void **state)
{
	struct freezer f = FREEZER_INIT;

	(void)state;
	put("f/d/x/freezer.state", "THAWED\n");
	put("u/d/x/cgroup.freeze", "0\n");
	assert_int_equal(find("3:freezer:/d/x\n0::/d/x\n", "3:freezer:/\n0::/\n", &f), 0);
	assert_false(f.v2);
	assert_non_null(strstr(f.path, "/f/d/x"));
	assert_false(freezer_is_on(&f));
	assert_int_equal(freezer_freeze(&f, 100), 0);
	assert_true(freezer_is_on(&f));
	assert_true(holds("f/d/x/freezer.state", "FROZEN"));
	assert_int_equal(freezer_thaw(&f), 0);
	assert_true(holds("f/d/x/freezer.state", "THAWED"));
	put("f/d/x/freezer.state", "FREEZING\n");
	assert_true(freezer_is_on(&f));
	freezer_done(&f);
}

static void test_v2(void **state)
{
	struct freezer f = FREEZER_INIT;

	(void)state;
	put("u/d/x/cgroup.freeze", "0\n");
	put("u/d/x/cgroup.events", "populated 1\nfrozen 1\n");
	/* none of its own on version 1; systemd's own scope is cut off */
	assert_int_equal(find("3:freezer:/\n0::/d/x/init.scope\n", "3:freezer:/\n0::/\n", &f), 0);
	assert_true(f.v2);
	assert_true(freezer_is_on(&f)); /* by a cgroup above */
	assert_int_equal(freezer_freeze(&f, 100), 0);
	assert_true(holds("u/d/x/cgroup.freeze", "1"));
	put("u/d/x/cgroup.events", "populated 1\nfrozen 0\n");
	assert_true(freezer_is_on(&f)); /* on its way */
	assert_int_equal(freezer_freeze(&f, 20), -ETIMEDOUT);
	assert_true(holds("u/d/x/cgroup.freeze", "0"));
	assert_false(freezer_is_on(&f));
	freezer_done(&f);
}

static void test_none(void **state)
{
	struct freezer f = FREEZER_INIT;

	(void)state;
	put("f/d/x/freezer.state", "THAWED\n");
	put("u/d/x/cgroup.freeze", "0\n");
	/* the root; ours too; not shown by our mounts */
	assert_int_equal(find("3:freezer:/\n0::/\n", "3:freezer:/\n0::/\n", &f), -ENOENT);
	assert_int_equal(find("3:freezer:/d/x\n0::/d/x\n", "3:freezer:/d/x\n0::/d/x\n", &f),
			 -ENOENT);
	assert_int_equal(find("3:freezer:/../y\n0::/gone\n", "3:freezer:/\n0::/\n", &f), -ENOENT);
	assert_int_equal(f.dir, -EBADF);
	assert_int_equal(f.ctl, -EBADF);
}

static int sum(int pid, void *data)
{
	*(int *)data += pid;
	return pid == 666 ? 1 : 0;
}

static void test_each(void **state)
{
	struct freezer f = FREEZER_INIT;
	int total = 0;

	(void)state;
	put("f/d/x/freezer.state", "THAWED\n");
	put("f/d/x/cgroup.procs", "1\n2\n");
	put("f/d/x/a/b/cgroup.procs", "100\n");
	put("f/d/x/a/cgroup.procs", "10\n");
	assert_int_equal(find("3:freezer:/d/x\n", "3:freezer:/\n", &f), 0);
	assert_int_equal(freezer_each(&f, sum, &total), 0);
	assert_int_equal(total, 113);
	put("f/d/x/a/cgroup.procs", "666\n");
	assert_int_equal(freezer_each(&f, sum, &total), 1);
	for (int i = 0; i < 20; i++) { /* too deep to be sure */
		char name[128] = "f/d/x";

		for (int k = 0; k <= i; k++)
			strcat(name, "/c");
		strcat(name, "/cgroup.procs");
		put(name, "");
	}
	put("f/d/x/a/cgroup.procs", "10\n");
	assert_int_equal(freezer_each(&f, sum, &total), -E2BIG);
	freezer_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_v1, setup, teardown),
		cmocka_unit_test_setup_teardown(test_v2, setup, teardown),
		cmocka_unit_test_setup_teardown(test_none, setup, teardown),
		cmocka_unit_test_setup_teardown(test_each, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* session/user and session/prove: who a command runs as in hostile containers, and fingerprints
 * that differ. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "session/plan.h"
#include "session/prove.h"

static char dir[64];
static int dir_fd;

static void put(const char *name, const char *text)
{
	_cleanup_close_ int f =
		openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(f >= 0);
	assert_int_equal(fd_write_all(f, text, strlen(text)), 0);
}

/* DIR is /proc/PID of a target whose root is DIR/root. */
static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/porthole-test.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mkdirat(dir_fd, "root", 0755);
	mkdirat(dir_fd, "root/etc", 0755);
	mkdirat(dir_fd, "root/dev", 0755);
	mkdirat(dir_fd, "ns", 0755);
	if (symlinkat("pid:[7]", dir_fd, "ns/pid") < 0 ||
	    symlinkat("mnt:[8]", dir_fd, "ns/mnt") < 0)
		return -1;
	put("root/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"
			       "app:x:1000:1001::/srv:/bin/ash\n"
			       "app:x:0:0::/second:/bin/sh\n"
			       "max:x:4294967295:0::/:\n"
			       "\033[31m:x:7:7::/:\n");
	put("root/etc/group", "root:x:0:\nwheel:x:10:root,app\napps:x:11:happy,appl\n"
			      "www:x:33:app\nbad:x:-1:app\n");
	put("uid_map", "0 100000 65536\n");
	put("gid_map", "0 200000 65536\n");
	put("status", "Uid:\t5\t100005\t5\t5\nGid:\t6\t200006\t6\t6\nGroups:\t200010 200033 1\n");
	put("mountinfo", "1 0 0:1 / / rw - ext4 a rw\n2 1 0:2 / /proc rw - proc p rw\n");
	put("cgroup", "0::/a\n");
	return dir_fd < 0 ? -1 : 0;
}

static int drop(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	(void)state;
	cleanup_close(&dir_fd);
	return nftw(dir, drop, 8, FTW_DEPTH | FTW_PHYS);
}

static struct target target;

static int user_of(struct plan *p, const char *spec, unsigned join, struct err *e)
{
	*p = PLAN_INIT;
	*e = (struct err){};
	target = TARGET_INIT;
	target.proc_fd = dir_fd;
	p->target = &target;
	p->label = strdup("web");
	p->ns_join = CLONE_NEWNS | join;
	p->root_fd = openat(dir_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return plan_user(p, spec, e);
}

static void is(const char *spec, unsigned join, uid_t uid, gid_t gid, const char *name,
	       size_t ngroups)
{
	_cleanup_plan_ struct plan p = PLAN_INIT;
	struct err e;
	int r = user_of(&p, spec, join, &e);

	if (r < 0 || p.who.uid != uid || p.who.gid != gid || !str_eq(p.who.name, name) ||
	    p.who.ngroups != ngroups)
		fail_msg("%s: %d %s: %u:%u %s, %zu groups", spec ? spec : "NULL", r, e.msg,
			 p.who.uid, p.who.gid, p.who.name, p.who.ngroups);
}

static void refused_with(int num, const char *spec, const char *words)
{
	_cleanup_plan_ struct plan p = PLAN_INIT;
	struct err e;
	int r = user_of(&p, spec, 0, &e);

	if (r != num || !strstr(e.msg, words))
		fail_msg("%s: %d, '%s', %u:%u", spec, r, e.msg, p.who.uid, p.who.gid);
	for (const char *c = e.msg; *c; c++)
		assert_true((unsigned char)*c >= ' ' && *c != 127);
}

static void test_user(void **state)
{
	(void)state;
	is(NULL, 0, 0, 0, "root", 0);
	is("", 0, 0, 0, "root", 0);
	is("root", 0, 0, 0, "root", 1);
	is("app", 0, 1000, 1001, "app", 2); /* the first of that name; wheel and www */
	is("1000", 0, 1000, 1001, "app", 2);
	is("01000", 0, 1000, 1001, "app", 2);
	is("4242", 0, 4242, 0, "4242", 0);
	is("4294967294", 0, 4294967294U, 0, "4294967294", 0);
	is("app:wheel", 0, 1000, 10, "app", 2);
	is("app:77", 0, 1000, 77, "app", 0);
	is("4242:www", 0, 4242, 33, "4242", 0);
	is(":wheel", 0, 0, 10, "root", 1);
	is("0:0", 0, 0, 0, "root", 0);
}

static void refused(const char *spec, const char *words)
{
	refused_with(-ENOENT, spec, words);
}

static void test_user_refused(void **state)
{
	static const char *const none[] = {"nobody", "-1",	    "0x10",	"1000 ",
					   " 1000",  "app\n",	    "app,root", "max",
					   "+5",     "root/../app", "\033[2Jx"};

	static const char *const numbers[] = {"4294967295", "4294967296",
					      "99999999999999999999999"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		refused(none[i], "there is no user");
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		refused_with(-EINVAL, numbers[i], "no user's number");
	refused("app:nogroup", "there is no group 'nogroup'");
	refused("app:-1", "there is no group");
	refused("app:bad", "there is no group 'bad'");
	refused("app:4294967295", "there is no group");
	refused("1:2:3", "there is no group '2:3'");
}

static void test_user_inside(void **state)
{
	(void)state;
	is("target", CLONE_NEWUSER, 5, 6, "5", 2); /* a group that is not mapped is none */
	is("target", 0, 100005, 200006, "100005", 3);
	is(NULL, CLONE_NEWUSER, 0, 0, "root", 0);
	put("uid_map", "1000 100000 1\n"); /* maps no root */
	put("gid_map", "1001 200000 1\n");
	is(NULL, CLONE_NEWUSER, 1000, 1001, "app", 0);
	is("", CLONE_NEWUSER, 1000, 1001, "app", 0);
}

/* Files that are none: nothing is waited for, and root is still root. */
static void test_user_files(void **state)
{
	static const char *const links[] = {"/etc/passwd", "../../../../../../../../etc/passwd",
					    "passwd", "/dev/zero"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(links); i++) {
		unlinkat(dir_fd, "root/etc/passwd", 0);
		assert_int_equal(symlinkat(links[i], dir_fd, "root/etc/passwd"), 0);
		is("root", 0, 0, 0, "root", 1);
		refused("daemon", "there is no user"); /* who is in the host's */
	}
	unlinkat(dir_fd, "root/etc/passwd", 0);
	assert_int_equal(mkfifoat(dir_fd, "root/etc/passwd", 0644), 0);
	is(NULL, 0, 0, 0, "root", 0);
	refused("app", "there is no user");
	unlinkat(dir_fd, "root/etc/group", 0);
	assert_int_equal(mkfifoat(dir_fd, "root/etc/group", 0644), 0);
	is("1000", 0, 1000, 0, "1000", 0);
	refused("0:wheel", "there is no group");
}

/* ---- fingerprints ---- */

static void take(struct prove *p)
{
	struct err e = {};

	target = TARGET_INIT;
	target.proc_fd = dir_fd;
	*p = (struct prove){};
	if (prove_take(&target, NULL, p, &e) < 0)
		fail_msg("%s", e.msg);
}

/* Since `before` only `part` is different, by that many lines, one of which has the words. */
static void differs(const struct prove *before, enum prove_part part, int lines, const char *words)
{
	_cleanup_(prove_done) struct prove after = {};

	take(&after);
	for (int i = 0; i <= PROVE_DEV; i++) {
		_cleanup_strv_ struct strv diff = {};
		bool found = false;
		int n = prove_diff(before, &after, (enum prove_part)i, &diff);

		if (n != (i == (int)part ? lines : 0))
			fail_msg("%s: %d lines", prove_part_key((enum prove_part)i), n);
		for (size_t k = 0; k < diff.n; k++)
			found = found || strstr(diff.v[k], words);
		assert_true(i != (int)part || found || !lines);
	}
}

static void test_prove(void **state)
{
	_cleanup_(prove_done) struct prove before = {}, next = {}, again = {}, last = {};

	(void)state;
	take(&before);
	differs(&before, PROVE_ROOT, 0, "");
	put("mountinfo", "2 1 0:2 / /proc rw - proc p rw\n1 0 0:1 / / rw - ext4 a rw\n");
	differs(&before, PROVE_MOUNTS, 0, ""); /* another order is no difference */
	put("mountinfo", "1 0 0:1 / / rw - ext4 a rw\n2 1 0:2 / /proc ro - proc p rw\n");
	differs(&before, PROVE_MOUNTS, 2, "/proc ro");
	take(&next);
	put("cgroup", "0::/b\n");
	differs(&next, PROVE_CGROUP, 2, "+0::/b");
	prove_done(&next);
	take(&again);
	put("root/left", "");
	differs(&again, PROVE_ROOT, 3, "+left mode 100644");
	unlinkat(dir_fd, "root/left", 0);
	differs(&again, PROVE_ROOT, 2, ". changed at"); /* came and went: its time tells */
	take(&last);
	assert_int_equal(fchmodat(dir_fd, "root/etc", 0700, 0), 0);
	differs(&last, PROVE_ROOT, 2, "+etc mode 40700");
	assert_int_equal(fchmodat(dir_fd, "root/etc", 0755, 0), 0);
	differs(&last, PROVE_ROOT, 0, "");
	put("root/dev/p", "");
	differs(&last, PROVE_DEV, 3, "+p mode");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_user, setup, teardown),
		cmocka_unit_test_setup_teardown(test_user_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_user_inside, setup, teardown),
		cmocka_unit_test_setup_teardown(test_user_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_prove, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

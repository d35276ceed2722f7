/* sys/overlay and sys/idmap: real mounts, by both ways. Needs root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fd.h"
#include "base/str.h"
#include "sys/fsmount.h"
#include "sys/idmap.h"
#include "sys/overlay.h"

typedef int mount_fn(const struct overlay *o, struct err *e);

static char path[] = "/tmp/porthole-test.XXXXXX";
static int tree; /* a tmpfs of our own: directories to be layers */

static int sub(const char *name)
{
	int fd;

	assert_true(mkdirat(tree, name, 0755) == 0 || errno == EEXIST);
	fd = openat(tree, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void put(int dir, const char *name, const char *text)
{
	_cleanup_close_ int f = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(f >= 0);
	assert_int_equal(fd_write_all(f, text, strlen(text)), 0);
}

static char *get(int dir, const char *name)
{
	char *text = NULL;

	return file_read_at(dir, name, 100, &text, NULL) < 0 ? strdup("(none)") : text;
}

static void assert_text(int dir, const char *name, const char *text)
{
	_cleanup_free_ char *is = get(dir, name);

	assert_string_equal(is, text);
}

static int setup(void **state)
{
	static const struct fs_opt none[] = {{}};
	struct err e = {};

	(void)state;
	if (geteuid() != 0 || !mkdtemp(path))
		return -1;
	/* attached where nobody looks, as a layer of an older kernel must be */
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	tree = fs_mount_detached("tmpfs", none, 0, NULL, &e);
	if (tree < 0 || move_mount(tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return -1;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close(tree);
	return umount2(path, MNT_DETACH) || rmdir(path);
}

/* Two layers and one for changes: what is read, and what is written where. */
static void try_layers(mount_fn *mount_it, const char *prefix)
{
	_cleanup_free_ char *a = str_fmt("%s-a", prefix), *b = str_fmt("%s-b", prefix);
	_cleanup_close_ int top = sub(a), bottom = sub(b), ro = -EBADF, rw = -EBADF;
	_cleanup_scratch_ struct overlay_scratch s = OVERLAY_SCRATCH_INIT;
	const int lower[] = {top, bottom};
	struct overlay o = {.lower = lower, .n = 2, .attrs = MOUNT_ATTR_NOATIME};
	struct err e = {};
	struct stat st;

	put(bottom, "one", "bottom");
	put(bottom, "two", "bottom");
	put(bottom, "gone", "bottom");
	put(top, "two", "top");
	assert_int_equal(mknodat(top, "gone", S_IFCHR, makedev(0, 0)), 0);
	assert_int_equal(fchmodat(tree, a, 0751, 0), 0);

	ro = mount_it(&o, &e);
	assert_true(ro >= 0);
	assert_text(ro, "one", "bottom");
	assert_text(ro, "two", "top");
	assert_text(ro, "gone", "(none)");
	assert_int_equal(mkdirat(ro, "new", 0755), -1);
	assert_int_equal(errno, EROFS);

	assert_int_equal(overlay_scratch_open(&s, 1 << 20, -EBADF, &e), 0);
	o.scratch = &s;
	o.name = "0";
	rw = mount_it(&o, &e);
	assert_true(rw >= 0);
	assert_int_equal(fstat(rw, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0751);
	put(rw, "one", "changed");
	put(rw, "new", "added");
	assert_int_equal(unlinkat(rw, "two", 0), 0);
	assert_text(rw, "one", "changed");
	assert_text(rw, "two", "(none)");
	assert_text(s.dir, "0/u/one", "changed");
	assert_text(s.dir, "0/u/new", "added");
	/* and nothing below knows of it */
	assert_text(bottom, "one", "bottom");
	assert_text(top, "two", "top");
	assert_text(top, "new", "(none)");
	assert_text(ro, "one", "bottom");
}

static void test_direct(void **state)
{
	(void)state;
	try_layers(overlay_mount, "direct");
}

static void test_staged(void **state)
{
	(void)state;
	try_layers(overlay_mount_staged, "staged");
}

/* Several share one scratch, also once it is on a stage; a full one is a full disk. */
/* Changes that stay, in a directory of somebody's own, with nothing else changed. */
static void test_upper(void **state)
{
	static mount_fn *const ways[] = {overlay_mount, overlay_mount_staged};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		char name[] = {'k', (char)('0' + i), '\0'};
		_cleanup_close_ int bottom = sub("kept-bottom"), base = sub(name), up = -EBADF;
		struct overlay o = {
			.lower = &bottom, .n = 1, .base = base, .upper = "diff", .work = "work"};
		struct err e = {};
		_cleanup_close_ int rw = -EBADF, again = -EBADF;

		put(bottom, "one", "bottom");
		put(bottom, "two", "bottom");
		assert_int_equal(mkdirat(base, "diff", 0711) | mkdirat(base, "work", 0700), 0);
		rw = ways[i](&o, &e);
		assert_true(rw >= 0);
		put(rw, "one", "changed");
		assert_int_equal(unlinkat(rw, "two", 0), 0);
		cleanup_close(&rw);
		rw = -EBADF;
		up = openat(base, "diff", O_PATH | O_DIRECTORY | O_CLOEXEC);
		assert_text(up, "one", "changed");
		assert_text(bottom, "one", "bottom");
		again = ways[i](&o, &e);
		assert_text(again, "one", "changed");
		assert_text(again, "two", "(none)");
	}
}

static void test_scratch(void **state)
{
	_cleanup_close_ int low = sub("scratch"), a = -EBADF, b = -EBADF, c = -EBADF, f = -EBADF;
	_cleanup_scratch_ struct overlay_scratch s = OVERLAY_SCRATCH_INIT;
	struct overlay o = {.lower = &low, .n = 1, .scratch = &s, .name = "0"};
	static char block[1 << 16];
	struct err e = {};
	int r = 0;

	(void)state;
	assert_int_equal(overlay_scratch_open(&s, 1 << 20, -EBADF, &e), 0);
	a = overlay_mount(&o, &e);
	o.name = "1";
	b = overlay_mount_staged(&o, &e);
	assert_true(s.ns >= 0);
	o.name = "2";
	c = overlay_mount(&o, &e);
	assert_true(a >= 0 && b >= 0 && c >= 0);
	put(a, "x", "a");
	put(b, "x", "b");
	put(c, "x", "c");
	assert_text(s.dir, "0/u/x", "a");
	assert_text(s.dir, "1/u/x", "b");
	assert_text(s.dir, "2/u/x", "c");
	f = openat(a, "big", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	for (int i = 0; i < 64 && r == 0; i++)
		r = fd_write_all(f, block, sizeof(block));
	assert_int_equal(r, -ENOSPC);
	assert_text(low, "x", "(none)");
}

static void try_many(mount_fn *mount_it)
{
	_cleanup_close_ int many = sub("many"), m = -EBADF;
	static int lower[OVERLAY_LAYERS_MAX];
	const struct overlay o = {.lower = lower, .n = OVERLAY_LAYERS_MAX};
	struct err e = {};

	for (int i = 0; i < OVERLAY_LAYERS_MAX; i++) {
		char name[16];

		snprintf(name, sizeof(name), "l%d", i);
		mkdirat(many, name, 0755);
		lower[i] = openat(many, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		assert_true(lower[i] >= 0);
		put(lower[i], name, "here");
	}
	m = mount_it(&o, &e);
	if (m < 0)
		fail_msg("%s", e.msg);
	assert_text(m, "l0", "here");
	assert_text(m, "l499", "here");
	for (int i = 0; i < OVERLAY_LAYERS_MAX; i++)
		close(lower[i]);
}

static void test_many(void **state)
{
	(void)state;
	try_many(overlay_mount);
	try_many(overlay_mount_staged);
}

/* What cannot be. */
static void test_deep(void **state)
{
	_cleanup_close_ int low = sub("deep"), one = -EBADF, two = -EBADF;
	_cleanup_scratch_ struct overlay_scratch s = OVERLAY_SCRATCH_INIT;
	struct overlay o = {.lower = &low, .n = 1, .scratch = &s, .name = "0"};
	struct err e = {};

	(void)state;
	assert_int_equal(overlay_scratch_open(&s, 0, -EBADF, &e), 0);
	one = overlay_mount(&o, &e);
	assert_true(one >= 0);
	o.lower = &one;
	o.name = "1";
	two = overlay_mount(&o, &e);
	assert_true(two >= 0);
	o.lower = &two;
	o.name = "2";
	assert_int_equal(overlay_mount(&o, &e), -EINVAL);
	o.name = "../x";
	o.lower = &low;
	assert_int_equal(overlay_mount(&o, &e), -EINVAL);
	o.n = OVERLAY_LAYERS_MAX + 1;
	assert_int_equal(overlay_mount(&o, &e), -E2BIG);
}

/* Owners on disk are shown as a container with that map sees them. */
static void test_owners(void **state)
{
	_cleanup_close_ int a = sub("own-a"), b = sub("own-b"), ns = -EBADF, x = -EBADF, y = -EBADF,
			    m = -EBADF;
	int lower[2];
	struct overlay o = {.lower = lower, .n = 2};
	struct err e = {};
	struct stat st;

	(void)state;
	put(a, "app", "");
	put(b, "root", "");
	assert_int_equal(fchownat(a, "app", 101000, 101001, 0), 0);
	assert_int_equal(fchownat(b, "root", 100000, 100000, 0), 0);
	ns = idmap_userns("0 100000 65536\n", NULL, &e);
	assert_true(ns >= 0);
	x = fs_clone_detached(a, 0, &e);
	y = fs_clone_detached(b, 0, &e);
	assert_true(x >= 0 && y >= 0);
	assert_int_equal(fs_idmap(x, ns, &e), 0);
	assert_int_equal(fs_idmap(y, ns, &e), 0);
	lower[0] = x;
	lower[1] = y;
	m = overlay_mount(&o, &e);
	assert_true(m >= 0);
	assert_int_equal(fstatat(m, "app", &st, 0), 0);
	assert_int_equal(st.st_uid, 1000);
	assert_int_equal(st.st_gid, 1001);
	assert_int_equal(fstatat(m, "root", &st, 0), 0);
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(idmap_userns("rubbish", NULL, &e), -EINVAL);
	assert_int_equal(idmap_userns("", NULL, &e), -EINVAL);
	assert_true(idmap_userns("0 100000 10\n5 1 1\n", NULL, &e) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_direct), cmocka_unit_test(test_staged),
		cmocka_unit_test(test_upper),  cmocka_unit_test(test_scratch),
		cmocka_unit_test(test_many),   cmocka_unit_test(test_deep),
		cmocka_unit_test(test_owners),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

/* session/rescue: a layer of every kind of entry, copied. Needs root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "session/rescue.h"

static char path[] = "/tmp/porthole-test.XXXXXX";
static int layer;

static int setup(void **state)
{
	(void)state;
	if (geteuid() != 0 || !mkdtemp(path))
		return -1;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("test", path, "tmpfs", 0, NULL) < 0)
		return -1;
	layer = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return layer < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	close(layer);
	umount2(path, MNT_DETACH);
	return rmdir(path);
}

static void put(const char *name, size_t size, const char *end)
{
	_cleanup_close_ int f = openat(layer, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);

	assert_true(f >= 0);
	assert_int_equal(ftruncate(f, (off_t)size), 0);
	assert_int_equal(pwrite(f, end, strlen(end), (off_t)size), strlen(end));
}

static void assert_text(int dir, const char *name, const char *text)
{
	_cleanup_free_ char *is = NULL;

	assert_int_equal(file_read_at(dir, name, 100, &is, NULL), 0);
	assert_string_equal(is, text);
}

static void test_entries(void **state)
{
	static const char evil[] = "a\n\033[31m ..x";
	struct rescue r = RESCUE_INIT;
	struct stat st;
	char link[16], deep[16];
	int at = layer;

	(void)state;
	put("f", 0, "hello");
	assert_int_equal(fchownat(layer, "f", 100, 200, 0), 0);
	assert_int_equal(fchmodat(layer, "f", 04711, 0), 0);
	put(evil, 0, "evil");
	put("big", RESCUE_FILE_MAX, "x");
	assert_int_equal(mknodat(layer, "gone", S_IFCHR, makedev(0, 0)), 0);
	assert_int_equal(mkfifoat(layer, "fifo", 0600), 0);
	assert_int_equal(symlinkat("/etc/../x", layer, "link"), 0);
	assert_int_equal(symlinkat("/etc", layer, "dirlink"), 0);
	assert_int_equal(mkdirat(layer, "new", 0700), 0);
	assert_int_equal(fchmodat(layer, "new", 01777, 0), 0);
	put("new/f", 0, "inner");
	{
		_cleanup_close_ int fd = openat(layer, "new", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		assert_int_equal(fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0), 0);
	}
	for (int i = 0; i < RESCUE_DEPTH_MAX + 5; i++) { /* deeper than we follow */
		int next;

		snprintf(deep, sizeof(deep), "d%d", i);
		assert_int_equal(mkdirat(at, deep, 0755), 0);
		next = openat(at, deep, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (at != layer)
			close(at);
		at = next;
	}
	close(at);
	assert_int_equal(rescue_copy(layer, 0, &r), 0);
	assert_int_equal(r.files, 7);
	assert_int_equal(r.missed, 2); /* big, and what is too deep */
	assert_int_equal(r.names.n, 2);
	assert_true(strv_has(&r.names, "/big"));
	assert_text(r.mnt, "f", "hello");
	assert_text(r.mnt, evil, "evil");
	assert_text(r.mnt, "new/f", "inner");
	assert_int_equal(fstatat(r.mnt, "f", &st, 0), 0);
	assert_true(st.st_uid == 100 && st.st_gid == 200 && (st.st_mode & 07777) == 04711);
	assert_int_equal(fstatat(r.mnt, "gone", &st, 0), 0);
	assert_true(S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0));
	assert_int_equal(fstatat(r.mnt, "fifo", &st, 0), 0);
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(link_read_at(r.mnt, "link", link, sizeof(link)), 9);
	assert_string_equal(link, "/etc/../x");
	assert_int_equal(fstatat(r.mnt, "dirlink", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(fstatat(r.mnt, "new", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 01777);
	{
		_cleanup_close_ int fd = openat(r.mnt, "new", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		assert_int_equal(fgetxattr(fd, "trusted.overlay.opaque", link, 1), 1);
	}
	assert_int_equal(fstatat(r.mnt, "big", &st, 0), -1);
	rescue_done(&r);
	assert_int_equal(r.mnt, -EBADF);
	assert_int_equal(rescue_copy(-EBADF, 0, &r), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_entries, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Layers and root filesystems unpacked: all that is in them is kept, and whatever they say, nothing
 * outside is touched. Needs root (a tmpfs).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "store/below.h"
#include "store/image.h"
#include "store/untar.h"
#include "tar_make.h"

#define LIMIT ((uint64_t)16 << 20)

static char outside[] = "/tmp/pt-untar-XXXXXX"; /* what must not be touched */
static int watch;
static struct store temp;
static int root; /* what the last one was unpacked to */
static unsigned count;
static struct err err;

static int group_setup(void **state)
{
	char path[PATH_MAX];
	struct buf secret = {};

	if (!mkdtemp(outside))
		return -1;
	buf_puts(&secret, "secret");
	snprintf(path, sizeof(path), "%s/secret", outside);
	tar_write(path, &secret);
	buf_done(&secret);
	watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	return inotify_add_watch(watch, outside, IN_ALL_EVENTS) < 0;
}

static int group_teardown(void **state)
{
	char cmd[PATH_MAX + 16];

	close(watch);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", outside);
	return system(cmd);
}

static int setup(void **state)
{
	temp = STORE_INIT;
	root = -EBADF;
	count = 0;
	return image_temp(LIMIT, &temp, &err);
}

/* Nothing outside was read, written or even opened. */
static int teardown(void **state)
{
	char event[4096];
	ssize_t n = read(watch, event, sizeof(event));

	cleanup_close(&root);
	store_done(&temp);
	return n > 0 ? -1 : 0;
}

static int unpack_on(const void *data, size_t n, bool layer, const int *lower, size_t n_lower)
{
	_cleanup_blob_ struct blob b = {.fd = tar_fd(data, n), .size = n};
	_cleanup_stream_ struct stream s = {};
	struct budget budget = budget_of(LIMIT);
	struct untar u = {.lower = lower, .n_lower = n_lower, .layer = layer};
	char name[16];
	int r;

	snprintf(name, sizeof(name), "%u", ++count);
	assert_int_equal(mkdirat(temp.temp, name, 0755), 0);
	cleanup_close(&root);
	root = u.root = openat(temp.temp, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	err = (struct err){};
	r = stream_open(&s, &b, &budget, &err);
	if (r == 0)
		r = untar(&u, &s, &err);
	assert_int_equal(r < 0, err.num != 0);
	return r;
}

static int unpack(struct buf *tar, bool layer)
{
	int r;

	tar_end(tar);
	r = unpack_on(tar->data, tar->len, layer, NULL, 0);
	buf_done(tar);
	return r;
}

/* What is in a file below the root, "" when there is none; DIR and LINK for those. */
static const char *text(const char *path)
{
	static char out[PATH_MAX];
	_cleanup_free_ char *data = NULL;
	struct stat st;

	snprintf(out, sizeof(out), "%s", "");
	if (fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return "";
	if (S_ISDIR(st.st_mode))
		return "DIR";
	if (S_ISLNK(st.st_mode))
		return link_read_at(root, path, out, sizeof(out)) > 0 ? out : "";
	if (below_is_whiteout(&st))
		return "WHITEOUT";
	if (path_read_in_root(root, path, 1 << 20, &data, NULL) == 0)
		snprintf(out, sizeof(out), "%.1000s", data);
	return out;
}

static struct stat stat_of(const char *path)
{
	struct stat st = {};

	assert_int_equal(fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st;
}

static bool opaque(const char *path)
{
	_cleanup_close_ int fd = openat(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 && below_is_opaque(fd);
}

static void test_all_is_kept(void **state)
{
	static const char cap[] = "\1\0\0\2\0\40\0\0\0\0\0\0\0\0\0\0\0\0\0";
	struct buf t = {}, pax = {};
	char got[32];
	struct stat st;

	tar_head(&t, &(struct tar_head){.name = "./", .type = '5', .mode = 0751, .mtime = 77});
	tar_head(&t, &(struct tar_head){.name = "bin/",
					.type = '5',
					.mode = 01770,
					.uid = 5,
					.gid = 6,
					.mtime = 1000000});
	tar_pax_record(&pax, "SCHILY.xattr.security.capability", cap, 20);
	tar_pax_record(&pax, "SCHILY.xattr.trusted.overlay.redirect", "/etc", 4);
	tar_pax_record(&pax, "SCHILY.xattr.trusted.keep", "me", 2);
	tar_pax_record(&pax, "mtime", "1234567.5", 9);
	tar_pax_record(&pax, "uid", "3000000000", 10);
	tar_pax(&t, pax.data, pax.len);
	tar_head(&t, &(struct tar_head){
			     .name = "bin/su", .type = '0', .mode = 04755, .size = 3, .gid = 7});
	tar_body(&t, "elf", 3);
	tar_link(&t, "bin/twin", '1', "./bin/su");
	tar_link(&t, "sh", '2', "/bin/su");
	tar_head(&t, &(struct tar_head){
			     .name = "tty", .type = '3', .mode = 0622, .major = 5, .minor = 1});
	tar_head(&t, &(struct tar_head){.name = "sda", .type = '4', .mode = 0660, .major = 8});
	tar_head(&t, &(struct tar_head){.name = "fifo", .type = '6', .mode = 0600});
	assert_int_equal(unpack(&t, true), 0);
	buf_done(&pax);
	st = stat_of(".");
	assert_true((st.st_mode & 07777) == 0751 && st.st_mtime == 77);
	st = stat_of("bin");
	assert_true(st.st_mode == (S_IFDIR | 01770) && st.st_uid == 5 && st.st_gid == 6);
	assert_int_equal(st.st_mtime, 1000000);
	st = stat_of("bin/su");
	assert_true(st.st_mode == (S_IFREG | 04755) && st.st_uid == 3000000000 && st.st_gid == 7);
	assert_true(st.st_mtim.tv_sec == 1234567 && st.st_mtim.tv_nsec == 500000000);
	assert_true(st.st_nlink == 2 && stat_of("bin/twin").st_ino == st.st_ino);
	assert_string_equal(text("bin/twin"), "elf");
	assert_string_equal(text("sh"), "/bin/su");
	st = stat_of("tty");
	assert_true(st.st_mode == (S_IFCHR | 0622) && st.st_rdev == makedev(5, 1));
	assert_true(S_ISBLK(stat_of("sda").st_mode) && S_ISFIFO(stat_of("fifo").st_mode));
	assert_int_equal(fchdir(root), 0);
	assert_int_equal(getxattr("bin/su", "security.capability", got, sizeof(got)), 20);
	assert_int_equal(getxattr("bin/su", "trusted.keep", got, sizeof(got)), 2);
	assert_true(getxattr("bin/su", "trusted.overlay.redirect", got, sizeof(got)) < 0);
	assert_int_equal(chdir("/"), 0);
}

static void test_names(void **state)
{
	static const char *const bad[] = {"../x", "/../x", "a/../../x", "./..", "a/b/../../../x"};
	struct buf t = {};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		tar_file(&t, bad[i], "x");
		assert_int_equal(unpack(&t, true), -EXDEV);
		assert_non_null(strstr(err.msg, "leads outside"));
	}
	tar_file(&t, "//etc//./passwd", "a");
	tar_file(&t, "x/../y", "b");
	assert_int_equal(unpack(&t, true), 0);
	assert_string_equal(text("etc/passwd"), "a");
	assert_string_equal(text("y"), "b");
	tar_file(&t, "./", "a root that is a file");
	assert_int_equal(unpack(&t, true), -EBADMSG);
	tar_link(&t, ".", '2', "/etc");
	assert_int_equal(unpack(&t, true), -EBADMSG);
}

static void test_links_lead_nowhere(void **state)
{
	char path[PATH_MAX];
	struct buf t = {};

	tar_link(&t, "abs", '2', outside);
	tar_file(&t, "abs/secret", "mine");
	snprintf(path, sizeof(path), "../../../../../../../..%s", outside);
	tar_link(&t, "rel", '2', path);
	tar_file(&t, "rel/victim", "mine");
	tar_link(&t, "hop", '2', "abs/..");
	tar_file(&t, "hop/hopped", "mine");
	assert_int_equal(unpack(&t, true), 0);
	snprintf(path, sizeof(path), ".%s/secret", outside);
	assert_string_equal(text(path), "mine");
	snprintf(path, sizeof(path), ".%s/victim", outside);
	assert_string_equal(text(path), "mine");
	assert_string_equal(text("tmp/hopped"), "mine");

	tar_link(&t, "a", '2', "b");
	tar_link(&t, "b", '2', "a");
	tar_file(&t, "a/x", "x");
	assert_int_equal(unpack(&t, true), -ELOOP);
	/* the last component is replaced, not followed */
	snprintf(path, sizeof(path), "%s/secret", outside);
	tar_link(&t, "l", '2', path);
	tar_file(&t, "l", "file");
	assert_int_equal(unpack(&t, true), 0);
	assert_string_equal(text("l"), "file");
}

static void test_hard_links_outside(void **state)
{
	char path[PATH_MAX];
	struct buf t = {};

	snprintf(path, sizeof(path), "%s/secret", outside);
	tar_link(&t, "h", '1', path);
	assert_int_equal(unpack(&t, true), -EBADMSG);
	snprintf(path, sizeof(path), "../../../../../..%s/secret", outside);
	tar_link(&t, "h", '1', path);
	assert_int_equal(unpack(&t, true), -EXDEV);
	tar_link(&t, "l", '2', outside);
	tar_link(&t, "h", '1', "l/secret");
	assert_int_equal(unpack(&t, true), -EBADMSG);
	assert_string_equal(text("h"), "");
	/* of a link: the link itself */
	snprintf(path, sizeof(path), "%s/secret", outside);
	tar_link(&t, "l", '2', path);
	tar_link(&t, "h", '1', "l");
	assert_int_equal(unpack(&t, true), 0);
	assert_string_equal(text("h"), path);
	/* to itself, and to what its making removes */
	tar_file(&t, "f", "x");
	tar_link(&t, "f", '1', "f");
	assert_int_equal(unpack(&t, true), 0);
	assert_string_equal(text("f"), "x");
	tar_file(&t, "d/f", "x");
	tar_link(&t, "d", '1', "d/f");
	assert_true(unpack(&t, true) < 0);
	tar_dir(&t, "d", 0755);
	tar_link(&t, "e", '1', "d");
	assert_true(unpack(&t, true) < 0);
}

static void test_duplicates(void **state)
{
	char deep[3001] = "";
	struct buf t = {};

	tar_file(&t, "f", "1");
	tar_file(&t, "f", "2");
	tar_file(&t, "d/x/y", "1"), tar_file(&t, "d/z", "1");
	tar_file(&t, "d", "a file now");
	tar_file(&t, "g", "1");
	tar_dir(&t, "g", 0700);
	tar_file(&t, "g/in", "2");
	tar_link(&t, "l", '2', "g");
	tar_dir(&t, "l", 0755);
	tar_file(&t, "h", "1");
	tar_file(&t, "h/in", "a directory, then");
	tar_dir(&t, "k", 0700), tar_file(&t, "k/in", "1");
	tar_dir(&t, "k", 0711);
	assert_int_equal(unpack(&t, true), 0);
	assert_string_equal(text("f"), "2");
	assert_string_equal(text("d"), "a file now");
	assert_string_equal(text("g/in"), "2");
	assert_string_equal(text("l"), "DIR");
	assert_string_equal(text("h/in"), "a directory, then");
	assert_string_equal(text("k/in"), "1");
	assert_int_equal(stat_of("k").st_mode & 07777, 0711);
	/* a thousand directories, one in the other, and then none */
	for (int i = 0; i < 1500; i++)
		memcpy(deep + (size_t)i * 2, "d/", 3);
	tar_dir(&t, deep, 0755);
	for (int i = 0; i < 100; i++) {
		char name[32];

		snprintf(name, sizeof(name), "d/d/%d/x", i);
		tar_file(&t, name, "x");
	}
	tar_file(&t, "d", "gone");
	assert_int_equal(unpack(&t, true), 0);
	assert_string_equal(text("d"), "gone");
}

static void test_whiteouts(void **state)
{
	struct buf t = {};

	tar_file(&t, ".wh.gone", "");
	tar_file(&t, "d/.wh.in", "");
	tar_file(&t, "o/.wh..wh..opq", "");
	tar_file(&t, "o/new", "1");
	tar_file(&t, ".wh..wh.plnk", ""), tar_file(&t, ".wh.", ""), tar_file(&t, ".wh..", "");
	tar_file(&t, ".wh...", ""), tar_file(&t, "d/.wh...", ""), tar_file(&t, ".wh..wh..wh.x", "");
	tar_file(&t, ".wh.first", ""), tar_file(&t, "first", "this layer's");
	tar_file(&t, "second", "this layer's"), tar_file(&t, ".wh.second", "");
	tar_file(&t, ".wh.dir", ""), tar_file(&t, "dir/x", "1");
	tar_file(&t, ".wh.dir2", ""), tar_dir(&t, "dir2", 0700);
	tar_dir(&t, "dir3", 0700), tar_file(&t, ".wh.dir3", "");
	tar_file(&t, ".wh.twice", ""), tar_file(&t, ".wh.twice", "");
	tar_dir(&t, ".wh.odd", 0755);
	assert_int_equal(unpack(&t, true), 0);
	assert_string_equal(text("gone"), "WHITEOUT");
	assert_string_equal(text("d/in"), "WHITEOUT");
	assert_true(opaque("o") && !opaque("d") && !opaque("."));
	assert_string_equal(text("o/new"), "1");
	assert_string_equal(text("first"), "this layer's");
	assert_string_equal(text("second"), "this layer's");
	assert_true(opaque("dir") && opaque("dir2") && opaque("dir3"));
	assert_string_equal(text("twice"), "WHITEOUT");
	assert_string_equal(text("odd"), "WHITEOUT");
	assert_string_equal(text(".wh.gone"), "");
	assert_string_equal(text(".wh..wh.plnk"), "");

	tar_file(&t, ".wh..wh..opq", "");
	assert_int_equal(unpack(&t, true), 0);
	assert_true(opaque("."));
	/* in a root filesystem they are names like others */
	tar_file(&t, ".wh.gone", "x");
	assert_int_equal(unpack(&t, false), 0);
	assert_string_equal(text(".wh.gone"), "x");
}

/* Whiteouts through links stay inside, too. */
static void test_whiteouts_outside(void **state)
{
	char path[PATH_MAX];
	struct buf t = {};

	tar_link(&t, "l", '2', outside);
	tar_file(&t, "l/.wh.secret", "");
	tar_file(&t, "l/.wh..wh..opq", "");
	assert_int_equal(unpack(&t, true), 0);
	snprintf(path, sizeof(path), ".%s/secret", outside);
	assert_string_equal(text(path), "WHITEOUT");
	tar_file(&t, "a/../../.wh.x", "");
	assert_int_equal(unpack(&t, true), -EXDEV);
}

/* Directories that a layer does not mention look as they do below it. */
static void test_implied_directories(void **state)
{
	_cleanup_close_ int lower = -EBADF;
	struct buf t = {};
	struct stat st;

	tar_head(&t, &(struct tar_head){.name = "home",
					.type = '5',
					.mode = 02710,
					.uid = 9,
					.gid = 8,
					.mtime = 5});
	tar_dir(&t, "usr/lib", 0755);
	tar_link(&t, "lib", '2', "usr/lib");
	tar_link(&t, "out", '2', outside);
	assert_int_equal(unpack(&t, true), 0);
	lower = root;
	root = -EBADF;
	tar_file(&t, "home/f", "1");
	tar_file(&t, "lib/f", "1");
	tar_file(&t, "out/f", "1");
	tar_file(&t, "new/f", "1");
	tar_end(&t);
	assert_int_equal(unpack_on(t.data, t.len, true, &lower, 1), 0);
	buf_done(&t);
	st = stat_of("home");
	assert_true(st.st_mode == (S_IFDIR | 02710) && st.st_uid == 9 && st.st_gid == 8);
	assert_int_equal(st.st_mtime, 5);
	assert_string_equal(text("usr/lib/f"), "1");
	assert_string_equal(text("lib"), "");
	assert_int_equal(stat_of("new").st_mode & 07777, 0755);
}

/* The watch of what is outside would see it. */
static void test_the_watch(void **state)
{
	_cleanup_free_ char *data = NULL;
	char path[PATH_MAX], event[4096];

	snprintf(path, sizeof(path), "%s/secret", outside);
	assert_true(read(watch, event, sizeof(event)) < 0);
	assert_int_equal(file_read_at(AT_FDCWD, path, 100, &data, NULL), 0);
	assert_true(read(watch, event, sizeof(event)) > 0);
	assert_string_equal(data, "secret");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_watch),
		cmocka_unit_test_setup_teardown(test_all_is_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_links_lead_nowhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hard_links_outside, setup, teardown),
		cmocka_unit_test_setup_teardown(test_duplicates, setup, teardown),
		cmocka_unit_test_setup_teardown(test_whiteouts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_whiteouts_outside, setup, teardown),
		cmocka_unit_test_setup_teardown(test_implied_directories, setup, teardown),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

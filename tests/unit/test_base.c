/* base/: text that is safe to print, sizes, growth, paths below a hostile root, bounded reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

static void expect_text(const char *bytes, const char *want)
{
	_cleanup_free_ char *text = str_printable_dup(bytes);

	assert_non_null(text);
	assert_string_equal(text, want);
}

static void test_printable(void **state)
{
	(void)state;
	expect_text("plain \\ \"text\" ~", "plain \\ \"text\" ~");
	expect_text("\033[31mred\r\n\t", "\\x1b[31mred\\x0d\\x0a\\x09");
	expect_text("a\x7f", "a\\x7f");
	expect_text("\xc2\x9b"
		    "31m", /* C1: one-character CSI */
		    "\\xc2\\x9b31m");
	expect_text("é漢🐳\xc2\xa0", "é漢🐳\xc2\xa0");
	expect_text("\xe2\x80\xae"
		    "gpj", /* right-to-left override */
		    "\\xe2\\x80\\xaegpj");
	expect_text("\xe2\x81\xa6", "\\xe2\\x81\\xa6");
	expect_text("\xe2\x80\x8f", "\\xe2\\x80\\x8f");
	expect_text("\xd8\x9c", "\\xd8\\x9c");
	expect_text("\xe2\x80\xa8", "\\xe2\\x80\\xa8"); /* line separator */
	expect_text("\xff\xfe", "\\xff\\xfe");
	expect_text("\xc0\xaf", "\\xc0\\xaf");			 /* overlong / */
	expect_text("\xe0\x80\x9b", "\\xe0\\x80\\x9b");		 /* overlong ESC */
	expect_text("\xed\xa0\x80", "\\xed\\xa0\\x80");		 /* surrogate */
	expect_text("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"); /* above U+10FFFF */
	expect_text("\xe6\xbc", "\\xe6\\xbc");			 /* cut short */
}

static void test_printable_fit(void **state)
{
	char out[8];

	(void)state;
	assert_int_equal(str_printable("a\0b", 3, out, sizeof(out)), 6);
	assert_string_equal(out, "a\\x00b");
	assert_int_equal(str_printable("123456789", 9, out, sizeof(out)), 7);
	assert_string_equal(out, "1234567");
	/* never half of an escape or of a character */
	assert_int_equal(str_printable("1234\033", 5, out, sizeof(out)), 4);
	assert_int_equal(str_printable("123456漢", 9, out, sizeof(out)), 6);
	assert_string_equal(out, "123456");
	assert_int_equal(str_printable("x", 1, out, 1), 0);
	assert_string_equal(out, "");
	out[0] = '!';
	assert_int_equal(str_printable("x", 1, out, 0), 0);
	assert_int_equal(out[0], '!');
}

static void test_err(void **state)
{
	char huge[4096];
	struct err e = {};

	(void)state;
	memset(huge, 'x', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	assert_int_equal(err_set(&e, ENOENT, "open %s", "a\nb"), -ENOENT);
	assert_string_equal(e.msg, "open a\\x0ab: No such file or directory");
	err_hint(&e, "try %s", "\033");
	assert_string_equal(e.hint, "try \\x1b");
	assert_int_equal(err_exit(&e, 127), -ENOENT);
	assert_int_equal(err_say(&e, -EPERM, "%s", huge), -EPERM); /* a new one, cut to fit */
	assert_int_equal(strlen(e.msg), sizeof(e.msg) - 1);
	assert_string_equal(e.hint, "");
	assert_int_equal(e.exit, 0);
	assert_int_equal(err_say(&e, 0, "never 0"), -EIO);
	assert_int_equal(err_set(NULL, EBUSY, "x"), -EBUSY);
	err_hint(NULL, "x");
}

static void expect_size(const char *s, uint64_t want)
{
	uint64_t v = 0;

	if (str_to_size(s, &v) != 0)
		fail_msg("%s is refused", s);
	assert_int_equal(v, want);
}

static void test_seconds(void **state)
{
	static const char *const bad[] = {"",	  "0",	 "s",	   "-1",
					  "1.5h", "1x",	 "1m1h",   "1s1s",
					  " 1",	  "1 s", "37000d", "99999999999999999999"};
	uint64_t v;

	(void)state;
	assert_true(str_to_seconds("90", &v) == 0 && v == 90);
	assert_true(str_to_seconds("90s", &v) == 0 && v == 90);
	assert_true(str_to_seconds("30m", &v) == 0 && v == 1800);
	assert_true(str_to_seconds("1h30m", &v) == 0 && v == 5400);
	assert_true(str_to_seconds("1d1s", &v) == 0 && v == 86401);
	assert_true(str_to_seconds("2m5", &v) == 0 && v == 125);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (str_to_seconds(bad[i], &v) != -EINVAL)
			fail_msg("'%s' is taken", bad[i]);
}

static void test_size(void **state)
{
	static const char *const bad[] = {"",	 "x",	 "-1",	" 1",  "1 ",  "0x10",
					  "1e3", "1.",	 ".5",	"1kk", "1bb", "1i",
					  "1bi", "1kbx", "nan", "inf", "1,5", "1.5.5"};
	uint64_t v = 42;

	(void)state;
	expect_size("0", 0);
	expect_size("512", 512);
	expect_size("64k", 64 << 10);
	expect_size("64KiB", 64 << 10);
	expect_size("64kb", 64 << 10);
	expect_size("12b", 12);
	expect_size("1.5m", 3 << 19);
	expect_size("2G", (uint64_t)2 << 30);
	expect_size("1t", (uint64_t)1 << 40);
	expect_size("1p", (uint64_t)1 << 50);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (str_to_size(bad[i], &v) != -EINVAL)
			fail_msg("'%s' is taken", bad[i]);
	assert_int_equal(str_to_size(NULL, &v), -EINVAL);
	assert_int_equal(str_to_size("9223372036854775808", &v), -ERANGE);
	assert_int_equal(str_to_size("9000p", &v), -ERANGE);
	assert_int_equal(v, 42);
}

static void test_u64(void **state)
{
	uint64_t v = 42;

	(void)state;
	assert_int_equal(str_to_u64("18446744073709551615", 0, UINT64_MAX, &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(str_to_u64("18446744073709551616", 0, UINT64_MAX, &v), -ERANGE);
	assert_int_equal(str_to_u64("007", 1, 7, &v), 0);
	assert_int_equal(v, 7);
	assert_int_equal(str_to_u64("8", 1, 7, &v), -ERANGE);
	assert_int_equal(str_to_u64("0", 1, 7, &v), -ERANGE);
	assert_int_equal(str_to_u64("+1", 0, 7, &v), -EINVAL);
	assert_int_equal(str_to_u64("", 0, 7, &v), -EINVAL);
	assert_int_equal(str_to_u64("1\n", 0, 7, &v), -EINVAL);
	assert_int_equal(v, 7);
}

static void test_strv(void **state)
{
	_cleanup_strv_ struct strv s = {};
	char name[16];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		assert_int_equal(strv_add(&s, name), 0);
		assert_null(s.v[s.n]);
	}
	assert_int_equal(s.n, 1000);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		assert_string_equal(s.v[i], name);
	}
	assert_true(strv_has(&s, "n999"));
	assert_false(strv_has(&s, "n1000"));
	assert_int_equal(strv_push(&s, NULL), -ENOMEM);
	strv_done(&s);
	assert_int_equal(strv_split(&s, ",a,,b:c,", ",:"), 0);
	assert_int_equal(s.n, 3);
	assert_string_equal(s.v[2], "c");
	assert_int_equal(strv_split(&s, ",,", ","), 0);
	assert_int_equal(s.n, 3);
}

static void test_buf(void **state)
{
	_cleanup_buf_ struct buf b = {};
	char *s = buf_take(&b);

	(void)state;
	assert_string_equal(s, "");
	free(s);
	for (int i = 0; i < 100; i++)
		buf_printf(&b, "%d,", i);
	assert_int_equal(b.len, 290);
	assert_int_equal(strlen(b.data), b.len);
	assert_true(str_starts(b.data, "0,1,2,"));
	assert_true(str_ends(b.data, ",98,99,"));
	buf_add(&b, "", SIZE_MAX / 2); /* refused before it is read */
	assert_true(b.oom);
	buf_puts(&b, "more");
	assert_int_equal(b.len, 290);
	assert_null(buf_take(&b));
	assert_int_equal(str_distance("inspekt", "inspect"), 1);
	assert_int_equal(str_distance("", "abc"), 3);
	assert_int_equal(str_distance("abc", ""), 3);
	assert_int_equal(str_distance("exce", "exec"), 1); /* two letters in each other's place */
	assert_int_equal(str_distance("abcd", "badc"), 2);
	assert_int_equal(str_distance("inspetc", "ispect"), 2);
}

/* --- paths: TOP/root is the hostile root, TOP/secret is what must not be reached --- */

static char top[] = "/tmp/pt-base.XXXXXX";
static int top_fd = -EBADF, root_fd = -EBADF;

static void put(const char *path, const char *text)
{
	_cleanup_close_ int fd =
		openat(top_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

static void planted(const char *to, const char *path)
{
	assert_int_equal(symlinkat(to, top_fd, path), 0);
}

static int setup(void **state)
{
	char name[32], to[32];

	(void)state;
	assert_non_null(mkdtemp(top));
	top_fd = open(top, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(top_fd, "root", 0700), 0);
	assert_int_equal(mkdirat(top_fd, "root/etc", 0700), 0);
	assert_int_equal(mkdirat(top_fd, "root/etc/deep", 0700), 0);
	put("secret", "the host's");
	put("root/etc/passwd", "inside");
	planted("../../secret", "root/etc/up");
	planted("../../../../../../../../etc/passwd", "root/etc/farup");
	planted("/etc/passwd", "root/abs");
	planted("/", "root/slash");
	planted("etc", "root/rel");
	planted("/etc/deep/../", "root/dir");
	planted("loop", "root/loop");
	planted("/proc/self/root/secret", "root/magic");
	for (int i = 0; i < 41; i++) { /* l0 -> l1 -> ... -> l40 -> etc/passwd */
		snprintf(name, sizeof(name), "root/l%d", i);
		snprintf(to, sizeof(to), i < 40 ? "l%d" : "etc/passwd", i + 1);
		planted(to, name);
	}
	assert_int_equal(mkfifoat(top_fd, "root/fifo", 0600), 0);
	root_fd = openat(top_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return root_fd < 0;
}

static int teardown(void **state)
{
	char *argv[] = {(char *)"rm", (char *)"-rf", top, NULL};
	pid_t pid = fork();

	(void)state;
	close(root_fd);
	close(top_fd);
	if (pid == 0) {
		execvp(argv[0], argv);
		_exit(127);
	}
	return waitpid(pid, NULL, 0) != pid;
}

static void expect_inside(const char *path)
{
	_cleanup_free_ char *text = NULL;
	int r = path_read_in_root(root_fd, path, 100, &text, NULL);

	if (r < 0)
		fail_msg("%s: %s", path, strerror(-r));
	assert_string_equal(text, "inside");
}

static void expect_error(const char *path, int flags, int want)
{
	_cleanup_close_ int fd = path_open_in_root(root_fd, path, flags);

	if (fd != want)
		fail_msg("%s: %d, not %d", path, fd, want);
}

static void expect_root(const char *path)
{
	_cleanup_close_ int fd = path_open_in_root(root_fd, path, O_RDONLY | O_DIRECTORY);
	struct stat st, root;

	if (fd < 0)
		fail_msg("%s: %s", path, strerror(-fd));
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(fstat(root_fd, &root), 0);
	assert_int_equal(st.st_ino, root.st_ino);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

/* Both ways: openat2(2), and the walk. */
static void test_in_root(void **state)
{
	_cleanup_free_ char *text = NULL, *deep = NULL;
	_cleanup_close_ int link = -EBADF;
	struct buf b = {};
	struct stat st;

	(void)state;
	expect_inside("etc/passwd");
	expect_inside("/etc//./deep/../passwd");
	expect_inside("../../../etc/passwd");
	expect_inside("abs");
	expect_inside("etc/farup");
	expect_inside("rel/passwd");
	expect_inside("slash/slash/abs");
	expect_inside("dir/passwd");
	expect_inside("l1"); /* 40 links */
	expect_root("/");
	expect_root(".");
	expect_root("etc/..");
	expect_root("etc/../../..");
	expect_root("slash");
	expect_root("slash/");
	expect_error("etc/up", O_RDONLY, -ENOENT);
	expect_error("../secret", O_RDONLY, -ENOENT);
	expect_error("slash/../secret", O_RDONLY, -ENOENT);
	expect_error("magic", O_RDONLY, -ENOENT);
	expect_error("loop", O_RDONLY, -ELOOP);
	expect_error("l0", O_RDONLY, -ELOOP);
	expect_error("", O_RDONLY, -ENOENT);
	expect_error("etc/passwd/", O_RDONLY, -ENOTDIR);
	expect_error("abs/", O_RDONLY, -ENOTDIR);
	expect_error("etc/passwd/..", O_RDONLY, -ENOTDIR);
	expect_error("abs", O_RDONLY | O_NOFOLLOW, -ELOOP);
	expect_error("etc/none", O_RDONLY, -ENOENT);
	link = path_open_in_root(root_fd, "abs", O_PATH | O_NOFOLLOW);
	assert_int_equal(fstat(link, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	for (int i = 0; i < 300; i++)
		buf_puts(&b, "0123456789abcdef");
	deep = buf_take(&b);
	expect_error(deep, O_RDONLY, -ENAMETOOLONG);
	deep[NAME_MAX + 1] = '\0';
	expect_error(deep, O_RDONLY, -ENAMETOOLONG);
}

/* The walk gives every descriptor back, also from half-way. */
static void test_in_root_descriptors(void **state)
{
	int before = dup(root_fd), after;

	(void)state;
	close(before);
	expect_inside("dir/deep/../passwd");
	expect_error("etc/deep/none/x", O_RDONLY, -ENOENT);
	expect_error("loop", O_RDONLY, -ELOOP);
	after = dup(root_fd);
	close(after);
	assert_int_equal(before, after);
}

static void test_read_in_root(void **state)
{
	_cleanup_close_ int dev = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char *text = NULL;
	size_t len = 0;

	(void)state;
	assert_int_equal(path_read_in_root(root_fd, "fifo", 100, &text, NULL), -ENOTSUP);
	assert_int_equal(path_read_in_root(root_fd, "etc", 100, &text, NULL), -ENOTSUP);
	assert_int_equal(path_read_in_root(dev, "zero", 100, &text, NULL), -ENOTSUP);
	assert_int_equal(path_read_in_root(root_fd, "abs", 5, &text, NULL), -EFBIG);
	assert_null(text);
	assert_int_equal(path_read_in_root(root_fd, "abs", 6, &text, &len), 0);
	assert_int_equal(len, 6);
	free(text);
}

static void test_component(void **state)
{
	char name[300];

	(void)state;
	memset(name, 'a', sizeof(name));
	name[256] = '\0';
	assert_false(path_is_component(name));
	name[255] = '\0';
	assert_true(path_is_component(name));
	assert_true(path_is_component("..."));
	assert_false(path_is_component(".."));
	assert_false(path_is_component("."));
	assert_false(path_is_component(""));
	assert_false(path_is_component("a/b"));
	assert_false(path_is_component(NULL));
}

static void test_file_read(void **state)
{
	_cleanup_close_ int huge = -EBADF;
	char *text = NULL, small[4];
	size_t len = 0;

	(void)state;
	assert_int_equal(file_read_at(top_fd, "root/fifo", 100, &text, NULL), -ENOTSUP);
	assert_int_equal(file_read_at(AT_FDCWD, "/dev/zero", 100, &text, NULL), -ENOTSUP);
	assert_int_equal(file_read_at(top_fd, "root", 100, &text, NULL), -ENOTSUP);
	assert_int_equal(file_read_at(top_fd, "none", 100, &text, NULL), -ENOENT);
	huge = openat(top_fd, "huge", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(huge, (off_t)1 << 40), 0); /* a hole: nothing is written */
	assert_int_equal(file_read_at(top_fd, "huge", 1 << 20, &text, NULL), -EFBIG);
	assert_int_equal(file_read_at(top_fd, "secret", 9, &text, NULL), -EFBIG);
	assert_null(text);
	assert_int_equal(file_read_at(top_fd, "secret", 10, &text, &len), 0);
	assert_int_equal(len, 10);
	assert_string_equal(text, "the host's");
	free(text);
	/* says 0 bytes and has more: read to the end all the same, and bounded */
	assert_int_equal(file_read_at(AT_FDCWD, "/proc/self/status", 1 << 20, &text, &len), 0);
	assert_true(len > 100 && strlen(text) == len);
	free(text);
	assert_int_equal(file_read_at(AT_FDCWD, "/proc/self/status", 100, &text, &len), -EFBIG);
	assert_int_equal(file_read_small_at(top_fd, "secret", small, sizeof(small)), 3);
	assert_string_equal(small, "the");
	assert_int_equal(link_read_at(top_fd, "root/rel", small, sizeof(small)), 3);
	assert_string_equal(small, "etc");
	assert_int_equal(link_read_at(top_fd, "root/abs", small, sizeof(small)), -ENAMETOOLONG);
}

/* From here on openat2(2) is missing, as before Linux 5.6. */
static int without_openat2(void **state)
{
	struct sock_filter prog[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {.len = ARRAY_LEN(prog), .filter = prog};

	(void)state;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	       syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0 ||
	       syscall(SYS_openat2, 0, NULL, NULL, 0) != -1 || errno != ENOSYS;
}

static void words(void **state)
{
	(void)state;
	assert_true(str_has_word("cpu io memory pids\n", "memory"));
	assert_true(str_has_word("cpu io memory pids\n", "pids"));
	assert_true(str_has_word("cpu", "cpu"));
	assert_false(str_has_word("cpuset io\n", "cpu"));
	assert_false(str_has_word("io cpuset", "cpu"));
	assert_false(str_has_word("\n", "cpu"));
	assert_false(str_has_word("", ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words),
		cmocka_unit_test(test_printable),
		cmocka_unit_test(test_printable_fit),
		cmocka_unit_test(test_err),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_seconds),
		cmocka_unit_test(test_u64),
		cmocka_unit_test(test_strv),
		cmocka_unit_test(test_buf),
		cmocka_unit_test(test_component),
		cmocka_unit_test(test_file_read),
		cmocka_unit_test(test_in_root),
		cmocka_unit_test(test_in_root_descriptors),
		cmocka_unit_test(test_read_in_root),
		{"test_in_root, walking", test_in_root, without_openat2, NULL, NULL},
		{"test_in_root_descriptors, walking", test_in_root_descriptors, NULL, NULL, NULL},
		{"test_read_in_root, walking", test_read_in_root, NULL, NULL, NULL},
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

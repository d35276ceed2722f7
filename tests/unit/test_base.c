/* base/: errors, paths below a hostile root, bounded reads. */
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
	_cleanup_free_ char *deep = NULL;
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_err),
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

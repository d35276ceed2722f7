/* Trees copied by several threads: all of it, and what an end on the way leaves. */
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "files/transfer.h"

enum { DIRS = 40, FILES = 70 };

static char dir[] = "/tmp/porthole-transfer-XXXXXX";
static unsigned ticks, limit;
static uint64_t failures;

static int tick(struct meter *m)
{
	(void)m;
	return limit && ++ticks >= limit ? -ECANCELED : 0;
}

static void failed(struct transfer *t, const char *doing, const char *path, int r)
{
	assert_int_equal(++failures, t->n_failed);
	assert_string_equal(doing, "writing");
	assert_true(r == -EISDIR && str_ends(path, "/5"));
}

static int make_file(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);

	return fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));
}

static int setup(void **state)
{
	char path[256], other[256];
	struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 2000}};

	(void)state;
	umask(0);
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/from", dir);
	mkdir(path, 0755);
	for (int i = 0; i < DIRS; i++) {
		snprintf(path, sizeof(path), "%s/from/%d", dir, i);
		mkdir(path, 0750);
		for (int k = 0; k < FILES; k++) {
			snprintf(path, sizeof(path), "%s/from/%d/%d", dir, i, k);
			if (make_file(path, path) < 0)
				return -1;
		}
		snprintf(other, sizeof(other), "%s/from/%d/again", dir, i);
		if (link(path, other) < 0)
			return -1;
		snprintf(path, sizeof(path), "%s/from/%d", dir, i);
		utimensat(AT_FDCWD, path, times, 0);
	}
	return 0;
}

static int rm(const char *path, const struct stat *st, int kind, struct FTW *f)
{
	(void)st;
	(void)kind;
	(void)f;
	return remove(path);
}

static int clear(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return nftw(path, rm, 16, FTW_DEPTH | FTW_PHYS);
}

static int teardown(void **state)
{
	(void)state;
	return clear("");
}

/* Copy `from` as `to`, with what `t` says. */
static int copy(struct transfer *t, const char *to, struct err *e)
{
	_cleanup_place_ struct place host = PLACE_INIT;
	_cleanup_close_ int at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int top = openat(at, "from", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = place_of_host(&host, e);

	assert_int_equal(r, 0);
	ticks = 0;
	failures = 0;
	t->from = t->to = &host;
	t->meter.tick = tick;
	t->failed = failed;
	r = transfer_tree(t, top, at, to, e);
	t->from = t->to = NULL;
	return r;
}

/* What a copy should be, but for the last name of a file, which is another's too. */
static void check_dir(const char *to, int i, int without)
{
	char a[256], path[256], text[256];
	struct stat st, other;

	snprintf(path, sizeof(path), "%s/%s/%d", dir, to, i);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
	assert_int_equal(st.st_mtim.tv_sec, 2000);
	for (int k = 0; k < FILES; k++) {
		_cleanup_close_ int fd = -EBADF;
		ssize_t n;

		snprintf(a, sizeof(a), "%s/from/%d/%d", dir, i, k);
		snprintf(path, sizeof(path), "%s/%s/%d/%d", dir, to, i, k);
		if (k == without)
			continue;
		fd = open(path, O_RDONLY | O_CLOEXEC);
		n = read(fd, text, sizeof(text) - 1);
		assert_true(n > 0);
		text[n] = '\0';
		assert_string_equal(text, a);
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0640);
		assert_int_equal(stat(a, &other), 0);
		assert_int_equal(st.st_mtim.tv_nsec, other.st_mtim.tv_nsec);
	}
	snprintf(path, sizeof(path), "%s/%s/%d/again", dir, to, i);
	assert_int_equal(stat(path, &other), 0);
	assert_true(st.st_ino == other.st_ino && st.st_nlink == 2);
}

static void test_whole(void **state)
{
	_cleanup_transfer_ struct transfer t = TRANSFER_INIT;
	struct err e = {};

	(void)state;
	limit = 0;
	assert_int_equal(copy(&t, "a", &e), 0);
	assert_int_equal(t.n_failed, 0);
	assert_int_equal(t.meter.entries, 1 + DIRS * (1 + FILES + 1));
	for (int i = 0; i < DIRS; i++)
		check_dir("a", i, -1);
	/* over what is there */
	t.meter = (struct meter){};
	assert_int_equal(copy(&t, "a", &e), 0);
	for (int i = 0; i < DIRS; i++)
		check_dir("a", i, -1);
	assert_int_equal(clear("a"), 0);
}

/* Directories where files should go: each is told once, all else is copied. */
static void test_failures(void **state)
{
	_cleanup_transfer_ struct transfer t = TRANSFER_INIT;
	struct err e = {};
	char path[256];

	(void)state;
	limit = 0;
	snprintf(path, sizeof(path), "%s/b", dir);
	mkdir(path, 0755);
	for (int i = 0; i < DIRS; i++) {
		snprintf(path, sizeof(path), "%s/b/%d", dir, i);
		mkdir(path, 0755);
		snprintf(path, sizeof(path), "%s/b/%d/5", dir, i);
		mkdir(path, 0755);
	}
	assert_int_equal(copy(&t, "b", &e), 0);
	assert_int_equal(failures, DIRS);
	for (int i = 0; i < DIRS; i++)
		check_dir("b", i, 5);
	assert_int_equal(clear("b"), 0);
}

static unsigned whole, half;

static int look(const char *path, const struct stat *st, int kind, struct FTW *f)
{
	(void)f;
	assert_null(strstr(path, "/.porthole-"));
	if (kind == FTW_F) {
		whole += st->st_size > 0 && (st->st_mode & 07777) == 0640;
		half += st->st_size == 0 || (st->st_mode & 07777) != 0640;
	}
	return 0;
}

/* Stopped at any point: what has its name is whole. */
static void test_stopped(void **state)
{
	char path[256];

	(void)state;
	for (limit = 1; limit < 2000; limit += limit / 2 + 1) {
		_cleanup_transfer_ struct transfer t = TRANSFER_INIT;
		struct err e = {};

		assert_int_equal(copy(&t, "c", &e), -ECANCELED);
		snprintf(path, sizeof(path), "%s/c", dir);
		whole = half = 0;
		nftw(path, look, 16, FTW_PHYS);
		assert_int_equal(half, 0);
		assert_true(whole <= limit);
		clear("c");
	}
	limit = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_stopped),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

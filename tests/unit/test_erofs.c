/* The EROFS reader against images that mkfs.erofs made, byte for byte. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/str.h"
#include "erofs_image.h"
#include "kit/erofs.h"
#include "kit/kit.h"

static char dir[] = "/tmp/porthole-erofs.XXXXXX";

static int setup(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	image_tree(dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	image_remove(dir);
	return 0;
}

static char *in_dir(const char *name)
{
	static char path[1024];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void open_image(struct kit *k)
{
	struct err e = {};

	if (kit_find(in_dir("image"), k, &e) < 0)
		fail_msg("%s", e.msg);
}

static struct stat stat_of(const char *name)
{
	struct stat st;

	assert_int_equal(lstat(in_dir(name), &st), 0);
	return st;
}

/* Everything is there, the same, and nothing else. */
static void unpack_and_compare(void)
{
	_cleanup_kit_ struct kit k = KIT_INIT;
	_cleanup_close_ int out = -EBADF;
	struct err e = {};

	open_image(&k);
	assert_int_equal(mkdir(in_dir("out"), 0755), 0);
	out = open(in_dir("out"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(out >= 0);
	if (kit_unpack(&k, out, &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(image_sh("diff -r --no-dereference %s/src %s/out", dir, dir), 0);
	assert_int_equal(stat_of("out/dir/deep").st_mode & 07777, 0555);
	assert_int_equal(stat_of("out/text-small").st_mode & 07777, 0600);
	assert_int_equal(stat_of("out/dir/program").st_mode & 07777, 0755); /* never set-id */
	assert_int_equal(stat_of("out/dir/text").st_nlink, 2);
	assert_int_equal(stat_of("out/dir/text").st_ino,
			 stat_of("out/dir/deep/deeper/second-name").st_ino);
	assert_int_equal(stat_of("out/dir/text").st_mtime, stat_of("src/dir/text").st_mtime);
	assert_int_equal(stat_of("out/many").st_mtime, stat_of("src/many").st_mtime);
	assert_int_equal(image_sh("chmod -R u+w %s/out; rm -r %s/out", dir, dir), 0);
}

struct range {
	char *data;
	size_t len;
};

static int collect(void *arg, const void *data, uint64_t n, struct err *e)
{
	struct range *r = arg;

	if (data)
		memcpy(r->data + r->len, data, n);
	else
		memset(r->data + r->len, 0, n);
	r->len += n;
	return 0;
}

static void ranges_of(struct erofs *fs, const char *path, uint32_t *rnd)
{
	_cleanup_free_ char *want = NULL, *got = NULL;
	struct erofs_inode in;
	char name[256];
	struct err e = {};
	size_t len;

	snprintf(name, sizeof(name), "src/%s", path);
	assert_int_equal(file_read_at(AT_FDCWD, in_dir(name), 16 << 20, &want, &len), 0);
	assert_int_equal(erofs_lookup(fs, path, &in, &e), 0);
	assert_int_equal(in.size, len);
	got = malloc(len);
	for (int i = 0; i < 20; i++) {
		uint64_t off = image_random(rnd) % len, n = image_random(rnd) % 70000 + 1;
		struct range r = {.data = got};

		assert_int_equal(erofs_read_each(fs, &in, off, n, collect, &r, &e), 0);
		assert_int_equal(r.len, n < len - off ? n : len - off);
		assert_memory_equal(got, want + off, r.len);
	}
}

static void read_ranges(void)
{
	static const char *const files[] = {
		"dir/deep/large", "dir/program", "dir/zeros",
		"dir/sparse",	  "noise-65537", "noise-4097",
	};
	_cleanup_erofs_ struct erofs *fs = NULL;
	_cleanup_kit_ struct kit k = KIT_INIT;
	uint32_t rnd = 99;
	struct err e = {};

	open_image(&k);
	assert_int_equal(erofs_open(k.fd, k.offset, k.size, k.path, &fs, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		ranges_of(fs, files[i], &rnd);
}

static void both(const char *options)
{
	image_make(dir, options);
	unpack_and_compare();
	read_ranges();
}

#define TEST_OPTIONS(name, options)                                                                \
	static void name(void **state)                                                             \
	{                                                                                          \
		(void)state;                                                                       \
		both(options);                                                                     \
	}

TEST_OPTIONS(plain, "")
TEST_OPTIONS(plain_old_epoch, "--preserve-mtime -U00000000-0000-0000-0000-000000000001")
TEST_OPTIONS(no_inline, "-Enoinline_data")
TEST_OPTIONS(chunks, "--chunksize=4096")
TEST_OPTIONS(lz4, "-zlz4")
TEST_OPTIONS(lz4_full_index, "-zlz4 -Elegacy-compress")
TEST_OPTIONS(lz4_full_index_big, "-zlz4 -C131072 -Elegacy-compress")
TEST_OPTIONS(lz4hc_4k, "-zlz4hc,12 -C4096")
TEST_OPTIONS(lz4hc_16k, "-zlz4hc -C16384")
TEST_OPTIONS(lz4hc_64k, "-zlz4hc -C65536")
TEST_OPTIONS(lz4hc_1m, "-zlz4hc -C1048576")
TEST_OPTIONS(short_extents, "-zlz4hc -C65536 --max-extent-bytes=65536")

/* Features that mkfs.erofs uses only when asked: said, not misread. */
static void unknown_features(void **state)
{
	/* compressed tails; then only the flags of fragments and of 48-bit block numbers */
	static const struct {
		const char *options, *flag;
	} cases[] = {{"-zlz4 -Eztailpacking", NULL}, {"", "\\40"}, {"", "\\200"}};
	_cleanup_erofs_ struct erofs *fs = NULL;
	struct err e = {};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_kit_ struct kit k = KIT_INIT;

		image_make(dir, cases[i].options);
		if (cases[i].flag)
			assert_int_equal(image_sh("printf '%s' | dd of=%s/image bs=1 seek=1104 "
						  "conv=notrunc 2>/dev/null",
						  cases[i].flag, dir),
					 0);
		open_image(&k);
		assert_int_equal(erofs_open(k.fd, k.offset, k.size, k.path, &fs, &e), -ENOTSUP);
		assert_non_null(strstr(e.msg, "features"));
		assert_null(fs);
	}
}

static int count(void *arg, const struct erofs_dirent *d, struct err *e)
{
	++*(unsigned *)arg;
	return str_starts(d->name, "a-file-with-a-longer-name-") ? 0 : -EINVAL;
}

static void look_ups(void **state)
{
	_cleanup_erofs_ struct erofs *fs = NULL;
	_cleanup_kit_ struct kit k = KIT_INIT;
	_cleanup_free_ char *target = NULL;
	struct erofs_inode in;
	struct err e = {};
	unsigned n = 0;

	(void)state;
	image_make(dir, "-zlz4hc");
	open_image(&k);
	assert_int_equal(erofs_open(k.fd, k.offset, k.size, k.path, &fs, &e), 0);
	assert_true(erofs_super(fs)->lz4);
	assert_int_equal(erofs_lookup(fs, "/", &in, &e), 0);
	assert_true(S_ISDIR(in.mode));
	assert_int_equal(erofs_lookup(fs, "//dir///deep/dangling", &in, &e), 0);
	assert_true(S_ISLNK(in.mode));
	assert_int_equal(erofs_read_all(fs, &in, 4096, &target, NULL, &e), 0);
	assert_string_equal(target, "/nowhere/at/all");
	assert_int_equal(erofs_read_all(fs, &in, 14, &target, NULL, &e), -EFBIG);
	assert_int_equal(erofs_lookup(fs, "dir/nothing", &in, &e), -ENOENT);
	assert_int_equal(erofs_lookup(fs, "dir/tex", &in, &e), -ENOENT);
	assert_int_equal(erofs_lookup(fs, "dir/text/", &in, &e), 0);
	assert_int_equal(erofs_lookup(fs, "dir/text/below", &in, &e), -ENOENT);
	assert_int_equal(erofs_lookup(fs, "many", &in, &e), 0);
	assert_int_equal(erofs_dir_each(fs, &in, count, &n, &e), 0);
	assert_int_equal(n, 400);
}

static void damage(void **state)
{
	_cleanup_kit_ struct kit k = KIT_INIT;
	struct err e = {};

	(void)state;
	image_make(dir, "");
	assert_int_equal(truncate(in_dir("image"), stat_of("image").st_size - 4096), 0);
	assert_int_equal(kit_find(in_dir("image"), &k, &e), -EBADMSG);
	assert_non_null(strstr(e.msg, "cut short"));

	image_make(dir, "");
	open_image(&k);
	assert_int_equal(
		image_sh("printf x | dd of=%s/image bs=1 seek=1500 conv=notrunc 2>/dev/null", dir),
		0);
	assert_int_equal(kit_unpack(&k, AT_FDCWD, &e), -EBADMSG);
	assert_non_null(strstr(e.msg, "checksum"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain),
		cmocka_unit_test(plain_old_epoch),
		cmocka_unit_test(no_inline),
		cmocka_unit_test(chunks),
		cmocka_unit_test(lz4),
		cmocka_unit_test(lz4_full_index),
		cmocka_unit_test(lz4_full_index_big),
		cmocka_unit_test(lz4hc_4k),
		cmocka_unit_test(lz4hc_16k),
		cmocka_unit_test(lz4hc_64k),
		cmocka_unit_test(lz4hc_1m),
		cmocka_unit_test(short_extents),
		cmocka_unit_test(unknown_features),
		cmocka_unit_test(look_ups),
		cmocka_unit_test(damage),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

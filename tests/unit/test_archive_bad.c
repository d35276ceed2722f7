/*
 * Archives that cost too much, are cut off, or are rubbish: refused with a sentence, in bounded
 * time and memory. Last, whatever bytes change: for some seconds. Needs root (a tmpfs).
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
#include <time.h>
#include <unistd.h>

#include "archive_make.h"
#include "store/store.h"

#define MIB   ((uint64_t)1 << 20)
#define LIMIT (16 * MIB)
enum { FUZZ_SECONDS = 6 };

static char dir[] = "/tmp/pt-bad-XXXXXX", outside[PATH_MAX];
static char file[64];
static struct err err;
static int watch;

static int group_setup(void **state)
{
	if (!mkdtemp(dir))
		return -1;
	snprintf(file, sizeof(file), "%s/a.tar", dir);
	snprintf(outside, sizeof(outside), "%s/outside", dir);
	if (mkdir(outside, 0700) < 0)
		return -1;
	watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	return inotify_add_watch(watch, outside, IN_ALL_EVENTS) < 0;
}

static int group_teardown(void **state)
{
	char cmd[PATH_MAX];

	close(watch);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd);
}

static int look_at(struct buf *archive)
{
	_cleanup_store_ struct store s = STORE_INIT;
	int r;

	tar_write(file, archive);
	buf_done(archive);
	err = (struct err){};
	r = store_of_path(file, NULL, LIMIT, NULL, NULL, &s, &err);
	assert_int_equal(r < 0, err.num != 0);
	assert_true(r == 0 || strlen(err.msg) > 20);
	return r;
}

static int look_at_packed(struct buf *archive, const char *how)
{
	struct buf packed = {};

	compress_with(how, archive, &packed);
	buf_done(archive);
	return look_at(&packed);
}

/* A file of `n` bytes, each `c`. */
static void add_big(struct buf *b, const char *name, uint64_t n, char c)
{
	_cleanup_free_ char *data = malloc(n);

	memset(data, c, n);
	tar_data(b, name, data, n);
}

static void test_size(void **state)
{
	struct buf a = {};

	/* zeros take no memory, but time: eight times the limit is enough of them */
	add_big(&a, "zeros", 3 * LIMIT, 0);
	tar_end(&a);
	assert_int_equal(look_at_packed(&a, "gzip"), 0);
	for (int i = 0; i < 3; i++)
		add_big(&a, "zeros", 3 * LIMIT, 0);
	tar_end(&a);
	assert_int_equal(look_at_packed(&a, "zstd"), -EFBIG);
	assert_non_null(strstr(err.msg, "eight times the 16 MiB"));
	add_big(&a, "data", LIMIT + MIB, 'x');
	tar_end(&a);
	assert_int_equal(look_at_packed(&a, "gzip"), -ENOSPC);
	assert_non_null(strstr(err.hint, "directory"));
	/* many small ones */
	for (int i = 0; i < 20000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%d", i);
		tar_file(&a, name, "");
	}
	tar_end(&a);
	assert_int_equal(look_at_packed(&a, "gzip"), -ENOSPC);
	/* one, again and again */
	for (int i = 0; i < 100000; i++)
		tar_file(&a, "f", "");
	tar_end(&a);
	assert_int_equal(look_at_packed(&a, "gzip"), -EFBIG);
	assert_non_null(strstr(err.msg, "more entries than"));
}

/* A file that says it is larger than all there is. */
static void test_said_sizes(void **state)
{
	static const uint64_t sizes[] = {LIMIT * 2, 0777777777777, 1};
	struct buf a = {}, pax = {};

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		tar_head(&a, &(struct tar_head){.name = "f", .type = '0', .size = sizes[i]});
		assert_int_equal(look_at(&a), -EBADMSG);
	}
	for (int i = 0; i < 3; i++) {
		static const char *const values[] = {"9223372036854775807", "-1",
						     "99999999999999999999999"};

		tar_pax_record(&pax, "size", values[i], strlen(values[i]));
		tar_pax(&a, pax.data, pax.len);
		buf_done(&pax);
		tar_file(&a, "f", "x");
		tar_end(&a);
		look_at(&a);
	}
	/* sparse: 8 EiB of nothing */
	tar_pax_record(&pax, "GNU.sparse.realsize", "9223372036854775807", 19);
	tar_pax_record(&pax, "GNU.sparse.size", "9223372036854775807", 19);
	tar_pax_record(&pax, "GNU.sparse.numblocks", "1", 1);
	tar_pax_record(&pax, "GNU.sparse.map", "9223372036854775800,1", 21);
	tar_pax(&a, pax.data, pax.len);
	buf_done(&pax);
	tar_file(&a, "f", "x");
	tar_end(&a);
	look_at(&a);
}

static void test_long_names(void **state)
{
	static char name[70001];
	struct buf a = {}, pax = {};

	memset(name, 'n', 70000);
	for (int i = 0; i < 4; i++) {
		if (i == 2)
			for (size_t k = 1; k < 70000; k += 2)
				name[k] = '/';
		if (i % 2) {
			tar_pax_record(&pax, "path", name, 70000);
			tar_pax(&a, pax.data, pax.len);
			buf_done(&pax);
			tar_file(&a, "f", "x");
		} else {
			tar_file(&a, name, "x");
		}
		tar_end(&a);
		assert_int_equal(look_at(&a), -ENAMETOOLONG);
	}
	tar_link(&a, "l", '2', name);
	tar_end(&a);
	assert_true(look_at(&a) < 0);
}

static void test_pax_rubbish(void **state)
{
	static const char *const records[] = {
		"",
		"\n",
		"5",
		"999999999 path=x\n",
		"0 path=x\n",
		"-9 path=x\n",
		"10 path=xyz",
		"6 path\n",
		"11 path=\0x\n",
		"12 mtime=xx\n",
		"99999999999999999999 a=b\n",
		"13 SCHILY.x=\n",
		"24 SCHILY.xattr.user.=y\n",
		"30 SCHILY.xattr.security.x=y\n\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(records); i++) {
		struct buf a = {};

		tar_pax(&a, records[i], strlen(records[i]));
		tar_file(&a, "f", "x");
		tar_end(&a);
		look_at(&a); /* refused or read: it ends, and says so */
	}
}

/* Attributes are kept in memory that no limit of the file system counts. */
static void test_many_attributes(void **state)
{
	static char value[60000];
	struct buf a = {};

	for (int i = 0; i < 60; i++) {
		struct buf pax = {};
		char name[32];

		snprintf(name, sizeof(name), "SCHILY.xattr.trusted.a%d", i);
		tar_pax_record(&pax, name, value, sizeof(value));
		tar_pax(&a, pax.data, pax.len);
		buf_done(&pax);
		tar_file(&a, name, "x");
	}
	tar_end(&a);
	assert_int_equal(look_at(&a), -ENOSPC);
}

static void make_image(struct buf *a, const char *how)
{
	struct buf layers[2] = {};

	tar_dir(&layers[0], "d", 0755), tar_file(&layers[0], "d/f", "text");
	tar_link(&layers[0], "l", '2', outside), tar_link(&layers[0], "h", '1', "d/f");
	tar_file(&layers[1], "l/x", "1"), tar_file(&layers[1], "d/.wh.f", "");
	tar_file(&layers[1], "d/.wh..wh..opq", ""), tar_link(&layers[1], "d/g", '2', "../l");
	tar_end(&layers[0]), tar_end(&layers[1]);
	oci_end(a, json_pack("[o]", oci_image(a, "amd64", layers, 2, how)));
	buf_done(&layers[0]), buf_done(&layers[1]);
}

/* Cut off anywhere. */
static void test_cut(void **state)
{
	static const char *const packers[] = {"", "gzip", "xz", "zstd", "bzip2"};

	for (size_t i = 0; i < ARRAY_LEN(packers); i++) {
		struct buf whole = {}, packed = {};

		make_image(&whole, "gzip");
		compress_with(packers[i], &whole, &packed);
		for (size_t n = 0; n < packed.len; n += packed.len / 40 + 1) {
			struct buf part = {};

			buf_add(&part, packed.data, n);
			/* without its index it is files like any others, if it is whole */
			assert_true(look_at(&part) < 0 || !*packers[i]);
		}
		assert_int_equal(look_at(&packed), 0);
		buf_done(&whole);
	}
}

static void test_missing(void **state)
{
	struct buf a = {}, layer = {};
	char *p;

	make_image(&a, "gzip");
	p = memmem(a.data, a.len, "blobs/sha256/", 13);
	p[0] = 'B'; /* and so the sum of its header is wrong */
	assert_int_equal(look_at(&a), -EBADMSG);

	tar_file(&layer, "f", "x"), tar_end(&layer);
	json_decref(oci_image(&a, "amd64", &layer, 1, ""));
	buf_done(&a);
	oci_end(&a, json_pack("[{s:s, s:s}]", "mediaType", "x", "digest",
			      "sha256:0000000000000000000000000000000000000000000000000000000000000"
			      "000"));
	assert_int_equal(look_at(&a), -ENOENT);
	assert_non_null(strstr(err.msg, "blobs/sha256/0000"));
	oci_end(&a, json_pack("[{s:s, s:s}]", "mediaType", "x", "digest", "sha512:../../etc"));
	assert_int_equal(look_at(&a), -ENOTSUP);
	oci_end(&a, json_array());
	assert_int_equal(look_at(&a), -ENOENT);
	tar_file(&a, "manifest.json", "[{\"Config\":\"../../etc/passwd\",\"Layers\":[\"x\"]}]");
	tar_end(&a);
	assert_int_equal(look_at(&a), -EXDEV);
	tar_file(&a, "manifest.json", "[{\"Config\":\"c\",\"Layers\":[\"/etc/passwd\"]}]");
	tar_file(&a, "c", "{}"), tar_end(&a);
	assert_int_equal(look_at(&a), -ENOENT);
	/* a link that leads out of the archive */
	tar_file(&a, "manifest.json", "[{\"Config\":\"c\",\"Layers\":[\"l\"]}]");
	tar_file(&a, "c", "{}"), tar_link(&a, "l", '2', "/etc/passwd"), tar_end(&a);
	assert_int_equal(look_at(&a), -ENOENT);
	tar_file(&a, "manifest.json", "[{\"Config\":\"c\",\"Layers\":[\"l\"]}]");
	tar_file(&a, "c", "{}"), tar_link(&a, "l", '2', "/etc/passwd"), tar_end(&a);
	assert_int_equal(look_at_packed(&a, "gzip"), -ENOENT);
	tar_file(&a, "repositories", "{}"), tar_end(&a);
	assert_int_equal(look_at(&a), -ENOTSUP);
	assert_non_null(strstr(err.msg, "older than 1.10"));
	buf_done(&layer);
}

/* Indexes in indexes, without end. */
static void test_deep_indexes(void **state)
{
	static const char type[] = "application/vnd.oci.image.index.v1+json";
	struct buf a = {};
	json_t *d = json_pack("{s:s, s:s}", "mediaType", "x", "digest", "sha256:0");

	for (int i = 0; i < 10; i++)
		d = oci_json(&a, type, json_pack("{s:[o]}", "manifests", d));
	oci_end(&a, json_pack("[o]", d));
	assert_int_equal(look_at(&a), -ENOTSUP);
	assert_non_null(strstr(err.msg, "too deep"));
}

static void test_unknown_compression(void **state)
{
	struct buf a = {};

	buf_puts(&a, "\x04\x22\x4d\x18 what lz4 begins with, and nothing more than that");
	for (int i = 0; i < 1000; i++)
		buf_puts(&a, "rubbish ");
	assert_int_equal(look_at(&a), -EBADMSG);
	assert_non_null(strstr(err.hint, "gzip, xz, zstd or bzip2"));
	buf_puts(&a, "");
	buf_putc(&a, 'x');
	assert_int_equal(look_at(&a), -EBADMSG);
}

/* Whatever bytes change: it ends, says something, and nothing outside is opened. */
static void test_fuzz(void **state)
{
	unsigned rnd = 20240229, runs = 0, good = 0;
	struct buf seeds[4] = {}, layer = {};
	char event[4096];
	time_t end = time(NULL) + FUZZ_SECONDS;

	make_image(&seeds[0], "");
	make_image(&seeds[1], "gzip");
	tar_file(&layer, "l/x", "1"), tar_end(&layer);
	docker_end(&seeds[2], json_pack("[o]", docker_image(&seeds[2], "x:1", &layer, 1)));
	tar_dir(&seeds[3], "d", 0755), tar_link(&seeds[3], "d/l", '2', outside);
	tar_file(&seeds[3], "d/l/x", "x"), tar_link(&seeds[3], "h", '1', "d/l/x");
	tar_end(&seeds[3]);
	while (time(NULL) < end) {
		const struct buf *seed = &seeds[runs % ARRAY_LEN(seeds)];
		struct buf a = {};

		buf_add(&a, seed->data, seed->len);
		for (unsigned i = runs % 7 + 1; i > 0; i--) {
			size_t at;

			rnd = rnd * 1664525 + 1013904223;
			at = (rnd >> 8) % a.len;
			rnd = rnd * 1664525 + 1013904223;
			a.data[at] = rnd >> 16 & 1 ? (char)(rnd >> 24) : "0/.a\0w"[rnd >> 24 & 3];
			if (runs % 3)
				tar_sum_again(a.data + at / 512 * 512);
		}
		good += look_at(&a) == 0;
		runs++;
	}
	print_message("%u archives, %u of them good enough\n", runs, good);
	assert_true(runs > 50 && good > 0 && good < runs);
	assert_true(read(watch, event, sizeof(event)) < 0);
	for (size_t i = 0; i < ARRAY_LEN(seeds); i++)
		buf_done(&seeds[i]);
	buf_done(&layer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_said_sizes),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_pax_rubbish),
		cmocka_unit_test(test_many_attributes),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_deep_indexes),
		cmocka_unit_test(test_unknown_compression),
		cmocka_unit_test(test_fuzz),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

/*
 * Damaged images: whatever bytes change, the reader ends, stays within its memory and says what is
 * wrong. Built with the address and undefined behaviour sanitizers; the same damage in every run.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/str.h"
#include "erofs_image.h"
#include "kit/erofs.h"
#include "kit/kit.h"
#include "kit/rungs.h"

enum {
	READS = 1500,	/* damaged images read, of each kind */
	UNPACKS = 80,	/* and unpacked */
	ENTRIES = 3000, /* how far a walk goes */
	DEPTH = 12,
	SUPER = 1024,
};

static char dir[] = "/tmp/porthole-fuzz.XXXXXX";
static uint32_t rnd = 20240229;

struct tally {
	unsigned good, bad;
};

struct walk {
	struct erofs *fs;
	unsigned *entries, depth;
	uint64_t *bytes;
};

static int discard(void *arg, const void *data, uint64_t n, struct err *e)
{
	const unsigned char *p = data;
	uint64_t *bytes = arg;
	unsigned sum = 0;

	for (uint64_t i = 0; p && i < n; i += 512) /* let the sanitizer see that it is all ours */
		sum += p[i];
	*bytes += n + (sum & 0);
	return *bytes > 64 << 20 ? err_say(e, EFBIG, "enough") : 0;
}

static int visit(void *arg, const struct erofs_dirent *d, struct err *e)
{
	struct walk *w = arg, sub = *w;
	struct erofs_inode in;
	int r;

	assert_true(strlen(d->name) > 0 && !strchr(d->name, '/'));
	if (++*w->entries > ENTRIES || w->depth > DEPTH)
		return err_say(e, EFBIG, "enough");
	r = erofs_inode_read(w->fs, d->nid, &in, e);
	if (r < 0)
		return 0; /* the next may be better */
	sub.depth++;
	if (S_ISDIR(in.mode))
		erofs_dir_each(w->fs, &in, visit, &sub, e);
	else
		erofs_read_each(w->fs, &in, 0, UINT64_MAX, discard, w->bytes, e);
	return 0;
}

/* 0 when nothing was found wrong. */
static int read_image(int fd, uint64_t size)
{
	_cleanup_erofs_ struct erofs *fs = NULL;
	unsigned entries = 0;
	uint64_t bytes = 0;
	struct erofs_inode root;
	struct err e = {};
	struct walk w = {.entries = &entries, .bytes = &bytes};
	int r = erofs_open(fd, 0, size, "fuzzed", &fs, &e);

	if (r == 0)
		r = erofs_inode_read(fs, erofs_super(fs)->root, &root, &e);
	if (r == 0) {
		w.fs = fs;
		r = erofs_dir_each(fs, &root, visit, &w, &e);
	}
	if (r < 0 || e.num) {
		assert_true(e.num > 0);
		assert_true(e.msg[0]);
		return -e.num;
	}
	return 0;
}

/* Into an empty directory, and nowhere else. */
static int unpack_image(int fd, uint64_t size)
{
	struct kit k = {.kind = KIT_IMAGE, .path = (char *)"fuzzed", .fd = fd, .size = size};
	_cleanup_close_ int out = -EBADF;
	struct kit_room room;
	struct err e = {};
	char path[64];
	int r;

	snprintf(path, sizeof(path), "%s/out", dir);
	assert_int_equal(mkdir(path, 0755), 0);
	out = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = kit_room(&k, &room, &e);
	if (r == 0 && strlen(room.size) < 9) /* under 100 MB */
		r = kit_unpack(&k, out, &e);
	assert_true(r == 0 || (e.num > 0 && e.msg[0]));
	assert_int_equal(image_sh("cd %s && chmod -R u+rwX out && rm -r out && test \"$(ls)\" = "
				  "\"image\nsrc\"",
				  dir),
			 0);
	return r;
}

/* Change 1 to 6 bytes, or a field of 2 or 4; most of them where the metadata is. */
static void hurt(unsigned char *image, size_t size)
{
	for (unsigned n = image_random(&rnd) % 6 + 1; n; n--) {
		static const uint32_t nasty[] = {0,    1,      0x7f,	   0x80,
						 0xff, 0xffff, 0x7fffffff, 0xffffffff};
		size_t limit = image_random(&rnd) % 3 ? (size < 20480 ? size : 20480) : size;
		size_t at = SUPER + image_random(&rnd) % (limit - SUPER - 4);
		uint32_t v = image_random(&rnd) % 2 ? image_random(&rnd)
						    : nasty[image_random(&rnd) % ARRAY_LEN(nasty)];

		memcpy(image + at, &v, (size_t)1 << image_random(&rnd) % 3);
	}
	/* most images would else fail at the first look */
	if (image_random(&rnd) % 8) {
		image[SUPER + 8] &= 0xfe; /* the checksum is not to be checked */
		memcpy(image + SUPER, "\xe2\xe1\xf5\xe0", 4);
		image[SUPER + 12] = 12;
		image[SUPER + 81] = image[SUPER + 82] = image[SUPER + 83] = 0;
	}
}

static void fuzz(const char *options)
{
	_cleanup_free_ char *good = NULL;
	_cleanup_close_ int fd = memfd_create("fuzzed", MFD_CLOEXEC);
	struct tally read = {}, unpacked = {};
	char path[64];
	size_t size;

	image_make(dir, options);
	snprintf(path, sizeof(path), "%s/image", dir);
	assert_int_equal(file_read_at(AT_FDCWD, path, 64 << 20, &good, &size), 0);
	for (unsigned i = 0; i < READS; i++) {
		_cleanup_free_ unsigned char *bad = malloc(size);
		struct tally *t = i < UNPACKS ? &unpacked : &read;
		int r;

		memcpy(bad, good, size);
		hurt(bad, size);
		assert_int_equal(pwrite(fd, bad, size, 0), size);
		r = i < UNPACKS ? unpack_image(fd, size) : read_image(fd, size);
		*(r == 0 ? &t->good : &t->bad) += 1;
	}
	/* some damage shows and some does not: both paths were walked */
	assert_true(read.bad > READS / 20);
	assert_true(read.good > 0);
	assert_true(unpacked.bad > 0);
}

#define FUZZ(name, options)                                                                        \
	static void name(void **state)                                                             \
	{                                                                                          \
		(void)state;                                                                       \
		fuzz(options);                                                                     \
	}

FUZZ(plain, "")
FUZZ(chunks, "--chunksize=4096")
FUZZ(lz4hc_64k, "-zlz4hc -C65536")
FUZZ(lz4_full_index, "-zlz4 -C16384 -Elegacy-compress")

/* A few files of each kind: small, so that much of the image is metadata. */
static int setup(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	return image_sh("mkdir -p %s/src/a/b && cd %s/src && seq 20000 >numbers && seq 9 >a/few && "
			"head -c 300000 /dev/zero >a/zeros && head -c 9000 /bin/ls >a/b/program && "
			"ln -s ../numbers a/link && ln numbers a/b/again && "
			"for i in $(seq 60); do echo $i >a/b/name-$i; done",
			dir, dir);
}

static int teardown(void **state)
{
	(void)state;
	image_remove(dir);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain),
		cmocka_unit_test(chunks),
		cmocka_unit_test(lz4hc_64k),
		cmocka_unit_test(lz4_full_index),
	};

	alarm(240); /* a reader that does not end */
	return cmocka_run_group_tests(tests, setup, teardown);
}

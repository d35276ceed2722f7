/* The tar reader: what tar itself writes, long names, and damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "kit/apt.h"
#include "kit/tar.h"

static char *archive;
static size_t archive_len;

static int group_setup(void **state)
{
	char cmd[1024], dir[] = "/tmp/pt-tar-XXXXXX", path[64];

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(cmd, sizeof(cmd),
		 "cd %s && d=$(printf 'long%%.0s' $(seq 50)) && mkdir -p usr/bin \"$d/$d\" && "
		 "seq 20000 > usr/bin/seq && ln -s ../lib/x usr/bin/link && "
		 "ln usr/bin/seq usr/bin/twin && : > empty && echo x > \"$d/$d/f\" && "
		 "tar --format=gnu --sort=name -cf a.tar ./usr ./empty \"./$d\"",
		 dir);
	snprintf(path, sizeof(path), "%s/a.tar", dir);
	if (system(cmd) != 0 || file_read_at(AT_FDCWD, path, 1 << 24, &archive, &archive_len) < 0)
		return -1;
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd);
}

static int group_teardown(void **state)
{
	(void)state;
	free(archive);
	return 0;
}

static int as_fd(const void *data, size_t len)
{
	int fd = memfd_create("tar", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, data, len), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void test_entries(void **state)
{
	_cleanup_close_ int fd = as_fd(archive, archive_len);
	_cleanup_tar_ struct tar t = {.fd = fd};
	const struct tar_entry *e;
	bool file = false, link = false, twin = false, longest = false;
	int r;

	(void)state;
	while ((r = tar_next(&t, &e)) > 0) {
		if (str_eq(e->name, "/usr/bin/seq")) {
			uint64_t n = 0;
			const char *data;
			ssize_t k;

			while ((k = tar_data(&t, &data)) > 0)
				n += (uint64_t)k;
			assert_int_equal(k, 0);
			assert_int_equal(n, e->size);
			file = n == 108894;
		}
		link |= str_eq(e->name, "/usr/bin/link") && e->type == '2' &&
			str_eq(e->link, "../lib/x");
		twin |= str_eq(e->name, "/usr/bin/twin") && e->type == '1' &&
			str_eq(e->link, "./usr/bin/seq");
		longest |= strlen(e->name) > 400 && str_ends(e->name, "/f");
	}
	assert_int_equal(r, 0);
	assert_true(file && link && twin && longest);
}

/* Every cut ends in an end or an error, never in a hang or a read outside. */
static void test_cut(void **state)
{
	(void)state;
	for (size_t n = 0; n < archive_len; n += n < 4096 ? 64 : 4096) {
		_cleanup_close_ int fd = as_fd(archive, n);
		_cleanup_tar_ struct tar t = {.fd = fd};
		const struct tar_entry *e;
		int r;

		while ((r = tar_next(&t, &e)) > 0)
			;
		assert_true(r == 0 || r == -EBADMSG);
	}
}

static void test_damaged(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2048; i++) {
		_cleanup_free_ char *bad = malloc(archive_len);
		_cleanup_close_ int fd = -EBADF;
		_cleanup_tar_ struct tar t = {.fd = -EBADF};
		const struct tar_entry *e;
		int r, n = 0;

		memcpy(bad, archive, archive_len);
		bad[i] ^= 0x41;
		fd = as_fd(bad, archive_len);
		t.fd = fd;
		while ((r = tar_next(&t, &e)) > 0)
			assert_true(n++ < 100);
		assert_true(r <= 0);
	}
}

static void test_apt_lines(void **state)
{
	struct kit_package p = {};
	struct kit_packages list = {.v = &p, .n = 1};

	(void)state;
	assert_int_equal(apt_parse_uri("'http://deb/x/vim_9.0-2_amd64.deb' "
				       "vim_2%3a9.0-2+deb12u2_amd64.deb 1567756 MD5Sum:26\n",
				       &p),
			 0);
	assert_string_equal(p.name, "vim");
	assert_string_equal(p.version, "2:9.0-2+deb12u2");
	assert_string_equal(p.arch, "amd64");
	assert_string_equal(p.deb, "vim_2%3a9.0-2+deb12u2_amd64.deb");
	assert_int_equal(p.deb_size, 1567756);
	free(p.name), free(p.version), free(p.arch), free(p.deb);
	list.n = 0;
	assert_int_equal(list.n, 0);
	assert_int_equal(apt_parse_uri("E: Unable to locate package x", &p), 1);
	assert_int_equal(apt_parse_uri("'u' ../../x_1_all.deb 5", &p), 1);
	assert_int_equal(apt_parse_uri("'u' x_1.deb 5", &p), 1);
	assert_int_equal(apt_parse_uri("'u' x_1_all.deb -5", &p), 1);
	assert_int_equal(apt_parse_uri("'u'", &p), 1);
	assert_int_equal(apt_parse_uri("", &p), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_apt_lines),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

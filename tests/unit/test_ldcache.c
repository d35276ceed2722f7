/* The loader's cache: written, read back, searched as the loader does; and damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fd.h"
#include "kit/ldcache.h"

#include <fcntl.h>

static void add_some(struct ldcache *c)
{
	static const char *const names[] = {
		"libc.so.6",	"libm.so.6",	  "libz.so.1",
		"libdb-5.3.so", "libfoo.so.10",	  "libfoo.so.9",
		"libfoo.so.1",	"libstdc++.so.6", "ld-linux-x86-64.so.2"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		_cleanup_free_ char *path = str_fmt("/dev/p/l/%s.real", names[i]);

		assert_int_equal(ldcache_add(c, names[i], path), 0);
	}
}

/* dl-cache.c's search_cache(). */
static const char *search(const struct ldcache *c, const char *name)
{
	size_t left = 0, right = c->n;

	while (left < right) {
		size_t mid = (left + right) / 2;
		int d = ldcache_compare(name, c->v[mid].soname);

		if (d == 0)
			return c->v[mid].path;
		if (d < 0)
			left = mid + 1;
		else
			right = mid;
	}
	return NULL;
}

static void test_round_trip(void **state)
{
	_cleanup_ldcache_ struct ldcache c = {}, back = {};
	_cleanup_buf_ struct buf out = {};

	(void)state;
	add_some(&c);
	assert_int_equal(ldcache_write(&c, LDCACHE_X86_64, &out), 0);
	assert_int_equal(ldcache_parse(out.data, out.len, &back), 0);
	assert_int_equal(back.n, c.n);
	for (size_t i = 0; i < c.n; i++) {
		_cleanup_free_ char *path = str_fmt("/dev/p/l/%s.real", c.v[i].soname);

		assert_string_equal(search(&back, c.v[i].soname), path);
	}
	assert_null(search(&back, "libfoo.so.2"));
	assert_null(search(&back, ""));
}

static void test_order(void **state)
{
	(void)state;
	assert_true(ldcache_compare("libfoo.so.10", "libfoo.so.9") > 0);
	assert_true(ldcache_compare("liba.so", "libb.so") < 0);
	assert_true(ldcache_compare("lib1.so", "liba.so") > 0); /* digits after letters */
	assert_int_equal(ldcache_compare("libc.so.6", "libc.so.6"), 0);
	assert_true(ldcache_compare("libc.so", "libc.so.6") < 0);
}

/* What ldconfig of this machine wrote is sorted as we sort. */
static void test_the_machines_own(void **state)
{
	_cleanup_ldcache_ struct ldcache c = {};
	_cleanup_free_ char *data = NULL;
	size_t len;

	(void)state;
	if (file_read_at(AT_FDCWD, "/etc/ld.so.cache", 16 << 20, &data, &len) < 0)
		skip();
	assert_int_equal(ldcache_parse(data, len, &c), 0);
	assert_true(c.n > 0);
	for (size_t i = 1; i < c.n; i++)
		assert_true(ldcache_compare(c.v[i - 1].soname, c.v[i].soname) >= 0);
}

static void test_damaged(void **state)
{
	_cleanup_ldcache_ struct ldcache c = {};
	_cleanup_buf_ struct buf out = {};

	(void)state;
	add_some(&c);
	assert_int_equal(ldcache_write(&c, LDCACHE_X86_64, &out), 0);
	for (size_t n = 0; n < out.len; n++) {
		_cleanup_ldcache_ struct ldcache back = {};
		char *cut = malloc(n ? n : 1);

		memcpy(cut, out.data, n);
		assert_int_equal(ldcache_parse(cut, n, &back), -EBADMSG);
		free(cut);
	}
	for (size_t i = 0; i < 48 + 24; i++) {
		_cleanup_ldcache_ struct ldcache back = {};
		char *bad = malloc(out.len);

		memcpy(bad, out.data, out.len);
		bad[i] = (char)0xff;
		ldcache_parse(bad, out.len, &back);
		free(bad);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_the_machines_own),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

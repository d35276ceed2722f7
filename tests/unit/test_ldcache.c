/* The loader's cache: written, read back, searched as the loader does; and damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fd.h"
#include "elf/ldcache.h"

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
static const char *search(const struct ldcache_view *v, const char *name)
{
	uint32_t left = 0, right = v->n;

	while (left < right) {
		uint32_t mid = (left + right) / 2;
		const char *soname, *path;
		int d;

		assert_true(ldcache_entry(v, mid, &soname, &path));
		d = ldcache_compare(name, soname);
		if (d == 0)
			return path;
		if (d < 0)
			left = mid + 1;
		else
			right = mid;
	}
	return NULL;
}

static void expect_all(const struct ldcache *c, const struct ldcache_view *v)
{
	assert_int_equal(v->n, c->n);
	for (size_t i = 0; i < c->n; i++) {
		_cleanup_free_ char *path = str_fmt("/dev/p/l/%s.real", c->v[i].soname);
		uint32_t at = 0;

		assert_string_equal(search(v, c->v[i].soname), path);
		assert_string_equal(ldcache_find(v, c->v[i].soname, &at), path);
		assert_null(ldcache_find(v, c->v[i].soname, &at));
	}
	assert_null(search(v, "libfoo.so.2"));
	assert_null(search(v, ""));
}

static void test_round_trip(void **state)
{
	_cleanup_ldcache_ struct ldcache c = {};
	_cleanup_buf_ struct buf out = {};
	struct ldcache_view v;

	(void)state;
	add_some(&c);
	assert_int_equal(ldcache_write(&c, LDCACHE_X86_64, &out), 0);
	assert_int_equal(ldcache_open(out.data, out.len, &v), 0);
	expect_all(&c, &v);
}

/* glibc before 2.32 writes the new format behind the old one. */
static void test_behind_an_old_one(void **state)
{
	struct {
		char magic[12];
		uint32_t n;
		char entries[3][12], pad[4];
	} old = {.magic = "ld.so-1.7.0", .n = 3};
	_cleanup_buf_ struct buf new = {}, out = {};
	_cleanup_ldcache_ struct ldcache c = {};
	struct ldcache_view v;

	(void)state;
	add_some(&c);
	assert_int_equal(ldcache_write(&c, LDCACHE_X86_64, &new), 0);
	buf_add(&out, &old, sizeof(old));
	buf_add(&out, new.data, new.len);
	assert_int_equal(ldcache_open(out.data, out.len, &v), 0);
	expect_all(&c, &v);
	memset(out.data + 12, 0xff, 4);
	assert_int_equal(ldcache_open(out.data, out.len, &v), -EBADMSG);
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
	_cleanup_free_ char *data = NULL;
	const char *before = NULL, *soname, *path;
	struct ldcache_view v;
	size_t len;

	(void)state;
	if (file_read_at(AT_FDCWD, "/etc/ld.so.cache", 16 << 20, &data, &len) < 0)
		skip();
	assert_int_equal(ldcache_open(data, len, &v), 0);
	assert_true(v.n > 0);
	for (uint32_t i = 0; i < v.n; before = soname, i++) {
		assert_true(ldcache_entry(&v, i, &soname, &path));
		assert_true(!before || ldcache_compare(before, soname) >= 0);
	}
}

/* Whatever the bytes are, no entry lies outside of them. */
static void look_through(const char *data, size_t len)
{
	struct ldcache_view v;
	uint32_t at = 0;

	if (ldcache_open(data, len, &v) == 0)
		while (ldcache_find(&v, "libc.so.6", &at))
			assert_true(at <= v.n);
}

static void test_damaged(void **state)
{
	_cleanup_ldcache_ struct ldcache c = {};
	_cleanup_buf_ struct buf out = {};
	struct ldcache_view v;
	size_t least;

	(void)state;
	add_some(&c);
	least = 48 + 24 * c.n;
	assert_int_equal(ldcache_write(&c, LDCACHE_X86_64, &out), 0);
	for (size_t n = 0; n < out.len; n++) {
		char *cut = calloc(1, n + 1);

		memcpy(cut, out.data, n);
		if (n < least)
			assert_int_equal(ldcache_open(cut, n, &v), -EBADMSG);
		look_through(cut, n);
		free(cut);
	}
	for (size_t i = 0; i < least; i++) {
		char *bad = calloc(1, out.len + 1);

		memcpy(bad, out.data, out.len);
		bad[i] = (char)0xff;
		look_through(bad, out.len);
		free(bad);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_behind_an_old_one),
		cmocka_unit_test(test_order),	   cmocka_unit_test(test_the_machines_own),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

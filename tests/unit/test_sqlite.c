/* Podman 5's database, as SQLite wrote it (512-byte pages, so that there are pages above leaves,
 * and a value on several), and damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "store/digest.h"
#include "target/sqlite.h"
#include "target/storage.h"
#include "target_tree.h"

#define FIRST "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9"
#define LONG  "7902699be42c8a8e46fbbb4501726517e86b22c56a189f7625a6da49081b2451"
#define GONE  "0b918943df0962bc7a1824c0555a389347b4febdc7cf9d1254406d80ce44e3f9"
enum { PAGE = 512, JSON = 3 };

static struct tree tree;
static char *whole;
static size_t whole_len;

static int setup(void **state)
{
	(void)state;
	tree_init(&tree);
	whole = tree_capture("podman/db.sql", &whole_len);
	return whole ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	tree_done(&tree);
	free(whole);
	return 0;
}

/* The value in a database of these bytes. */
static int get(const char *db, size_t len, const char *table, const char *key, unsigned col,
	       char **out)
{
	_cleanup_sqlite_ struct sqlite s = SQLITE_INIT;
	size_t n;
	int r;

	*out = NULL;
	tree_put(&tree, "db.sql", db, len);
	r = sqlite_open(&s, tree.roots.root_fd, "db.sql");
	if (r < 0)
		return r;
	r = sqlite_get(&s, table, key, col, out, &n);
	if (r == 0)
		assert_true((*out)[n] == '\0');
	else
		assert_null(*out);
	return r;
}

static void has(const char *table, const char *key, unsigned col, const char *expected)
{
	_cleanup_free_ char *out = NULL;

	assert_int_equal(get(whole, whole_len, table, key, col, &out), 0);
	assert_string_equal(out, expected);
}

static void lacks(const char *table, const char *key, unsigned col)
{
	_cleanup_free_ char *out = NULL;

	assert_int_equal(get(whole, whole_len, table, key, col, &out), -ENOENT);
}

static void test_get(void **state)
{
	_cleanup_free_ char *out = NULL;

	(void)state;
	has("ContainerState", FIRST, JSON, "{\"state\": 6, \"exitCode\": 1}");
	has("ContainerState", LONG, JSON, "{\"state\": 6, \"exitCode\": 8}");
	has("ContainerConfig", FIRST, JSON, "{\"name\": \"c0\", \"pad\": \"\"}");
	has("ContainerConfig", FIRST, 1, "c0");
	has("ContainerConfig", GONE, 1, "c39");
	assert_int_equal(get(whole, whole_len, "ContainerConfig", LONG, JSON, &out), 0);
	assert_int_equal(strlen(out), 3000 + strlen("{'name': 'c7', 'pad': ''}"));
	assert_true(str_ends(out, "xxxx\"}"));
	lacks("ContainerState", GONE, JSON);
	lacks("ContainerState", "", JSON);
	lacks("ContainerState", "5", JSON);
	lacks("ContainerState", FIRST "0", JSON);
	lacks("ContainerState", "zzz", JSON);
	lacks("ContainerConfig", FIRST, 2);    /* NULL */
	lacks("ContainerState", FIRST, 1);     /* a number */
	lacks("IDNamespace", FIRST, 0);	       /* empty */
	lacks("sqlite_sequence", FIRST, JSON); /* no such table */
}

/* Every row is found, wherever it is in its tree: their keys are the digests of 0 to 39. */
static void test_every_row(void **state)
{
	(void)state;
	for (int i = 0; i < 40; i++) {
		char key[DIGEST_TEXT], text[8], name[8];
		struct digest d;

		snprintf(text, sizeof(text), "%d", i);
		snprintf(name, sizeof(name), "c%d", i);
		digest_init(&d);
		digest_add(&d, text, strlen(text));
		digest_text(&d, key);
		has("ContainerConfig", digest_hex(key), 1, name);
	}
}

/* podman 4's beside it: each knows its own. */
static void test_both(void **state)
{
	_cleanup_free_ char *out = NULL, *older = NULL;
	const char *done = "d82d75a07ddebec4be5439ca4007e7208c49c8323bc71b0e47ecb25f52128851";
	size_t n;

	(void)state;
	tree_put(&tree, "db.sql", whole, whole_len);
	assert_int_equal(storage_record(tree.roots.root_fd, done, "state", &out, &n), -ENOENT);
	tree_copy(&tree, "libpod/bolt_state.db", "podman/bolt_state.db", NULL);
	assert_int_equal(storage_record(tree.roots.root_fd, done, "state", &older, &n), 0);
	assert_int_equal(storage_record(tree.roots.root_fd, FIRST, "config", &out, &n), 0);
	assert_string_equal(out, "{\"name\": \"c0\", \"pad\": \"\"}");
}

static void is_refused(size_t at, char byte, int expected)
{
	_cleanup_free_ char *db = malloc(whole_len), *out = NULL;

	assert_non_null(db);
	memcpy(db, whole, whole_len);
	db[at] = byte;
	assert_int_equal(get(db, whole_len, "ContainerState", FIRST, JSON, &out), expected);
}

static void test_refused(void **state)
{
	_cleanup_sqlite_ struct sqlite s = SQLITE_INIT;
	_cleanup_free_ char *out = NULL;

	(void)state;
	is_refused(0, 's', -EBADMSG);
	is_refused(16, 3, -EBADMSG);   /* a page size that is no power of two */
	is_refused(20, 100, -EBADMSG); /* too much of each page is reserved */
	is_refused(19, 2, -ENOTSUP);   /* a write-ahead log */
	is_refused(59, 2, -ENOTSUP);   /* UTF-16 */
	is_refused(100, 10, -EBADMSG); /* the schema is no table */
	assert_int_equal(get(whole, 99, "ContainerState", FIRST, JSON, &out), -EBADMSG);
	assert_int_equal(sqlite_open(&s, tree.roots.root_fd, "proc"), -EBADMSG);
	assert_int_equal(sqlite_open(&s, tree.roots.root_fd, "none"), -ENOENT);
}

/* Cut anywhere, or with any byte another: an answer, never a crash (under the sanitizers) or a
 * loop. */
static void test_damaged(void **state)
{
	_cleanup_free_ char *db = malloc(whole_len);

	(void)state;
	assert_non_null(db);
	for (size_t n = 0; n < whole_len; n += 251) {
		_cleanup_free_ char *out = NULL;

		get(whole, n, "ContainerConfig", LONG, JSON, &out);
	}
	for (size_t i = 0; i < whole_len; i++) {
		static const char bytes[] = {0, 1, 5, 127, -1};
		_cleanup_free_ char *out = NULL;

		if (i % PAGE > 24 && i % 31) /* heads of pages in full */
			continue;
		memcpy(db, whole, whole_len);
		db[i] = bytes[i % sizeof(bytes)];
		get(db, whole_len, "ContainerConfig", LONG, JSON, &out);
	}
}

/* A page whose children are itself. */
static void test_endless(void **state)
{
	_cleanup_free_ char *db = malloc(whole_len);

	(void)state;
	assert_non_null(db);
	for (size_t page = 0; page < whole_len / PAGE; page++) {
		_cleanup_free_ char *out = NULL;
		char *h = db + page * PAGE + (page ? 0 : 100);

		memcpy(db, whole, whole_len);
		if (*h != 2 && *h != 5)
			continue;
		for (int i = 8; i < 400; i += 4) /* its rightmost child, and what else is there */
			memcpy(h + i, (char[]){0, 0, 0, (char)(page + 1)}, 4);
		assert_int_not_equal(get(db, whole_len, "ContainerConfig", "zzzz", JSON, &out), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_get, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_row, setup, teardown),
		cmocka_unit_test_setup_teardown(test_both, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_endless, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

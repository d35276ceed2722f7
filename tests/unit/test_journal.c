/* The journal of inject: what is written is read back; what is damaged is told, or left off at the
 * end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "inject/journal.h"

static const char *const odd = "etc/new\nline %41 \x01\xff*deadbeef\nphase done";

static void fill(struct journal *j)
{
	struct item it = {.kind = 'f',
			  .graft = true,
			  .replaces = true,
			  .path = (char *)odd,
			  .mode = 04755,
			  .uid = 100000,
			  .gid = 7,
			  .mtime = {-5, 999999999},
			  .size = 1ull << 40};
	struct item link = {.kind = 'l', .path = (char *)"usr/l", .link = (char *)" % \n"};
	struct parent root = {(char *)"", {12, 34}}, etc = {(char *)"etc", {56, 78}};

	*j = JOURNAL_INIT;
	j->engine = strdup("docker");
	j->id = strdup("abc");
	j->name = strdup("we b\n");
	j->source = strdup("debian");
	j->stage = strdup(".porthole-1");
	j->time = 1234;
	for (size_t i = 0; i < ITEM_SHA; i++)
		it.sha[i] = (uint8_t)(i * 9);
	journal_add_head(j);
	journal_add_parent(j, &root);
	journal_add_item(j, &it);
	journal_add_item(j, &link);
	journal_add_parent(j, &etc);
	journal_add_phase(j, JOURNAL_BUILT);
	assert_false(j->pending.oom);
}

static int parse(const char *text, size_t len, struct journal *j, size_t *good)
{
	struct err e = {};

	*j = JOURNAL_INIT;
	return journal_parse(text, len, j, good, &e);
}

static void round_trip(void **state)
{
	_cleanup_journal_ struct journal a = JOURNAL_INIT, b = JOURNAL_INIT;
	size_t good;

	(void)state;
	fill(&a);
	assert_int_equal(parse(a.pending.data, a.pending.len, &b, &good), 0);
	assert_int_equal(good, a.pending.len);
	assert_string_equal(b.engine, "docker");
	assert_string_equal(b.name, "we b\n");
	assert_string_equal(b.stage, ".porthole-1");
	assert_int_equal(b.time, 1234);
	assert_int_equal(b.phase, JOURNAL_BUILT);
	assert_int_equal(b.items.n, 2);
	assert_string_equal(b.items.v[0].path, odd);
	assert_true(b.items.v[0].replaces);
	assert_int_equal(b.items.v[0].mode, 04755);
	assert_int_equal(b.items.v[0].uid, 100000);
	assert_int_equal(b.items.v[0].mtime.tv_sec, -5);
	assert_int_equal(b.items.v[0].mtime.tv_nsec, 999999999);
	assert_true(b.items.v[0].size == 1ull << 40);
	assert_int_equal(b.items.v[0].sha[31], (uint8_t)(31 * 9));
	assert_string_equal(b.items.v[1].link, " % \n");
	assert_int_equal(b.items.n_parents, 2);
	assert_string_equal(b.items.parents[0].path, "");
	assert_int_equal(b.items.parents[1].mtime.tv_nsec, 78);
}

/* Cut anywhere, what is whole is read, and nothing else. */
static void cut_short(void **state)
{
	_cleanup_journal_ struct journal a = JOURNAL_INIT;

	(void)state;
	fill(&a);
	for (size_t n = 0; n < a.pending.len; n++) {
		_cleanup_journal_ struct journal b = JOURNAL_INIT;
		size_t good = 99999;

		assert_int_equal(parse(a.pending.data, n, &b, &good), 0);
		assert_true(good <= n);
		assert_true(good == 0 || a.pending.data[good - 1] == '\n');
		assert_true(b.phase < JOURNAL_BUILT);
		assert_int_equal(b.phase == JOURNAL_NEW, good == 0);
	}
}

/* One byte changed anywhere but in the last line is damage. */
static void changed(void **state)
{
	_cleanup_journal_ struct journal a = JOURNAL_INIT;
	size_t last;

	(void)state;
	fill(&a);
	for (last = a.pending.len - 1; a.pending.data[last - 1] != '\n'; last--)
		;
	for (size_t n = 0; n + 1 < last; n++) /* without its newline it is the last line */
		for (int bit = 0; bit < 8; bit++) {
			_cleanup_journal_ struct journal b = JOURNAL_INIT;
			size_t good;

			a.pending.data[n] = (char)(a.pending.data[n] ^ (1 << bit));
			assert_int_equal(parse(a.pending.data, a.pending.len, &b, &good), -EBADMSG);
			a.pending.data[n] = (char)(a.pending.data[n] ^ (1 << bit));
		}
}

/* Whole lines that say what was never written. */
static void hostile(void **state)
{
	static const char *const paths[] = {"../etc/passwd", "a/../../b", "/etc", "a//b", "a/", ".",
					    "a/./b"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		_cleanup_journal_ struct journal a = JOURNAL_INIT, b = JOURNAL_INIT;
		struct item it = {.kind = 'f', .path = (char *)paths[i]};
		size_t good;

		fill(&a);
		journal_add_item(&a, &it);
		journal_add_phase(&a, JOURNAL_DONE);
		assert_int_equal(parse(a.pending.data, a.pending.len, &b, &good), -EBADMSG);
	}
	for (size_t i = 0; i < 2; i++) {
		_cleanup_journal_ struct journal a = JOURNAL_INIT, b = JOURNAL_INIT;
		size_t good;

		a.engine = strdup("docker");
		a.name = strdup("web");
		a.stage = strdup(i ? "etc" : ".porthole-/../etc");
		journal_add_head(&a);
		assert_int_equal(parse(a.pending.data, a.pending.len, &b, &good), -EBADMSG);
	}
}

/* The times of an eject are not those of the inject. */
static void times_of_eject(void **state)
{
	_cleanup_journal_ struct journal a = JOURNAL_INIT, b = JOURNAL_INIT;
	struct parent later = {(char *)"etc", {99, 1}};
	size_t good;

	(void)state;
	fill(&a);
	journal_add_phase(&a, JOURNAL_EJECT);
	journal_add_parent(&a, &later);
	assert_int_equal(parse(a.pending.data, a.pending.len, &b, &good), 0);
	assert_int_equal(b.phase, JOURNAL_EJECT);
	assert_int_equal(b.items.n_parents, 1);
	assert_int_equal(b.items.parents[0].mtime.tv_sec, 99);
}

static void sorted(void **state)
{
	static const char *const paths[] = {"b", "a/b", "a.b", "a", "a/b", "a-/x"};
	static const char *const want[] = {"a", "a/b", "a-/x", "a.b", "b"};
	static const bool grafts[] = {true, false, true, true, true};
	_cleanup_items_ struct items l = {};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct item it = {
			.kind = i == 3 ? 'd' : 'f', .path = strdup(paths[i]), .seq = i, .size = i};

		assert_non_null(items_push(&l, &it));
	}
	items_sort(&l);
	assert_int_equal(l.n, ARRAY_LEN(want));
	for (size_t i = 0; i < l.n; i++) {
		assert_string_equal(l.v[i].path, want[i]);
		assert_int_equal(l.v[i].graft, grafts[i]);
	}
	assert_int_equal(items_find(&l, "a/b")->size, 1); /* the first of two */
	assert_null(items_find(&l, "a/c"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),	  cmocka_unit_test(cut_short),
		cmocka_unit_test(changed),	  cmocka_unit_test(hostile),
		cmocka_unit_test(times_of_eject), cmocka_unit_test(sorted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Whose words an entry point is: the image's, or those of whoever made the container. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "entry/entry.h"

static void fill(struct strv *v, const char *words)
{
	assert_int_equal(strv_split(v, words, " "), 0);
}

/* A store that says no more than this. */
static void store_make(struct store *s, const char *entrypoint, const char *cmd, const char *user)
{
	*s = STORE_INIT;
	fill(&s->config.entrypoint, entrypoint);
	fill(&s->config.cmd, cmd);
	s->config.user = user ? strdup(user) : NULL;
}

static const struct {
	const char *entrypoint, *cmd, *user; /* the container's */
	enum entry_origin want_entrypoint, want_cmd, want_user;
	const char *want; /* entry point and arguments, apart */
} cases[] = {
	{"/e", "a b", "app", ENTRY_IMAGE, ENTRY_IMAGE, ENTRY_IMAGE, "/e|a b "},
	{"/e", "c", "1:2", ENTRY_IMAGE, ENTRY_CONTAINER, ENTRY_CONTAINER, "/e|c "},
	{"/x", "a b", "app", ENTRY_CONTAINER, ENTRY_IMAGE, ENTRY_IMAGE, "/x|a b "},
	/* the whole command in one, as bundles have it */
	{"", "/e a b", "app:app", ENTRY_IMAGE, ENTRY_IMAGE, ENTRY_IMAGE, "/e|a b "},
	{"", "/e c", "app", ENTRY_IMAGE, ENTRY_CONTAINER, ENTRY_IMAGE, "/e|c "},
	{"", "/x", NULL, ENTRY_CONTAINER, ENTRY_CONTAINER, ENTRY_CONTAINER, "|/x "},
};

static void test_origins(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_store_ struct store s = STORE_INIT, image = STORE_INIT;
		_cleanup_entry_ struct entry en = {};
		_cleanup_buf_ struct buf b = {};

		store_make(&s, cases[i].entrypoint, cases[i].cmd, cases[i].user);
		store_make(&image, "/e", "a b", "app");
		assert_int_equal(entry_of_store(&s, &image, "docker", &en), 0);
		assert_int_equal(en.entrypoint_from, cases[i].want_entrypoint);
		assert_int_equal(en.cmd_from, cases[i].want_cmd);
		assert_int_equal(en.user_from, cases[i].want_user);
		for (size_t k = 0; k < en.entrypoint.n; k++)
			buf_puts(&b, en.entrypoint.v[k]);
		buf_putc(&b, '|');
		for (size_t k = 0; k < en.cmd.n; k++)
			buf_printf(&b, "%s ", en.cmd.v[k]);
		assert_string_equal(b.data, cases[i].want);
		assert_int_equal(en.argv.n, en.entrypoint.n + en.cmd.n);
		assert_true(en.made);
	}
}

static void test_image(void **state)
{
	_cleanup_store_ struct store s = STORE_INIT;
	_cleanup_entry_ struct entry en = {};

	(void)state;
	store_make(&s, "", "", NULL);
	assert_int_equal(strv_add(&s.config.cmd, "/bin/sh"), 0);
	assert_int_equal(strv_add(&s.config.cmd, "-c"), 0);
	assert_int_equal(strv_add(&s.config.cmd, "exec node x"), 0);
	assert_int_equal(entry_of_store(&s, NULL, NULL, &en), 0);
	assert_int_equal(en.cmd_from, ENTRY_IMAGE);
	assert_true(en.shell_form);
	assert_true(en.makes_cwd);
	assert_false(en.made);
}

static void test_nothing_known(void **state)
{
	_cleanup_store_ struct store s = STORE_INIT;
	_cleanup_entry_ struct entry en = {};

	(void)state;
	store_make(&s, "", "/x", "app");
	s.uid_map = strdup("0 100000 65536\nrubbish\n70000 5 1\n");
	assert_int_equal(entry_of_store(&s, NULL, "podman", &en), 0);
	assert_int_equal(en.cmd_from, ENTRY_UNKNOWN);
	assert_false(en.shell_form);
	assert_false(en.makes_cwd);
	assert_int_equal(en.uids.n, 2);
	assert_int_equal(en.uids.r[0].outside, 100000);
	assert_int_equal(en.uids.r[1].inside, 70000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_origins),
		cmocka_unit_test(test_image),
		cmocka_unit_test(test_nothing_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

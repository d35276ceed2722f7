/* Paths of packages become paths of the kit: where they lie, in lists, patterns and texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kit/rewrite.h"

struct fixture {
	struct names names;
	struct rules rules;
	struct rewriter w;
};

static int setup(void **state)
{
	static const char *const have[] = {
		"b",
		"l",
		"s",
		"x",
		"b/sh",
		"b/python3",
		"l/x86_64-linux-gnu",
		"l/python3.11",
		"l/python3.11/os.py",
		"l/git-core",
		"s/terminfo",
		"s/misc",
		"s/misc/magic.mgc",
		"s/lua",
		"s/lua/5.3",
		"e",
		"e/ssl",
		"e/ssl/cert.pem",
	};
	struct fixture *f = calloc(1, sizeof(*f));
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(have); i++)
		assert_int_equal(names_add(&f->names, have[i]), 0);
	snprintf(f->names.triplet, sizeof(f->names.triplet), "x86_64-linux-gnu");
	assert_int_equal(rules_parse(&f->rules, "test",
				     "string /etc/magic e/m\nstring /usr/local u\n"
				     "string /etc/terminfo e/t\nstring /lib/terminfo e/t\n",
				     &e),
			 0);
	f->w = (struct rewriter){&f->names, &f->rules};
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	names_done(&f->names);
	rules_done(&f->rules);
	free(f);
	return 0;
}

/* Rewrite one C string where it lies. */
static char *fixed(void **state, const char *text)
{
	static char data[512];
	struct fixture *f = *state;
	size_t n = strlen(text);

	memset(data, 'Z', sizeof(data));
	memcpy(data, text, n + 1);
	rewrite_fixed(&f->w, data, n + 1, NULL);
	assert_int_equal(strlen(data), n); /* the one thing that must never change */
	assert_int_equal(data[n + 1], 'Z');
	return data;
}

static void test_same_length(void **state)
{
	assert_string_equal(fixed(state, "/usr/bin/python3"), "/dev/p/b/python3");
	assert_string_equal(fixed(state, "/usr/lib/git-core"), "/dev/p/l/git-core");
	assert_string_equal(fixed(state, "/usr/share/terminfo"), "/dev/p///s/terminfo");
	assert_string_equal(fixed(state, "/usr/sbin/python3"), "/dev/p//b/python3");
}

static void test_only_what_the_kit_has(void **state)
{
	static const char *const stay[] = {
		"/usr/bin/perl",
		"/usr/bin",
		"/usr/bin/",
		"/usr/lib",
		"/usr/share/zoneinfo",
		"/usr/lib/debug/x",
		"/etc/passwd",
		"/usr",
		"/",
		"",
		"usr/bin/python3",
		"/usr/bin/python3x",
		"/var/lib/python3.11",
		"%s/usr/bin/python3",
		"$HOME/usr/bin/python3",
		"../usr/bin/python3",
		"x/usr/bin/python3",
		"/home/usr/bin/sh",
	};

	for (size_t i = 0; i < ARRAY_LEN(stay); i++)
		assert_string_equal(fixed(state, stay[i]), stay[i]);
}

static void test_files_of_a_directory_that_is_the_kits(void **state)
{
	assert_string_equal(fixed(state, "/usr/lib/python3.11/later.py"),
			    "/dev/p/l/python3.11/later.py");
	/* but a directory everybody has proves nothing */
	assert_string_equal(fixed(state, "/usr/lib/x86_64-linux-gnu/libnone.so"),
			    "/usr/lib/x86_64-linux-gnu/libnone.so");
}

static void test_lists(void **state)
{
	assert_string_equal(fixed(state, "/etc/magic:/usr/share/misc/magic"),
			    "/dev/p/e/m:/dev/p///s/misc/magic");
	assert_string_equal(fixed(state, "/etc/terminfo:/lib/terminfo:/usr/share/terminfo"),
			    "/dev/p////e/t:/dev/p////e/t:/dev/p///s/terminfo");
	assert_string_equal(fixed(state, "PATH=/usr/bin/python3 /usr/bin/perl"),
			    "PATH=/dev/p/b/python3 /usr/bin/perl");
}

static void test_patterns(void **state)
{
	assert_string_equal(fixed(state, "/usr/share/lua/5.3/?.lua;/usr/share/none/?.lua"),
			    "/dev/p///s/lua/5.3/?.lua;/usr/share/none/?.lua");
	assert_string_equal(fixed(state, "/usr/lib/git-core/%s"), "/dev/p/l/git-core/%s");
	assert_string_equal(fixed(state, "/usr/bin/%s"), "/usr/bin/%s");
	assert_string_equal(fixed(state, "/usr/local/lib/%s"), "/dev/p///u/lib/%s");
}

static void test_too_short_is_left_and_told(void **state)
{
	struct fixture *f = *state;
	struct rewrite_fars far = {};
	char data[] = "a\0/bin/sh\0x/bin/sh\0#!/bin/sh\0/bin/sh -c";

	assert_int_equal(rewrite_fixed(&f->w, data, sizeof(data), &far), 0);
	assert_string_equal(data + 2, "/bin/sh");
	assert_int_equal(far.n, 2); /* whole strings, and tails of others */
	assert_int_equal(far.v[0].off, 2);
	assert_int_equal(far.v[0].len, 7);
	assert_string_equal(far.v[0].path, "/dev/p/b/sh");
	assert_int_equal(far.v[1].off, 21);
	rewrite_fars_done(&far);
}

static void test_every_cut_of_a_buffer(void **state)
{
	static const char text[] = "/usr/bin/python3:/etc/magic:/usr/share/lua/5.3/?.lua";
	struct fixture *f = *state;

	/* exact allocations: a read beyond the end is found by the sanitizer */
	for (size_t n = 0; n <= sizeof(text); n++) {
		char *data = malloc(n ? n : 1);

		memcpy(data, text, n);
		rewrite_fixed(&f->w, data, n, NULL);
		free(data);
	}
}

static void test_exact(void **state)
{
	char data[] = "x\0~/.bashrc\0~/.bashrc2\0a~/.bashrc";

	(void)state;
	assert_int_equal(rewrite_exact(data, sizeof(data), "~/.bashrc", "rc"), 1);
	assert_memory_equal(data, "x\0/dev/p/rc\0~/.bashrc2\0a~/.bashrc", sizeof(data));
	assert_int_equal(rewrite_exact(data, sizeof(data), "~/.bashrc2", "-"), 1);
	assert_int_equal(data[12], 0);
	assert_int_equal(data[21], 0);
	assert_int_equal(rewrite_exact(data, sizeof(data), "x", "does-not-fit"), 0);
}

static void test_text_may_grow(void **state)
{
	static const char in[] = "#!/bin/sh\nexec /usr/bin/python3 \"$x/bin/sh\" /usr/bin/perl\n";
	struct fixture *f = *state;
	_cleanup_buf_ struct buf out = {};

	assert_int_equal(rewrite_text(&f->w, in, strlen(in), &out), 2);
	assert_string_equal(out.data,
			    "#!/dev/p/b/sh\nexec /dev/p/b/python3 \"$x/bin/sh\" /usr/bin/perl\n");
}

static void test_places(void **state)
{
	char out[NAMES_PATH_MAX];

	(void)state;
	assert_int_equal(names_place("/sbin/ip", 8, out), 4);
	assert_string_equal(out, "b/ip");
	names_place("/lib/terminfo/x/xterm", 21, out);
	assert_string_equal(out, "s/terminfo/x/xterm");
	names_place("/usr/libexec/a", 14, out);
	assert_string_equal(out, "x/a");
	names_place("/usr/lib", 8, out);
	assert_string_equal(out, "l");
	assert_int_equal(names_place("/var/lib/x", 10, out), 0);
	assert_int_equal(names_place("/usr/libx/y", 11, out), 0);
}

static void test_relative_links(void **state)
{
	static const char *const t[][3] = {
		{"b/vi", "b/vim", "vim"},
		{"b/psql", "l/postgresql/15/bin/psql", "../l/postgresql/15/bin/psql"},
		{"l/x/a.so", "ld.so", "../../ld.so"},
		{"l/x/a", "l/xy/b", "../xy/b"},
		{"rc", "s/porthole/bashrc", "s/porthole/bashrc"},
	};
	char out[NAMES_PATH_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		assert_int_equal(names_relative(t[i][0], t[i][1], out), 0);
		assert_string_equal(out, t[i][2]);
	}
}

static void test_join_stays_inside(void **state)
{
	static const char *const t[][3] = {
		{"/usr/bin", "../lib/x", "/usr/lib/x"},
		{"/a", "../../../../etc/x", "/etc/x"},
		{NULL, "/a//b/./c/..", "/a/b"},
		{"/a", "..", "/"},
	};
	char out[NAMES_PATH_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		assert_int_equal(names_join(t[i][0], t[i][1], out), 0);
		assert_string_equal(out, t[i][2]);
	}
}

static void test_rules(void **state)
{
	static const char *const bad[] = {
		"Bash\n",	    "drop\n",	   "drop a b\n",	 "link /abs b/x\n",
		"link b/x ../y\n",  "file ../x\n", "\x7f\x45\x4c\x46\n", "a\n",
		"bash; rm -rf /\n", "exact a b\n",
	};
	struct rules r = {};
	struct err e;

	(void)state;
	assert_int_equal(
		rules_parse(&r, "t",
			    "# x\nbash\n-perl\nbash\n?ltrace\n\nfile e/x\n\tone\n\n\ttwo\nvim\n"
			    "subst b/x a\\sb c\n",
			    &e),
		0);
	assert_int_equal(r.packages.n, 3);
	assert_int_equal(r.optional.n, 1);
	assert_true(strv_has(&r.packages, "ltrace") && strv_has(&r.optional, "ltrace"));
	assert_true(strv_has(&r.without, "perl"));
	assert_int_equal(r.n_files, 1);
	assert_string_equal(r.files[0].text.data, "one\ntwo\n");
	assert_string_equal(r.subst.v[0].from, "a b");
	rules_done(&r);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		memset(&e, 0, sizeof(e));
		assert_int_equal(rules_parse(&r, "list", bad[i], &e), -EINVAL);
		assert_non_null(strstr(e.msg, "list, line 1"));
		rules_done(&r);
	}
}

static void test_the_lists_compiled_in(void **state)
{
	struct rules r = {};
	struct err e = {};

	(void)state;
	assert_int_equal(rules_parse(&r, "rules", rules_text_base, &e), 0);
	assert_int_equal(rules_parse(&r, "default", rules_text_default, &e), 0);
	assert_true(strv_has(&r.packages, "gdb"));
	/* a new name must fit into the old one's place */
	for (size_t i = 0; i < r.strings.n; i++) {
		char out[NAMES_PATH_MAX];
		bool fits = rewrite_pad(r.strings.v[i].to, strlen(r.strings.v[i].from), out);

		if (!fits)
			print_message("%s does not fit\n", r.strings.v[i].from);
		assert_true(fits);
	}
	rules_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_same_length, setup, teardown),
		cmocka_unit_test_setup_teardown(test_only_what_the_kit_has, setup, teardown),
		cmocka_unit_test_setup_teardown(test_files_of_a_directory_that_is_the_kits, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_lists, setup, teardown),
		cmocka_unit_test_setup_teardown(test_patterns, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_short_is_left_and_told, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_cut_of_a_buffer, setup, teardown),
		cmocka_unit_test(test_exact),
		cmocka_unit_test_setup_teardown(test_text_may_grow, setup, teardown),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_relative_links),
		cmocka_unit_test(test_join_stays_inside),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_the_lists_compiled_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Lines of engines, taken apart and never evaluated; what they grant; profiles as people write
 * them. */
#include "profile/profile.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "sys/caps.h"

/* --- words --- */

static const struct {
	const char *line;
	const char *words; /* with | between; NULL: refused */
	const char *rest;
} lines[] = {
	{"docker run  -it\tweb", "docker|run|-it|web", NULL},
	{"a 'b c' \"d e\" f\\ g", "a|b c|d e|f g", NULL},
	{"a ''", "a|", NULL},
	{"a'b'\"c\"d", "abcd", NULL},
	{"a \\\n b", "a|b", NULL},
	{"a # b c", "a", NULL},
	{"a#b", "a#b", NULL},
	{"a \"\\$x \\` \\\\\"", "a|$x ` \\", NULL},
	{"a $(rm -rf /) `id` ${X:-y z} $HOME", "a|$(rm -rf /)|`id`|${X:-y z}|$HOME", NULL},
	{"a $(echo $(id)) b", "a|$(echo $(id))|b", NULL},
	{"docker run web | tee log", "docker|run|web", "| tee log"},
	{"docker run web; rm -rf /", "docker|run|web", "; rm -rf /"},
	{"", "", NULL},
	{"a 'b", NULL, NULL},
	{"a \"b", NULL, NULL},
	{"a $(b", NULL, NULL},
	{"a `b", NULL, NULL},
	{"a ${b", NULL, NULL},
};

static void joined(const struct strv *v, const char *want)
{
	_cleanup_buf_ struct buf b = {};

	for (size_t i = 0; i < v->n; i++)
		buf_printf(&b, "%s%s", i ? "|" : "", v->v[i]);
	assert_string_equal(b.data ? b.data : "", want);
}

static void test_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		_cleanup_words_ struct words w = {};
		struct err e = {};
		int r = words_split(lines[i].line, &w, &e);

		if (!lines[i].words) {
			assert_int_equal(r, -EINVAL);
			assert_true(e.msg[0]);
			continue;
		}
		assert_int_equal(r, 0);
		joined(&w.w, lines[i].words);
		if (lines[i].rest)
			assert_string_equal(w.rest, lines[i].rest);
		else
			assert_null(w.rest);
	}
}

static void test_words_bounded(void **state)
{
	_cleanup_words_ struct words many = {}, longer = {};
	_cleanup_free_ char *a = calloc(1, 2 * (WORDS_MAX + 2)), *b = NULL;
	struct err e = {};

	(void)state;
	b = calloc(1, WORDS_LINE_MAX + 2);
	assert_non_null(a);
	assert_non_null(b);
	for (size_t i = 0; i <= WORDS_MAX; i++)
		memcpy(a + 2 * i, "x ", 2);
	assert_int_equal(words_split(a, &many, &e), -E2BIG);
	memset(b, 'x', WORDS_LINE_MAX + 1);
	assert_int_equal(words_split(b, &longer, &e), -E2BIG);
}

/* --- lines --- */

static int grants(const char *line, struct grants *g, struct err *e)
{
	_cleanup_words_ struct words w = {};
	int r = words_split(line, &w, e);

	return r < 0 ? r : grants_of_line(&w.w, g, e);
}

static void test_docker(void **state)
{
	_cleanup_grants_ struct grants g = {};
	struct err e = {};

	(void)state;
	assert_int_equal(
		grants("sudo A=1 docker run -itd --rm --pid=host --net host -v /proc:/host/proc:ro "
		       "-v data:/data --cap-add SYS_PTRACE --cap-drop=chown -eX=1 --user 7 "
		       "--security-opt seccomp=unconfined image:1 cmd --pid x",
		       &g, &e),
		0);
	assert_int_equal(g.tool, TOOL_DOCKER);
	assert_false(g.privileged);
	assert_int_equal(g.host_ns & (CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC),
			 CLONE_NEWPID | CLONE_NEWNET);
	assert_int_equal(g.n_mounts, 2);
	assert_string_equal(g.mounts[0].host, "/proc");
	assert_string_equal(g.mounts[0].inside, "/host/proc");
	assert_true(g.mounts[0].ro);
	assert_false(g.mounts[0].volume);
	assert_true(g.mounts[1].volume);
	assert_true(g.caps & CAPS_BIT(19));
	assert_false(g.caps & CAPS_BIT(0));
	assert_true(g.seccomp_off);
	assert_string_equal(g.image, "image:1");
	assert_string_equal(g.user, "7");
	joined(&g.cmd, "cmd|--pid|x");
	joined(&g.unknown, "");
}

static void test_privileged_and_unknown(void **state)
{
	_cleanup_grants_ struct grants g = {};
	struct err e = {};

	(void)state;
	assert_int_equal(grants("podman run --privileged --frobnicate=9 img", &g, &e), 0);
	assert_int_equal(g.tool, TOOL_PODMAN);
	assert_true(g.privileged);
	assert_int_equal(g.unknown.n, 1);
	assert_string_equal(g.image, "img");
}

static void test_other_tools(void **state)
{
	_cleanup_grants_ struct grants n = {}, b = {};
	struct err e = {};

	(void)state;
	assert_int_equal(
		grants("systemd-nspawn --directory=/d --capability=all --bind-ro=/usr:/m/usr sh",
		       &n, &e),
		0);
	assert_int_equal(n.tool, TOOL_NSPAWN);
	assert_int_equal(n.n_mounts, 1);
	assert_true(n.mounts[0].ro);
	assert_string_equal(n.mounts[0].inside, "/m/usr");
	assert_int_equal(
		grants("bwrap --ro-bind /usr /usr --bind /tmp /tmp --unshare-pid sh", &b, &e), 0);
	assert_int_equal(b.tool, TOOL_BWRAP);
	assert_int_equal(b.n_mounts, 2);
	assert_true(b.mounts[0].ro);
	assert_false(b.mounts[1].ro);
	assert_false(b.host_ns & CLONE_NEWPID);
	assert_true(b.host_ns & CLONE_NEWNET);
}

static void test_no_line(void **state)
{
	static const char *const bad[] = {"",	       "ls -la",	"docker",
					  "docker ps", "docker run -v", "sudo"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		_cleanup_grants_ struct grants g = {};
		struct err e = {};

		assert_int_equal(grants(bad[i], &g, &e), -EINVAL);
		assert_true(e.msg[0]);
	}
}

/* --- profiles --- */

static void test_profile(void **state)
{
	_cleanup_profile_ struct profile p = {};
	struct err e = {};

	(void)state;
	assert_int_equal(
		profile_parse("mine", "f",
			      "# comment\nsummary = what for\nshare = pid net\n"
			      "caps = docker,sys_ptrace\nmount = / /host ro rslave\n"
			      "mount = /a /b rw optional\nenv = A=b c\nmask = /proc/kcore\n",
			      &p, &e),
		0);
	assert_string_equal(p.name, "mine");
	assert_string_equal(p.summary, "what for");
	assert_int_equal(p.g.host_ns, CLONE_NEWPID | CLONE_NEWNET);
	assert_true(p.g.caps == (CAPS_DOCKER | CAPS_BIT(19)));
	assert_int_equal(p.g.n_mounts, 2);
	assert_true(p.g.mounts[0].ro && !p.g.mounts[0].optional);
	assert_true(!p.g.mounts[1].ro && p.g.mounts[1].optional);
	joined(&p.g.env, "A=b c");
	joined(&p.g.masks, "/proc/kcore");
}

static void test_profile_bad(void **state)
{
	static const char *const bad[] = {
		"frob = 1\n",	       "share = moon\n",    "caps = nonsense\n",  "mount = /a\n",
		"mount = a /b ro\n",   "mount = /a b ro\n", "mount = /a /b rx\n", "summary\n",
		"seccomp = perhaps\n", "devices = some\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		_cleanup_profile_ struct profile p = {};
		_cleanup_free_ char *text = str_fmt("summary = x\n%s", bad[i]);
		struct err e = {};

		assert_int_equal(profile_parse("mine", "file", text, &p, &e), -EINVAL);
		if (!strstr(e.msg, "2"))
			fail_msg("no line in: %s", e.msg);
	}
}

/* Each that comes with Porthole is one; a name nearly right is told. */
static void test_profiles_of_ours(void **state)
{
	_cleanup_strv_ struct strv names = {};
	_cleanup_profile_ struct profile none = {};
	struct err e = {};

	(void)state;
	assert_int_equal(profile_names(&names), 0);
	assert_true(names.n >= 10);
	for (size_t i = 0; i < names.n; i++) {
		_cleanup_profile_ struct profile p = {};

		assert_int_equal(profile_find(names.v[i], &p, &e), 0);
		assert_true(p.summary && *p.summary);
	}
	assert_int_equal(profile_find("monitro", &none, &e), -ENOENT);
	assert_non_null(strstr(e.hint, "monitor"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_words_bounded),
		cmocka_unit_test(test_docker),
		cmocka_unit_test(test_privileged_and_unknown),
		cmocka_unit_test(test_other_tools),
		cmocka_unit_test(test_no_line),
		cmocka_unit_test(test_profile),
		cmocka_unit_test(test_profile_bad),
		cmocka_unit_test(test_profiles_of_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

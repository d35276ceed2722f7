/* sys/caps: names, lists and words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <linux/capability.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "sys/caps.h"

#define ALL ((UINT64_C(1) << 41) - 1)

static void test_names(void **state)
{
	char out[CAPS_NAME_MAX];

	(void)state;
	assert_int_equal(caps_number("CAP_SYS_ADMIN"), CAP_SYS_ADMIN);
	assert_int_equal(caps_number("sys_ptrace"), CAP_SYS_PTRACE);
	assert_int_equal(caps_number("Cap_Net_Raw"), CAP_NET_RAW);
	assert_int_equal(caps_number("mknod"), CAP_MKNOD);
	assert_int_equal(caps_number("audit_read"), CAP_AUDIT_READ);
	assert_int_equal(caps_number("checkpoint_restore"), CAP_CHECKPOINT_RESTORE);
	assert_int_equal(caps_number("cap_45"), 45);
	assert_int_equal(caps_number("45"), -EINVAL);
	assert_int_equal(caps_number("cap_64"), -EINVAL);
	assert_int_equal(caps_number("cap_"), -EINVAL);
	assert_int_equal(caps_number(""), -EINVAL);
	assert_string_equal(caps_name(CAP_SYS_TTY_CONFIG, out), "sys_tty_config");
	assert_string_equal(caps_name(63, out), "cap_63");
	for (unsigned n = 0; n < 64; n++) {
		char cap[CAPS_NAME_MAX + 8] = "CAP_";

		strcat(cap, caps_name(n, out));
		assert_int_equal(caps_number(n > 40 ? out : cap), n);
	}
}

static void test_parse(void **state)
{
	struct err e = {};
	uint64_t m;

	(void)state;
	assert_int_equal(caps_parse("net_admin,CAP_SYS_PTRACE", &m, &e), 0);
	assert_int_equal(m, CAPS_BIT(CAP_NET_ADMIN) | CAPS_BIT(CAP_SYS_PTRACE));
	assert_int_equal(caps_parse("ALL", &m, &e), 0);
	assert_int_equal(m, caps_all());
	assert_int_equal(caps_parse("all,-sys_module, -cap_bpf", &m, &e), 0);
	assert_int_equal(m, caps_all() & ~CAPS_BIT(CAP_SYS_MODULE) & ~CAPS_BIT(CAP_BPF));
	assert_int_equal(caps_parse("none", &m, &e), 0);
	assert_int_equal(m, 0);

	m = 7;
	assert_int_equal(caps_parse("sys_admim", &m, &e), -EINVAL);
	assert_non_null(strstr(e.hint, "sys_admin"));
	assert_int_equal(caps_parse("a\033[2J", &m, &e), -EINVAL);
	assert_null(strchr(e.msg, '\033'));
	assert_int_equal(caps_parse("", &m, &e), -EINVAL);
	assert_int_equal(caps_parse(",,", &m, &e), -EINVAL);
	assert_int_equal(m, 7); /* untouched by failures */
}

static void expect_words(uint64_t mask, const char *want)
{
	_cleanup_free_ char *words = caps_words(mask, ALL);

	assert_string_equal(words, want);
}

static void test_words(void **state)
{
	_cleanup_free_ char *list = caps_list(CAPS_BIT(CAP_CHOWN) | CAPS_BIT(CAP_BPF));

	(void)state;
	assert_int_equal(__builtin_popcountll(CAPS_DOCKER), 14);
	assert_int_equal(__builtin_popcountll(CAPS_PODMAN), 11);
	assert_int_equal(CAPS_DOCKER & ~CAPS_PODMAN,
			 CAPS_BIT(CAP_NET_RAW) | CAPS_BIT(CAP_MKNOD) | CAPS_BIT(CAP_AUDIT_WRITE));
	assert_string_equal(list, "chown,bpf");
	expect_words(0, "none");
	expect_words(ALL, "all");
	expect_words(UINT64_MAX, "all");
	expect_words(ALL & ~CAPS_BIT(CAP_SYS_RESOURCE), "all but sys_resource");
	expect_words(CAPS_DOCKER, "docker's default 14");
	expect_words(CAPS_PODMAN, "podman's default 11");
	expect_words(CAPS_DOCKER | CAPS_BIT(CAP_SYS_PTRACE), "docker's default 14 and sys_ptrace");
	expect_words(CAPS_BIT(CAP_CHOWN) | CAPS_BIT(CAP_KILL), "chown, kill");
}

static void test_kernel(void **state)
{
	(void)state;
	assert_in_range(caps_last(), 35, 63);
	assert_int_equal(caps_bounding() & ~caps_all(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

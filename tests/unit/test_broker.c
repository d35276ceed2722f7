/* launch/broker and rules: commands that are asked for, and what they are given; what may not be
 * run. */
#include <sys/stat.h>

#include "base/fd.h"
#include "broker_run.h"

/* --- what a command is given --- */

static void test_exit_codes(void **state)
{
	(void)state;
	start();
	CALL("true");
	assert_int_equal(got.code, 0);
	CALL("sh", "-c", "exit 42");
	assert_int_equal(got.code, 42);
	CALL("sh", "-c", "kill -9 $$");
	assert_int_equal(got.code, 128 + SIGKILL);
	CALL("/nonexistent/x");
	assert_int_equal(got.code, -ENOENT);
	assert_int_equal(got.e.exit, EXIT_NOT_FOUND);
	assert_non_null(strstr(got.e.msg, "the host"));
	CALL("/etc");
	assert_int_equal(got.e.exit, EXIT_CANNOT_RUN);
	CALL("echo", "a  b", "", "*", "\n");
	assert_string_equal(got.out, "a  b  * \n\n");
}

static void test_environment(void **state)
{
	struct hostcall c = {.cwd = "/"};

	(void)state;
	setenv("SECRET_OF_OURS", "x", 1);
	setenv("TERM", "vt100", 1);
	start();
	CALL("env");
	assert_non_null(strstr(got.out, "TERM=vt100\n"));
	assert_non_null(strstr(got.out, "HOME=/root\n"));
	assert_non_null(strstr(got.out, "PATH="));
	assert_null(strstr(got.out, "SECRET_OF_OURS"));
	strv_add(&c.env, "A=b=c");
	strv_add(&c.env, "HOME=/x");
	call_as(0, c, WORDS("env"));
	assert_non_null(strstr(got.out, "A=b=c\n"));
	assert_non_null(strstr(got.out, "HOME=/x\n"));
	assert_null(strstr(got.out, "HOME=/root"));
	strv_done(&c.env);
}

static void test_directory(void **state)
{
	(void)state;
	start();
	call_as(0, (struct hostcall){.cwd = "/usr/bin"}, WORDS("pwd"));
	assert_string_equal(got.out, "/usr/bin\n");
	call_as(0, (struct hostcall){.cwd = "/no/such"}, WORDS("pwd"));
	assert_string_equal(got.out, "/\n");
	assert_non_null(strstr(got.note, "/no/such"));
	call_as(0, (struct hostcall){.cwd = "/no/such", .cwd_asked = true}, WORDS("pwd"));
	assert_int_equal(got.e.exit, EXIT_CANNOT_RUN);
}

static void test_users(void **state)
{
	(void)state;
	start();
	call_as(0, (struct hostcall){.user = "nobody"}, WORDS("id", "-un"));
	assert_string_equal(got.out, "nobody\n");
	call_as(0, (struct hostcall){.user = "no-such-user"}, WORDS("id", "-un"));
	assert_true(got.code < 0);
	/* who is not root is on the host who he is, and has none of its groups */
	call_as(65534, (struct hostcall){.cwd = "/"}, WORDS("id"));
	assert_non_null(strstr(got.out, "uid=65534"));
	assert_null(strstr(got.out, ","));
	call_as(65534, (struct hostcall){.user = "root"}, WORDS("id"));
	assert_int_equal(got.code, -EPERM);
	call_as(12345, (struct hostcall){.user = "0:0"}, WORDS("id"));
	assert_int_equal(got.code, -EPERM);
	call_as(12345, (struct hostcall){.user = "12345:0"}, WORDS("id"));
	assert_int_equal(got.code, -EPERM);
	call_as(12345, (struct hostcall){.cwd = "/"}, WORDS("id"));
	assert_non_null(strstr(got.out, "uid=12345 gid=12345"));
	call_as(12345, (struct hostcall){.with_tools = true}, WORDS("id"));
	assert_int_equal(got.code, -EPERM);
}

/* --- rules --- */

static void refused(void)
{
	assert_int_equal(got.code, -EPERM);
	assert_int_equal(got.e.exit, EXIT_CANNOT_RUN);
}

static void test_allow(void **state)
{
	struct hostcall c = {.cwd = "/"};
	char link[64], hard[64];

	(void)state;
	strv_add(&rules.allow, "echo");
	strv_add(&rules.allow, "id -u *");
	strv_add(&rules.allow, "stat -c %s /etc/host?ame");
	start();
	CALL("echo", "yes");
	assert_string_equal(got.out, "yes\n");
	CALL("/bin/echo", "yes");
	CALL("id", "-u");
	assert_int_equal(got.code, 0);
	CALL("id", "-u", "nobody");
	assert_int_equal(got.code, 0);
	CALL("id");
	refused();
	CALL("id", "-g");
	refused();
	CALL("stat", "-c", "%s", "/etc/hostname");
	assert_int_equal(got.code, 0);
	CALL("stat", "-c", "%s", "/etc/hostname", "/etc/shadow");
	refused();
	/* by other names */
	CALL("sh", "-c", "echo no");
	refused();
	CALL("env", "echo", "no");
	refused();
	CALL("/lib64/ld-linux-x86-64.so.2", "/bin/echo", "no");
	refused();
	CALL("");
	assert_int_equal(got.e.exit, EXIT_NOT_FOUND);
	CALL("/usr/bin/");
	assert_int_equal(got.e.exit, EXIT_NOT_FOUND);
	snprintf(link, sizeof(link), "%s/echo", dir);
	assert_int_equal(symlink("/bin/sh", link), 0);
	CALL(link, "-c", "echo no");
	refused();
	call_as(0, (struct hostcall){.cwd = dir}, WORDS("./echo", "-c", "echo no"));
	assert_true(got.code < 0);
	snprintf(hard, sizeof(hard), "%s/rm", dir);
	assert_int_equal(symlink("/bin/echo", hard), 0);
	CALL(hard, "no");
	refused();
	/* what makes an allowed program do something else */
	strv_add(&c.env, "LD_PRELOAD=/tmp/x.so");
	call_as(0, c, WORDS("echo"));
	refused();
	strv_done(&c.env);
	strv_add(&c.env, "PATH=/tmp");
	call_as(0, c, WORDS("echo"));
	refused();
	strv_done(&c.env);
	strv_add(&c.env, "LANG=../../tmp/x");
	call_as(0, c, WORDS("echo"));
	refused();
	strv_done(&c.env);
	strv_add(&c.env, "TERM");
	call_as(0, c, WORDS("echo"));
	assert_int_equal(got.code, -EINVAL);
	strv_done(&c.env);
	call_as(0, (struct hostcall){.cwd = "/tmp", .cwd_asked = true}, WORDS("echo"));
	refused();
	call_as(0, (struct hostcall){.with_tools = true}, WORDS("echo"));
	refused();
}

static void test_deny(void **state)
{
	char name[64];

	(void)state;
	strv_add(&rules.deny, "cat");
	strv_add(&rules.deny, "id -g *");
	strv_add(&rules.ask, "head");
	start();
	CALL("echo", "yes");
	assert_int_equal(got.code, 0);
	CALL("cat", "/etc/hostname");
	refused();
	assert_non_null(strstr(got.e.msg, "--deny"));
	CALL("/usr/../bin/cat", "/etc/hostname");
	refused();
	call_as(0, (struct hostcall){.cwd = "/bin"}, WORDS("./cat", "/etc/hostname"));
	refused();
	snprintf(name, sizeof(name), "%s/dog", dir);
	assert_int_equal(symlink("/bin/cat", name), 0);
	CALL(name, "/etc/hostname");
	refused();
	snprintf(name, sizeof(name), "%s/cow", dir);
	if (link("/bin/cat", name) == 0) {
		CALL(name, "/etc/hostname");
		refused();
	}
	CALL("id", "-u");
	assert_int_equal(got.code, 0);
	CALL("id", "-g", "root");
	refused();
	/* there is nobody to ask */
	CALL("head", "/etc/hostname");
	refused();
	assert_non_null(strstr(got.e.msg, "terminal"));
}

/* A program that is many, by its name: what is allowed is one of them. */
static void test_many_in_one(void **state)
{
	struct rules r = {};
	_cleanup_rules_program_ struct rules_program ls = {}, rm = {}, box = {};
	_cleanup_strv_ struct strv argv = {};
	char a[80], l[80], m[80];
	const char *why;

	(void)state;
	snprintf(a, sizeof(a), "%s/busybox", dir);
	snprintf(l, sizeof(l), "%s/ls", dir);
	snprintf(m, sizeof(m), "%s/rm", dir);
	close(open(a, O_CREAT | O_WRONLY | O_CLOEXEC, 0755));
	assert_int_equal(symlink("busybox", l), 0);
	assert_int_equal(symlink("busybox", m), 0);
	strv_add(&argv, "x");
	strv_add(&r.allow, "ls");
	assert_int_equal(rules_find("ls", dir, &ls), 0);
	assert_int_equal(rules_find("rm", dir, &rm), 0);
	assert_int_equal(rules_find(a, dir, &box), 0);
	assert_int_equal(rules_decide(&r, &ls, dir, &argv, &why), RULES_RUN);
	assert_int_equal(rules_decide(&r, &rm, dir, &argv, &why), RULES_REFUSE);
	assert_int_equal(rules_decide(&r, &box, dir, &argv, &why), RULES_REFUSE);
	strv_done(&r.allow);
	strv_add(&r.allow, "l*");
	assert_int_equal(rules_decide(&r, &ls, dir, &argv, &why), RULES_RUN);
	assert_int_equal(rules_decide(&r, &rm, dir, &argv, &why), RULES_REFUSE);
	strv_done(&r.allow);
	strv_add(&r.deny, "rm");
	assert_int_equal(rules_decide(&r, &rm, dir, &argv, &why), RULES_REFUSE);
	assert_int_equal(rules_decide(&r, &box, dir, &argv, &why), RULES_REFUSE);
	strv_done(&r.deny);
}

static void test_patterns(void **state)
{
	struct rules r = {};
	struct err e = {};

	(void)state;
	assert_int_equal(rules_check(&r, &e), 0);
	assert_false(rules_narrow(&r));
	strv_add(&r.ask, "  ");
	assert_int_equal(rules_check(&r, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "--ask"));
	strv_done(&r.ask);
}

/* --- the log --- */

static void test_log(void **state)
{
	char file[64];
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int log = -EBADF;

	(void)state;
	snprintf(file, sizeof(file), "%s/log", dir);
	log = open(file, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
	strv_add(&rules.deny, "cat");
	start_with(log, 0);
	CALL("sh", "-c", "exit 7", "\033[2J\xff\n");
	CALL("cat");
	assert_int_equal(file_read_at(AT_FDCWD, file, 65536, &text, NULL), 0);
	assert_non_null(strstr(text, "\"event\":\"start\""));
	assert_non_null(strstr(text, "\"exit 7\""));
	assert_non_null(strstr(text, "\"exit\":7"));
	assert_non_null(strstr(text, "\"event\":\"refused\""));
	assert_null(strchr(text, '\033'));
	assert_null(strchr(text, '\xff'));
	assert_non_null(strstr(text, "\"uid\":0"));
}

static void test_log_full(void **state)
{
	_cleanup_close_ int log = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	start_with(log, 0);
	CALL("echo", "no");
	assert_int_equal(got.code, -ENOSPC);
	assert_string_equal(got.out, "");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_exit_codes), T(test_environment), T(test_directory),   T(test_users),
		T(test_allow),	    T(test_deny),	 T(test_many_in_one), T(test_patterns),
		T(test_log),	    T(test_log_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

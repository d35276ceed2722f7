/* session/env: a target's environment as hostile containers may have it, and what is asked for on
 * top. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "session/plan.h"

static char dir[] = "/tmp/porthole-test.XXXXXX";
static char file[64];

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(file, sizeof(file), "%s/env", dir);
	return 0;
}

static int teardown(void **state)
{
	_cleanup_close_ int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	unlinkat(fd, "environ", 0);
	unlinkat(fd, "env", 0);
	return rmdir(dir);
}

static void put(const char *name, const void *data, size_t len)
{
	_cleanup_close_ int d = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int f = openat(d, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(f >= 0);
	assert_int_equal(fd_write_all(f, data, len), 0);
}

/* The plan's environment for a target with these bytes in /proc/PID/environ. */
static int plan_of(struct plan *p, const struct request *req, const void *data, size_t len,
		   struct err *e)
{
	struct target t = TARGET_INIT;
	_cleanup_close_ int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	put("environ", data, len);
	*p = PLAN_INIT;
	t.proc_fd = fd;
	p->target = &t;
	p->label = strdup("web");
	p->view = VIEW_LIVE;
	p->ns_join = CLONE_NEWNS;
	p->kit.kind = KIT_IMAGE;
	r = plan_env(p, req, e);
	p->target = NULL;
	return r;
}

/* The value of a variable that must be there once; NULL: it is not there. */
static const char *value(const struct plan *p, const char *name)
{
	const char *found = NULL;
	size_t n = strlen(name);

	for (size_t i = 0; i < p->env.n; i++) {
		if (strncmp(p->env.v[i], name, n) != 0 || p->env.v[i][n] != '=')
			continue;
		assert_null(found);
		found = p->env.v[i] + n + 1;
	}
	return found;
}

static bool dropped(const struct plan *p, const char *name)
{
	for (size_t i = 0; i < p->env_dropped.n; i++)
		if (str_eq(p->env_dropped.v[i], name))
			return true;
	return false;
}

static void test_hostile_names(void **state)
{
	static const char *const bad[] = {"LD_PRELOAD",
					  "LD_LIBRARY_PATH",
					  "BASH_ENV",
					  "ENV",
					  "BASH_FUNC_ls%%",
					  "PROMPT_COMMAND",
					  "PS1",
					  "PS4",
					  "IFS",
					  "GCONV_PATH",
					  "GLIBC_TUNABLES",
					  "TERMINFO",
					  "PYTHONPATH",
					  "PERL5OPT",
					  "GIT_DIR",
					  "LESSOPEN",
					  "PAGER",
					  "EDITOR",
					  "SHELLOPTS",
					  "GDBHISTFILE",
					  "PORTHOLE_PS1"};
	static const char *const good[] = {"LDAP",	 "ENVIRONMENT", "BASH",	  "PS12",
					   "IFSX",	 "MOREOVER",	"PAGERS", "APP_LD_PRELOAD",
					   "ld_preload", "LANG"};
	_cleanup_plan_ struct plan p = PLAN_INIT;
	_cleanup_buf_ struct buf b = {};
	struct request req = {};
	struct err e = {};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		buf_printf(&b, "%s=/evil%c", bad[i], 0);
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		buf_printf(&b, "%s=good%c", good[i], 0);
	assert_int_equal(plan_of(&p, &req, b.data, b.len, &e), 0);
	for (size_t i = 0; i < p.env.n; i++)
		assert_null(strstr(p.env.v[i], "/evil"));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_true(dropped(&p, bad[i]));
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_string_equal(value(&p, good[i]), "good");
	assert_int_equal(p.env_dropped.n, ARRAY_LEN(bad));
}

/* Twice the same name, none at all, no value, no end. */
static void test_malformed(void **state)
{
	static const char env[] =
		"A=first\0PATH=/theirs\0\0\0A=second\0PATH=/evil\0NOVALUE\0=x\0==\0"
		"EMPTY=\0AB=longer\0HISTFILE=/root/h\0A=third\0LAST=end";
	_cleanup_plan_ struct plan p = PLAN_INIT;
	struct request req = {};
	struct err e = {};

	(void)state;
	assert_int_equal(plan_of(&p, &req, env, sizeof(env) - 1, &e), 0);
	assert_string_equal(value(&p, "A"), "first");
	assert_string_equal(value(&p, "AB"), "longer");
	assert_string_equal(value(&p, "EMPTY"), "");
	assert_string_equal(value(&p, "LAST"), "end");
	assert_string_equal(value(&p, "PATH"), KIT_BIN ":/theirs");
	assert_string_equal(p.path, KIT_BIN ":/theirs");
	assert_string_equal(value(&p, "HISTFILE"), "/dev/null");
	for (size_t i = 0; i < p.env.n; i++) {
		assert_true(p.env.v[i][0] != '=' && strchr(p.env.v[i], '='));
		assert_true(strncmp(p.env.v[i], "NOVALUE", 7) != 0);
	}
}

static void add_big(struct buf *b, const char *name, size_t size)
{
	buf_printf(b, "%s=", name);
	for (size_t i = 0; i < size; i++)
		buf_putc(b, 'x');
	buf_putc(b, '\0');
}

static void test_huge(void **state)
{
	_cleanup_plan_ struct plan p = PLAN_INIT;
	_cleanup_buf_ struct buf b = {};
	struct request req = {};
	struct err e = {};
	char cut[65];

	(void)state;
	add_big(&b, "TWO_MB", 2 << 20);
	add_big(&b, "TOO_BIG", 128 << 10);
	add_big(&b, "FITS", 100 << 10);
	for (int i = 0; i < 300; i++)
		buf_putc(&b, 'n');
	add_big(&b, "", 128 << 10);
	assert_int_equal(plan_of(&p, &req, b.data, b.len, &e), 0);
	assert_int_equal(strlen(value(&p, "FITS")), 100 << 10);
	assert_null(value(&p, "TWO_MB"));
	assert_true(dropped(&p, "TWO_MB") && dropped(&p, "TOO_BIG"));
	memset(cut, 'n', 64);
	cut[64] = '\0';
	assert_true(dropped(&p, cut));
	assert_int_equal(p.env_dropped.n, 3);
}

/* What execve(2) takes is not exceeded, and what is over 4 MiB is not read. */
static void test_sum(void **state)
{
	_cleanup_plan_ struct plan p = PLAN_INIT, all = PLAN_INIT;
	_cleanup_buf_ struct buf b = {};
	struct request req = {};
	struct err e = {};
	size_t sum = 0;
	char name[8];

	(void)state;
	for (int i = 0; i < 38; i++) {
		snprintf(name, sizeof(name), "V%d", i);
		add_big(&b, name, 100 << 10);
	}
	assert_int_equal(plan_of(&p, &req, b.data, b.len, &e), 0);
	for (size_t i = 0; i < p.env.n; i++)
		sum += strlen(p.env.v[i]) + 1 + sizeof(char *);
	assert_true(sum < (size_t)sysconf(_SC_ARG_MAX));
	assert_true(p.env_dropped.n > 0 && p.env_dropped.n < 38);
	add_big(&b, "MORE", 1 << 20);
	assert_int_equal(plan_of(&all, &req, b.data, b.len, &e), 0);
	assert_int_equal(all.env_dropped.n, 1);
	assert_non_null(strstr(all.env_dropped.v[0], "over 4 MiB"));
	assert_null(value(&all, "V0"));
	assert_true(strncmp(value(&all, "PATH"), KIT_BIN ":", strlen(KIT_BIN ":")) == 0);
}

static int asked(struct plan *p, const char *var, struct err *e)
{
	struct request req = {};
	int r;

	*e = (struct err){};
	strv_add(&req.env, var);
	r = plan_of(p, &req, "A=theirs", 8, e);
	strv_done(&req.env);
	return r;
}

static void test_asked(void **state)
{
	static const char *const refused[] = {"", "=", "=x"};
	struct plan p;
	struct err e;

	(void)state;
	setenv("PT_OURS", "ours", 1);
	unsetenv("PT_NONE");
	assert_int_equal(asked(&p, "A=mine=1", &e), 0);
	assert_string_equal(value(&p, "A"), "mine=1");
	plan_done(&p);
	assert_int_equal(asked(&p, "LD_PRELOAD=/mine", &e), 0); /* who asks for it gets it */
	assert_string_equal(value(&p, "LD_PRELOAD"), "/mine");
	plan_done(&p);
	assert_int_equal(asked(&p, "PT_OURS", &e), 0);
	assert_string_equal(value(&p, "PT_OURS"), "ours");
	plan_done(&p);
	assert_int_equal(asked(&p, "PT_NONE", &e), 0);
	assert_null(value(&p, "PT_NONE"));
	plan_done(&p);
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		assert_int_equal(asked(&p, refused[i], &e), -EINVAL);
		assert_non_null(strstr(e.msg, "NAME=VALUE"));
		plan_done(&p);
	}
}

static int from_file(struct plan *p, const char *data, size_t len, struct err *e)
{
	struct request req = {};
	int r;

	*e = (struct err){};
	if (data)
		put("env", data, len);
	strv_add(&req.env_files, file);
	r = plan_of(p, &req, "A=theirs", 8, e);
	strv_done(&req.env_files);
	return r;
}

static void refused_file(const char *data, size_t len, int num, const char *words)
{
	struct plan p;
	struct err e;

	assert_int_equal(from_file(&p, data, len, &e), num);
	if (!strstr(e.msg, words))
		fail_msg("'%s' is not in '%s'", words, e.msg);
	plan_done(&p);
}

static void test_files(void **state)
{
	static const char good[] = "# comment\r\n\n  A=1\r\nB=two words\n#C=3\nLAST=x";
	_cleanup_free_ char *big = calloc(1, (1 << 20) + 1);
	struct plan p;
	struct err e;

	(void)state;
	assert_int_equal(from_file(&p, good, sizeof(good) - 1, &e), 0);
	assert_string_equal(value(&p, "A"), "1");
	assert_string_equal(value(&p, "B"), "two words");
	assert_string_equal(value(&p, "LAST"), "x");
	assert_null(value(&p, "C"));
	assert_null(value(&p, "#C"));
	plan_done(&p);
	refused_file("A=1\n=x\n", 7, -EINVAL, "line 2: there is no name");
	refused_file("A B=1", 5, -EINVAL, "line 1: the name has a blank");
	refused_file("\n\nA\033=1", 6, -EINVAL, "line 3: the name has a blank or a control");
	refused_file("A=1\nB=\0x\n", 9, -EINVAL, "line 2: there is a byte of 0");
	memset(big, 'x', 1 << 20);
	refused_file(big, (1 << 20) + 1, -EFBIG, "reading the environment file");
	unlink(file);
	refused_file(NULL, 0, -ENOENT, "No such file");
	assert_int_equal(mkfifo(file, 0600), 0); /* is not waited for */
	refused_file(NULL, 0, -EINVAL, "not a regular file");
	unlink(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hostile_names), cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_huge),	      cmocka_unit_test(test_sum),
		cmocka_unit_test(test_asked),	      cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

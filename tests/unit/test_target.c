/* Finding targets on a captured host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "target/engine.h"
#include "target_tree.h"

static struct tree tree;

static int setup(void **state)
{
	(void)state;
	tree_init(&tree);
	tree_fill(&tree);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tree_done(&tree);
	return 0;
}

/* What each name leads to. */
struct expect {
	const char *spec, *engine, *name;
	pid_t pid;
	enum target_state state;
	const char *image, *pod, *pod_ns, *owner;
};

static void check(const struct expect *x)
{
	_cleanup_target_ struct target t = TARGET_INIT;
	struct err e = {};

	if (target_resolve(&tree.roots, x->spec, &t, &e) != 0)
		fail_msg("%s: %s", x->spec, e.msg);
	if (!str_eq(t.engine, x->engine) || !str_eq(t.name, x->name) || t.pid != x->pid ||
	    t.state != x->state)
		fail_msg("%s: %s '%s' %d %s", x->spec, t.engine, t.name, (int)t.pid,
			 target_state_name(t.state));
	if (x->image)
		assert_string_equal(t.image, x->image);
	if (x->pod)
		assert_string_equal(t.pod, x->pod);
	if (x->pod_ns)
		assert_string_equal(t.pod_ns, x->pod_ns);
	if (x->owner)
		assert_string_equal(t.owner, x->owner);
	assert_non_null(t.state_file);
	if (t.pid)
		assert_true(t.start > 0);
}

#define RUN TARGET_RUNNING

static void test_names(void **state)
{
	static const struct expect all[] = {
		{"web", "docker", "web", 16276, RUN, "bb:1", "shop"},
		{"shop/web", "docker", "web", 16276, RUN},
		{"docker://web", "docker", "web", 16276, RUN},
		{"docker:web", "docker", "web", 16276, RUN},
		{ID_WEB, "docker", "web", 16276, RUN},
		{"60c5b7bb6552", "docker", "web", 16276, RUN},
		{"60c5", "docker", "web", 16276, RUN},
		{"custom", "docker", "custom", 5001, RUN},
		{ID_CUSTOM, "docker", "custom", 5001, RUN},
		{"c05707", "docker", "custom", 5001, RUN},
		{"inner", "docker", "inner", 5101, RUN},
		{"pweb", "podman", "pweb", 13744, RUN, "docker.io/rdt/bb:1"},
		{"eeb1dbac8723", "podman", "pweb", 13744, RUN},
		{"pinpod", "podman", "pinpod", 13859, RUN, NULL, "mypod"},
		{"mypod/pinpod", "podman", "pinpod", 13859, RUN},
		{"mypod", "podman", "pinpod", 13859, RUN},
		{"f06d80a3bcf6-infra", "podman", "f06d80a3bcf6-infra", 13836, RUN},
		{"mine", "podman", "mine", 6001, RUN, "docker.io/library/alpine:3", NULL, NULL,
		 "ann"},
		{"app", "crio", "app", 6101, RUN, "quay.io/front:2", "front", "prod"},
		{"front/app", "crio", "app", 6101, RUN},
		{"prod/front/app", "crio", "app", 6101, RUN},
		{"crio://c1c1", "crio", "app", 6101, RUN},
		{"front/POD", "crio", "POD", 6102, RUN},
		{"cweb", "containerd", "cweb", 27989, RUN, "docker.io/library/bb:1", NULL,
		 "default"},
		{"default/cweb", "containerd", "cweb", 27989, RUN},
		{"nerd", "nerdctl", "nerd", 6201, RUN, NULL, NULL, "work"},
		{"nerdctl://nerd", "nerdctl", "nerd", 6201, RUN},
		{"c1", "cri", "c1", 4813, RUN, "docker.io/pt/scratch:1", "c1-pod", "default"},
		{"c1-pod/c1", "cri", "c1", 4813, RUN},
		{"default/c1-pod/c1", "cri", "c1", 4813, RUN},
		{"cri://6fe0d810", "cri", "c1", 4813, RUN},
		{"c1-pod", "cri", "c1", 4813, RUN},
		{"c1-pod/POD", "cri", "POD", 4761, RUN},
		{"tg-runc", "runc", "tg-runc", 28057, RUN},
		{"tg-crun", "crun", "tg-crun", 28081, RUN},
		{"box", "lxc", "box", 6301, RUN},
		{"prod_db", "incus", "db", 6321, RUN, "Debian \"trixie\" amd64", NULL, "prod"},
		{"db", "incus", "db", 6321, RUN},
		{"prod/db", "incus", "db", 6321, RUN},
		{"mach-ine", "nspawn", "mach-ine", 4938, RUN},
		{"deb12", "nspawn", "deb12", 6341, RUN},
		{"jail", "bwrap", "jail", 6401, RUN},
		{"org.example.App", "flatpak", "org.example.App", 6501, RUN, NULL, NULL, NULL,
		 "ann"},
		{"flatpak://77", "flatpak", "org.example.App", 6501, RUN},
		{"plain-app", "none", "plain-app", 6601, RUN},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		check(&all[i]);
}

static void test_not_running(void **state)
{
	static const struct expect all[] = {
		{"done", "docker", "done", 0, TARGET_EXITED, "bb:1"},
		{"3d55e2a2c82e", "docker", "done", 0, TARGET_EXITED},
		{"pdone", "podman", "pdone", 0, TARGET_EXITED},
		{"pnew", "podman", "pnew", 0, TARGET_CREATED},
		{"job", "crio", "job", 0, TARGET_EXITED, NULL, "front"},
		{"cnew", "containerd", "cnew", 0, TARGET_UNKNOWN, "docker.io/library/bb:1"},
		{"fresh", "runc", "fresh", 0, TARGET_CREATED},
		{"stale", "crun", "stale", 0, TARGET_EXITED},
		{"off", "lxc", "off", 0, TARGET_EXITED},
	};
	static const struct {
		const char *spec, *part;
	} said[] = {
		{"done", "exited with code 3"}, {"pdone", "exited with code 4"},
		{"pnew", "never started"},	{"job", "exited with code 7"},
		{"stale", "not recorded"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		check(&all[i]);
	for (size_t i = 0; i < ARRAY_LEN(said); i++) {
		_cleanup_target_ struct target t = TARGET_INIT;
		struct err e = {};

		assert_int_equal(target_resolve(&tree.roots, said[i].spec, &t, &e), 0);
		assert_int_equal(target_pin(&tree.roots, &t, &e), -ESRCH);
		assert_non_null(strstr(e.msg, "is not running"));
		if (!strstr(e.msg, said[i].part))
			fail_msg("%s: %s", said[i].spec, e.msg);
		assert_int_equal(t.pidfd, -EBADF);
	}
}

static void test_errors(void **state)
{
	static const struct {
		const char *spec;
		int r;
		const char *msg, *hint;
	} all[] = {
		{"PINPOD", -ENOENT, "nothing is named", "did you mean pinpod"},
		{"WEB", -ENOENT, "nothing is named", "did you mean web,"},
		{"wbe", -ENOENT, "nothing is named 'wbe'", "web"},
		{"tg-ruc", -ENOENT, "nothing is named", "tg-runc"},
		{"pinpo", -ENOENT, "nothing is named", "pinpod"},
		{"docker://pweb", -ENOENT, "nothing is named", "pweb"},
		{"zzzzzzzzzzzz", -ENOENT, "nothing is named", "porthole ps -a"},
		{"", -EINVAL, "empty", NULL},
		{"-5", -EINVAL, "do not start with '-'", NULL},
		{"a/b/c/d", -EINVAL, "too many slashes", NULL},
		{"../etc", -EINVAL, "cannot be a container's name", NULL},
		{"a//b", -EINVAL, "cannot be a container's name", NULL},
		{"we\nb", -EINVAL, "control character", NULL},
		{"we\033[31mb", -EINVAL, "control character", NULL},
		{"dokcer://web", -EINVAL, "no engine 'dokcer'", "docker"},
		{"pid:0", -EINVAL, "start at 1", NULL},
		{"0", -EINVAL, "start at 1", NULL},
		{"pid:-1", -EINVAL, "no process id", NULL},
		{"pid:abc", -EINVAL, "no process id", NULL},
		{"99999999", -EINVAL, "end at 4194304", NULL},
		{"pid:99999999999999999999", -EINVAL, "end at 4194304", NULL},
		{"pid:4000", -ESRCH, "no process 4000", NULL},
		{"4000", -ESRCH, "no process 4000", NULL},
		{"pid:3", -ESRCH, "kernel thread", NULL},
		{"3", -ESRCH, "kernel thread", NULL},
	};
	_cleanup_free_ char *longest = malloc(2001);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		_cleanup_target_ struct target t = TARGET_INIT;
		struct err e = {};
		int r = target_resolve(&tree.roots, all[i].spec, &t, &e);

		if (r != all[i].r || !strstr(e.msg, all[i].msg) || strchr(e.msg, '\033') ||
		    strchr(e.msg, '\n') || (all[i].hint && !strstr(e.hint, all[i].hint)))
			fail_msg("%s: %d %s | %s", all[i].spec, r, e.msg, e.hint);
	}
	memset(longest, 'a', 2000);
	longest[2000] = '\0';
	{
		_cleanup_target_ struct target t = TARGET_INIT;
		struct err e = {};

		assert_int_equal(target_resolve(&tree.roots, longest, &t, &e), -EINVAL);
	}
}

static void test_ambiguous(void **state)
{
	_cleanup_target_ struct target t = TARGET_INIT;
	struct err e = {};

	(void)state;
	/* the same name in two engines */
	tree_copy(&tree, "run/runc/web/state.json", "runc/state.json", "28057", "7001", NULL);
	tree_add(&tree, &(struct tree_proc){.pid = 7001,
					    .ppid = 1,
					    .comm = "x",
					    .start = 378935,
					    .nspid = "7001\t1",
					    .pid_ns = 1,
					    .mnt_ns = 2});
	assert_int_equal(target_resolve(&tree.roots, "web", &t, &e), -ENOTUNIQ);
	assert_non_null(strstr(e.msg, "docker://web"));
	assert_non_null(strstr(e.msg, "runc://web"));
	assert_int_equal(target_resolve(&tree.roots, "runc://web", &t, &e), 0);
	assert_int_equal(t.pid, 7001);
	target_done(&t);
	/* a number that is a name and a process */
	tree_copy(&tree, "run/runc/13790/state.json", "runc/state.json", "28057", "7001", NULL);
	assert_int_equal(target_resolve(&tree.roots, "13790", &t, &e), -ENOTUNIQ);
	assert_non_null(strstr(e.msg, "pid:13790"));
	assert_non_null(strstr(e.msg, "runc://13790"));
	/* the start of an id is enough, the start of a name that somebody chose is not */
	assert_int_equal(target_resolve(&tree.roots, "c", &t, &e), 0);
	assert_true(strlen(t.id) == 64 && t.id[0] == 'c');
	target_done(&t);
}

static void test_pids(void **state)
{
	static const struct expect all[] = {
		{"16276", "docker", "web", 16276, RUN, "bb:1"},
		{"pid:16276", "docker", "web", 16276, RUN, "bb:1"},
		{"pid:13744", "podman", "pweb", 13744, RUN},
		{"pid:4813", "cri", "c1", 4813, RUN, NULL, "c1-pod"},
		{"pid:6310", "lxc", "box", 6310, RUN}, /* not its init: a process of it */
		{"pid:6402", "bwrap", "jail", 6402, RUN},
		{"pid:28057", "runc", "tg-runc", 28057, RUN},
		{"pid:13790", "none", "cron", 13790, RUN},
		{"13790", "none", "cron", 13790, RUN},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		check(&all[i]);
}

static const struct target *in_list(const struct targets *l, const char *engine, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->v[i].engine, engine) && str_eq(l->v[i].name, name))
			return &l->v[i];
	return NULL;
}

static void test_list(void **state)
{
	_cleanup_targets_ struct targets live = {}, all = {};
	_cleanup_strv_ struct strv warnings = {};
	struct err e = {};

	(void)state;
	assert_int_equal(target_list(&tree.roots, false, &live, &warnings, &e), 0);
	assert_int_equal(target_list(&tree.roots, true, &all, &warnings, &e), 0);
	assert_int_equal(warnings.n, 0);
	for (size_t i = 0; i < live.n; i++)
		assert_true(live.v[i].state == TARGET_RUNNING && live.v[i].pid && live.v[i].start);
	/* each once, whatever else knows of it */
	assert_int_equal(live.n, 22);
	assert_int_equal(all.n, live.n + 8);
	assert_non_null(in_list(&live, "docker", "inner"));
	assert_non_null(in_list(&live, "none", "plain-app"));
	assert_null(in_list(&live, "none", "unshare"));
	assert_null(in_list(&live, "none", "served"));
	assert_null(in_list(&live, "runc", "fresh"));
	assert_non_null(in_list(&all, "runc", "fresh"));
	assert_int_equal(in_list(&all, "docker", "done")->exit_code, 3);
	assert_int_equal(in_list(&all, "podman", "pdone")->exit_code, 4);
	assert_true(in_list(&all, "podman", "pdone")->finished > 1700000000);
	assert_true(in_list(&live, "cri", "POD")->sandbox);
	for (size_t i = 1; i < all.n; i++)
		assert_true(strcmp(all.v[i - 1].engine, all.v[i].engine) <= 0);
}

/* What target_label() says leads back to the same target. */
static void test_labels(void **state)
{
	_cleanup_targets_ struct targets live = {};
	struct err e = {};

	(void)state;
	tree_copy(&tree, "run/runc/pweb/state.json", "runc/state.json", "28057", "7001", NULL);
	tree_add(&tree, &(struct tree_proc){.pid = 7001,
					    .ppid = 1,
					    .comm = "evil\033[31m",
					    .start = 378935,
					    .nspid = "7001\t1",
					    .pid_ns = 1,
					    .mnt_ns = 2});
	tree_add(&tree, &(struct tree_proc){.pid = 7002,
					    .ppid = 1,
					    .comm = "a b\033",
					    .start = 9,
					    .nspid = "7002\t1",
					    .pid_ns = 11,
					    .mnt_ns = 12});
	assert_int_equal(target_list(&tree.roots, false, &live, NULL, &e), 0);
	assert_null(in_list(&live, "none", "evil\033[31m"));
	assert_non_null(in_list(&live, "none", "a b\033"));
	for (size_t i = 0; i < live.n; i++) {
		_cleanup_target_ struct target t = TARGET_INIT;
		_cleanup_free_ char *label = target_label(&live, i);

		assert_non_null(label);
		if (target_resolve(&tree.roots, label, &t, &e) != 0 || t.pid != live.v[i].pid)
			fail_msg("%s: %s", label, e.msg);
		assert_null(strchr(label, '\033'));
	}
}

static bool maybe(enum want_how how, const char *wanted, const char *text)
{
	const struct want w = {.how = how, .text = wanted};

	return want_maybe(&w, (struct slice){text, strlen(text)});
}

/* What is parsed: words, not what a word happens to contain. */
static void test_maybe(void **state)
{
	(void)state;
	assert_false(maybe(WANT_EXACT, "one", "{\"NetworkMode\":\"none\",\"Name\":\"/ones\"}"));
	assert_true(maybe(WANT_EXACT, "one", "{\"NetworkMode\":\"none\",\"Name\":\"/one\"}"));
	assert_true(maybe(WANT_EXACT, "one", "{\\\"name\\\":\\\"one\\\"}"));
	assert_true(maybe(WANT_EXACT, "one", "one"));
	assert_true(maybe(WANT_PREFIX, "ab1", "\"ab12\""));
	assert_false(maybe(WANT_PREFIX, "ab1", "\"cab12\""));
	assert_true(maybe(WANT_EXACT, "a b", "written in whatever way"));
	assert_true(maybe(WANT_ALL, NULL, ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_running, setup, teardown),
		cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ambiguous, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pids, setup, teardown),
		cmocka_unit_test_setup_teardown(test_list, setup, teardown),
		cmocka_unit_test_setup_teardown(test_labels, setup, teardown),
		cmocka_unit_test(test_maybe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

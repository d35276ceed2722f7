/* State files that are cut, damaged, endless or no files: skipped, said, and never waited for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "target_tree.h"

#define STORAGE "var/lib/containers/storage/"
#define TASK	"run/containerd/io.containerd.runtime.v2.task/"
#define CRI_ID	"6fe0d810f23737969eae557f318a483eb735e107647ebd152242de06e026932d"
#define PWEB_ID "eeb1dbac872321dce26999bcd7a63817c06ea4c49782056c1a1854d0a1e5d296"

/* A file, and a container that cannot be found without it (NULL: they all can). */
static const struct {
	const char *path, *lost;
	bool json; /* damage is noticed and said */
} files[] = {
	{"var/lib/docker/containers/" ID_WEB "/config.v2.json", "web", true},
	{"run/docker/runtime-runc/moby/" ID_WEB "/state.json", NULL},
	{"srv/exec/moby/" ID_CUSTOM "/config.json", NULL},
	{STORAGE "overlay-containers/containers.json", "pinpod", true},
	{STORAGE "overlay-containers/volatile-containers.json", "crio://job", true},
	{STORAGE "libpod/bolt_state.db", NULL},
	{"run/containers/storage/overlay-containers/" PWEB_ID "/userdata/pidfile", NULL},
	{TASK "default/cweb/config.json", "cweb", true},
	{TASK "default/cweb/init.pid", NULL},
	{TASK "k8s.io/" CRI_ID "/config.json", "cri://c1", true},
	{"var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db", NULL},
	{"run/runc/tg-runc/state.json", "runc://tg-runc", true},
	{"run/crun/tg-crun/status", "crun://tg-crun", true},
	{"run/systemd/machines/mach-ine", NULL},
	{"run/user/1001/.flatpak/77/info", "flatpak://org.example.App"},
	{"run/user/1001/.flatpak/77/bwrapinfo.json", "flatpak://org.example.App"},
	{"sys/fs/cgroup/lxc.payload.box/cgroup.procs", NULL},
	{"etc/passwd", "mine"},
	{"proc/16276/stat", NULL},
	{"proc/16276/status", NULL},
	{"proc/16276/cgroup", NULL},
	{"proc/6300/cmdline", NULL},
	{"proc/2/task/2/children", NULL},
};

static struct tree tree;

static int setup(void **state)
{
	(void)state;
	tree_init(&tree);
	tree_fill(&tree);
	alarm(300); /* whoever waits for a FIFO fails */
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tree_done(&tree);
	return 0;
}

static char *path_of(const char *file)
{
	return str_fmt("%s/root/%s", tree.dir, file);
}

/* Look at everything. Returns how many warnings there were; what is far from the file is unharmed.
 */
static size_t look(const char *what)
{
	_cleanup_targets_ struct targets all = {};
	_cleanup_strv_ struct strv warnings = {};
	struct err e = {};
	bool far = false;

	assert_int_equal(target_list(&tree.roots, true, &all, &warnings, &e), 0);
	for (size_t i = 0; i < all.n; i++) {
		far |= str_eq(all.v[i].name, "db");
		assert_non_null(all.v[i].name);
		assert_non_null(all.v[i].engine);
	}
	if (!far)
		fail_msg("%s: the others were lost", what);
	for (size_t i = 0; i < warnings.n; i++)
		assert_null(strpbrk(warnings.v[i], "\n\033"));
	return warnings.n;
}

static bool resolves(const char *spec)
{
	_cleanup_target_ struct target t = TARGET_INIT;
	struct err e = {};
	int r = target_resolve(&tree.roots, spec, &t, &e);

	if (r < 0)
		assert_true(e.msg[0] && !strpbrk(e.msg, "\n\033"));
	return r == 0;
}

/* The file as given, looked at, and put back. */
static size_t look_with(size_t i, const char *data, size_t len)
{
	size_t warnings;

	tree_put(&tree, files[i].path, data, len);
	warnings = look(files[i].path);
	if (files[i].lost)
		resolves(files[i].lost);
	return warnings;
}

static void test_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		_cleanup_free_ char *path = path_of(files[i].path), *text = NULL;
		size_t len, step;

		assert_int_equal(file_read_at(AT_FDCWD, path, (size_t)8 << 20, &text, &len), 0);
		step = len / 24 + 1;
		for (size_t n = 0; n<len; n += n + 8> len ? 1 : step)
			look_with(i, text, n);
		if (files[i].lost) {
			size_t warnings = look_with(i, text, len / 2);

			if (resolves(files[i].lost))
				fail_msg("%s: found in half a file", files[i].lost);
			if (files[i].json && warnings == 0)
				fail_msg("%s: no warning", files[i].path);
		}
		tree_put(&tree, files[i].path, text, len);
		if (files[i].lost && !resolves(files[i].lost))
			fail_msg("%s: not found in the whole file", files[i].lost);
	}
}

static void test_flipped(void **state)
{
	unsigned seed = 20260101;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		_cleanup_free_ char *path = path_of(files[i].path), *text = NULL, *bad = NULL;
		size_t len;

		assert_int_equal(file_read_at(AT_FDCWD, path, (size_t)8 << 20, &text, &len), 0);
		bad = malloc(len);
		for (int round = 0; len && round < 24; round++) {
			memcpy(bad, text, len);
			for (int k = 0; k < 1 + round; k++) {
				seed = seed * 1103515245 + 12345;
				bad[(seed >> 8) % len] = (char)(seed >> 3);
			}
			look_with(i, bad, len);
		}
		tree_put(&tree, files[i].path, text, len);
	}
}

/* Replace a file by something that is none; put the text back. */
static void test_no_files(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		_cleanup_free_ char *path = path_of(files[i].path), *text = NULL;
		size_t len, warnings;
		int fd;

		assert_int_equal(file_read_at(AT_FDCWD, path, (size_t)8 << 20, &text, &len), 0);
		unlink(path);
		assert_int_equal(mkfifo(path, 0600), 0);
		warnings = look(files[i].path);
		if (files[i].json && warnings == 0)
			fail_msg("%s: a FIFO and no warning", files[i].path);
		if (files[i].lost)
			assert_false(resolves(files[i].lost));
		unlink(path);

		assert_int_equal(mkdir(path, 0700), 0);
		look(files[i].path);
		rmdir(path);

		/* out of the tree, to a device that never ends */
		assert_int_equal(symlink("../../../../../../../../../../dev/zero", path), 0);
		if (!str_starts(files[i].path, "proc/") && !str_starts(files[i].path, "sys/"))
			look(files[i].path);
		unlink(path);

		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		assert_int_equal(ftruncate(fd, (off_t)10 << 30), 0);
		close(fd);
		warnings = look(files[i].path);
		if (files[i].json && warnings == 0)
			fail_msg("%s: 10 GB and no warning", files[i].path);
		tree_put(&tree, files[i].path, text, len);
	}
}

/* What a container or an engine may call itself. */
static void test_names(void **state)
{
	_cleanup_targets_ struct targets all = {};
	size_t found = 0;
	struct err e = {};

	(void)state;
	tree_copy(&tree,
		  "var/lib/docker/containers/"
		  "00000000000000000000000000000000000000000000000000000000000000ee/config.v2.json",
		  "docker/done.json", "\"/done\"", "\"/a\\u001b[31m\\n../../x\"", NULL);
	tree_puts(&tree, "run/runc/..\033x/state.json", "{}");
	tree_puts(&tree, "run/runc/.hidden/state.json", "{}");
	tree_puts(&tree, "run/crun/a b\n/status", "{\"pid\":-5,\"process-start-time\":-1}");
	tree_puts(&tree, "run/crun/big/status",
		  "{\"pid\":99999999999999,\"process-start-time\":1}");
	assert_int_equal(target_list(&tree.roots, true, &all, NULL, &e), 0);
	for (size_t i = 0; i < all.n; i++) {
		_cleanup_free_ char *label = target_label(&all, i);

		found += strchr(all.v[i].name, '\033') != NULL;
		found += str_eq(all.v[i].name, "big") || str_eq(all.v[i].name, "a b\n");
		assert_true(all.v[i].pid >= 0);
		assert_non_null(label);
		assert_null(strpbrk(label, "\n\033 \"'$`\\"));
	}
	assert_int_equal(found, 3);
	assert_false(resolves("a\033[31m"));
}

static void test_many_entries(void **state)
{
	(void)state;
	for (int i = 0; i < 2000; i++) {
		char path[128];

		snprintf(path, sizeof(path), "var/lib/docker/containers/%064x", i);
		tree_mkdir(&tree, path);
		snprintf(path, sizeof(path), "run/crun/none-%d", i);
		tree_mkdir(&tree, path);
	}
	look("many");
	assert_true(resolves("web"));
}

/* What is damaged hides no names, and is named after them, from the root on. */
static void test_near_names(void **state)
{
	static const struct {
		const char *path, *asked;
	} damaged[] = {
		{"run/runc/bad/state.json", "mach-inf"},
		{"run/runc/bad/state.json", "podman://mach-inf"},
		{"var/lib/containers/storage/vfs-containers/containers.json", "mach-inf"},
		{"var/lib/containers/storage/vfs-containers/containers.json", "docker://mach-inf"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(damaged); i++) {
		_cleanup_free_ char *path = path_of(damaged[i].path),
				    *shown = str_fmt("/%s ", damaged[i].path);
		_cleanup_target_ struct target t = TARGET_INIT;
		struct err e = {};

		const char *names, *warning;

		tree_puts(&tree, damaged[i].path, "{");
		assert_int_equal(target_resolve(&tree.roots, damaged[i].asked, &t, &e), -ENOENT);
		names = strstr(e.hint, "did you mean mach-ine? 'porthole ps -a' lists all");
		warning = strstr(e.hint, shown);
		assert_non_null(names);
		assert_non_null(warning);
		assert_ptr_equal(names, e.hint);
		assert_true(warning > names);
		assert_string_not_equal(e.hint + strlen(e.hint) - 2, "; ");
		assert_int_equal(unlink(path), 0);
	}
}

/* What bears the name is told, or else one; of the others how many. */
static void test_much_damage(void **state)
{
	static const char id[] = "docker/containers/abcabcabc";
	_cleanup_target_ struct target t = TARGET_INIT;
	struct err e = {};
	char path[128];

	(void)state;
	for (int i = 0; i < 20; i++) {
		snprintf(path, sizeof(path), "var/lib/docker/containers/%s%055d/config.v2.json",
			 i == 13 ? "abcabcabc" : "000000000", i);
		tree_puts(&tree, path, "{");
	}
	assert_int_equal(target_resolve(&tree.roots, "abcabcabc", &t, &e), -ENOENT);
	assert_non_null(strstr(e.hint, id));
	assert_null(strstr(e.hint, "docker/containers/000000000"));
	assert_non_null(strstr(e.hint, "; 19 more files are damaged"));
	assert_true(strstr(e.hint, "'porthole ps -a'") < strstr(e.hint, id));
	assert_true(strlen(e.hint) < 270);
	assert_int_equal(target_resolve(&tree.roots, "nobody", &t, &e), -ENOENT);
	assert_non_null(strstr(e.hint, "docker/containers/000000000"));
	assert_non_null(strstr(e.hint, "; 19 more files are damaged"));
	for (int i = 2; i < 20; i++) {
		_cleanup_free_ char *whole = NULL;

		snprintf(path, sizeof(path), "var/lib/docker/containers/%s%055d/config.v2.json",
			 i == 13 ? "abcabcabc" : "000000000", i);
		whole = path_of(path);
		assert_int_equal(unlink(whole), 0);
	}
	assert_int_equal(target_resolve(&tree.roots, "nobody", &t, &e), -ENOENT);
	assert_non_null(strstr(e.hint, "; 1 more file is damaged"));
}

/* Nothing but /proc, and not even that. */
static void test_bare_host(void **state)
{
	_cleanup_targets_ struct targets all = {};
	struct tree bare;
	struct err e = {};

	(void)state;
	tree_init(&bare);
	assert_int_equal(target_list(&bare.roots, true, &all, NULL, &e), 0);
	assert_int_equal(all.n, 0);
	{
		_cleanup_target_ struct target t = TARGET_INIT;

		assert_int_equal(target_resolve(&bare.roots, "web", &t, &e), -ENOENT);
		assert_non_null(strstr(e.hint, "no container of any engine"));
	}
	{
		_cleanup_free_ char *proc = str_fmt("%s/root/proc", bare.dir);
		_cleanup_free_ char *away = str_fmt("%s/root/away", bare.dir);

		assert_int_equal(rename(proc, away), 0);
		assert_int_equal(mkdir(proc, 0755), 0);
		close(bare.roots.proc_fd);
		bare.roots.proc_fd = open(proc, O_PATH | O_DIRECTORY | O_CLOEXEC);
		assert_int_equal(target_list(&bare.roots, true, &all, NULL, &e), 0);
		assert_int_equal(all.n, 0);
	}
	tree_done(&bare);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flipped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_entries, setup, teardown),
		cmocka_unit_test_setup_teardown(test_much_damage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_near_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bare_host, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

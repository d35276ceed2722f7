/* The linter of entry points: every finding, where it holds and, once mended, where it does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "entry_root.h"

#define LOADER	 "/lib64/ld-linux-x86-64.so.2"
#define RUN(...) (&(struct root_entry){.argv = {__VA_ARGS__}})
#define ELF(...) (&(struct root_elf){__VA_ARGS__})

static const char good[] = "#!/bin/sh\nexec true\n";

/* ---- not found ---- */

static void test_nothing(void **state)
{
	(void)state;
	root_debian();
	expect(&(struct root_entry){}, "empty", "neither");
	expect(RUN("/bin/sh"), NULL, NULL);
	expect(RUN(""), "not-found", NULL);
}

static void test_not_found(void **state)
{
	(void)state;
	root_debian();
	root_file("/usr/bin/python3", 0755, good);
	root_file("/app/start.sh", 0755, good);
	expect(RUN("pyhton3"), "not-found", "/usr/bin/python3");
	expect(RUN("python3"), NULL, NULL);
	expect(RUN("start.sh"), "not-found", "/app/start.sh");
	expect(RUN("/start.sh"), "not-found", "/app/start.sh");
	expect(RUN("/app/strat.sh"), "not-found", "nearest name is /app/start.sh");
	expect(RUN("/app/START.SH"), "not-found", "/app/start.sh");
	expect(RUN("/opt/x/run"), "not-found", "not even /opt is");
	expect(RUN("/app/start.sh/x"), "not-found", "/app/start.sh is no directory");
	expect(RUN("/app/start.sh"), NULL, NULL);
	expect(RUN("/app/start.sh -v"), "not-found", "one word with a blank");
	expect(&(struct root_entry){.argv = {"/app/gone"}, .mount = "/app"}, "not-found",
	       "/app is a mount");
	expect(&(struct root_entry){.argv = {"./start.sh"}, .cwd = "/app"}, NULL, NULL);
	expect(&(struct root_entry){.argv = {"./start.sh"}, .cwd = "/usr"}, "not-found", NULL);
}

static void test_path_variable(void **state)
{
	(void)state;
	root_debian();
	root_file("/opt/tool/bin/tool", 0755, good);
	expect(RUN("tool"), "not-found", NULL);
	expect(&(struct root_entry){.argv = {"tool"}, .env = {"PATH=/bin:/opt/tool/bin"}}, NULL,
	       NULL);
	/* the first that may be executed counts */
	root_file("/usr/local/bin/twice", 0644, good);
	root_file("/usr/bin/twice", 0755, good);
	expect(RUN("twice"), NULL, NULL);
	root_remove("/usr/bin/twice");
	expect(RUN("twice"), "not-executable", "/usr/local/bin/twice");
}

static void test_links(void **state)
{
	(void)state;
	root_debian();
	root_link("/app/run", "/usr/lib/run.sh");
	expect(RUN("/app/run"), "dangling-link", "/usr/lib");
	root_file("/usr/lib/run.sh", 0755, good);
	expect(RUN("/app/run"), NULL, NULL);
	root_link("/app/a", "b");
	root_link("/app/b", "a");
	expect(RUN("/app/a"), "path-loop", "Too many levels");
	root_link("/out", "../../../../../../../../bin/sh"); /* leads to the root's own */
	expect(RUN("/out"), NULL, NULL);
}

static void test_kinds(void **state)
{
	(void)state;
	root_debian();
	root_dir("/app", 0755);
	expect(RUN("/app"), "directory", NULL);
	expect_not(RUN("/bin/sh"), "directory");
	assert_int_equal(mkfifoat(root_fd, "fifo", 0755), 0);
	expect(RUN("/fifo"), "special-file", NULL);
	expect_not(RUN("/bin/sh"), "special-file");
}

/* ---- modes and users ---- */

static void test_modes(void **state)
{
	const struct root_entry as_app = {.argv = {"/app/run"}, .user = "app"};

	(void)state;
	root_debian();
	root_file("/app/run", 0644, good);
	expect(RUN("/app/run"), "not-executable", "0644");
	root_file("/app/run", 0755, good);
	expect(RUN("/app/run"), NULL, NULL);
	root_file("/app/run", 0700, good);
	expect(RUN("/app/run"), NULL, NULL);
	expect(&as_app, "not-allowed", "uid 1000");
	root_file("/app/run", 0711, good);
	expect_not(&as_app, "not-allowed");
	expect(&as_app, "unreadable", "uid 1000");
	root_file("/app/run", 0755, good);
	expect(&as_app, NULL, NULL);
	root_dir("/app", 0700);
	expect(&as_app, "not-allowed", "/app");
	expect(RUN("/app/run"), NULL, NULL);
}

static void test_groups_count(void **state)
{
	const struct root_entry as_app = {.argv = {"/run"}, .user = "app"};

	(void)state;
	root_debian();
	root_file("/run", 0750, good);
	expect(&as_app, "not-allowed", NULL);
	assert_int_equal(fchownat(root_fd, "run", 0, 10, 0), 0); /* wheel: app is in it */
	expect(&as_app, NULL, NULL);
	expect(&(struct root_entry){.argv = {"/run"}, .user = "app:app"}, "not-allowed", NULL);
	expect(&(struct root_entry){.argv = {"/run"}, .user = "1000:10"}, NULL, NULL);
}

static void test_users(void **state)
{
	_cleanup_entry_report_ struct entry_report r = {};

	(void)state;
	root_debian();
	root_file("/run", 0755, good);
	expect(&(struct root_entry){.argv = {"/run"}, .user = "web"}, "user-unknown", "useradd");
	expect(&(struct root_entry){.argv = {"/run"}, .user = "app"}, NULL, NULL);
	expect(&(struct root_entry){.argv = {"/run"}, .user = "4242"}, NULL, NULL);
	expect(&(struct root_entry){.argv = {"/run"}, .user = "app:web"}, "group-unknown", "web");
	expect(&(struct root_entry){.argv = {"/run"}, .user = "app:wheel"}, NULL, NULL);
	expect(&(struct root_entry){.argv = {"/run"}, .user = "70000", .map = 65536},
	       "user-unmapped", "65535");
	expect_not(&(struct root_entry){.argv = {"/run"}, .user = "1000", .map = 65536},
		   "user-unmapped");
	root_lint(&(struct root_entry){.argv = {"/run"}, .user = "app"}, &r);
	assert_int_equal(r.uid, 1000);
	assert_int_equal(r.gid, 1000);
	assert_string_equal(r.user_name, "app");
	root_remove("/etc/passwd");
	expect(&(struct root_entry){.argv = {"/run"}, .user = "app"}, "user-unknown",
	       "no /etc/passwd");
	expect(&(struct root_entry){.argv = {"/run"}, .user = "root"}, NULL, NULL);
	assert_int_equal(mkfifoat(root_fd, "etc/passwd", 0644), 0);
	expect(&(struct root_entry){.argv = {"/run"}, .user = "app"}, "user-unknown",
	       "not a plain file");
}

static void test_setuid(void **state)
{
	const struct root_entry nnp = {.argv = {"/bin/su"}, .user = "app", .nnp = true};

	(void)state;
	root_debian();
	root_elf("/bin/su", 04755, ELF(0));
	expect(&nnp, "setuid", "no-new-privileges");
	expect_not(&(struct root_entry){.argv = {"/bin/su"}, .user = "app"}, "setuid");
	expect_not(&(struct root_entry){.argv = {"/bin/su"}, .nnp = true}, "setuid");
}

static void test_directories(void **state)
{
	(void)state;
	root_debian();
	root_dir("/srv", 0750);
	root_file("/file", 0644, "x");
	root_link("/gone", "/nowhere");
	expect(&(struct root_entry){.argv = {"/bin/sh"}, .cwd = "/data/x"}, "cwd-missing", "/data");
	expect(&(struct root_entry){.argv = {"/bin/sh"}, .cwd = "/data/x", .makes_cwd = true}, NULL,
	       NULL);
	expect(&(struct root_entry){.argv = {"/bin/sh"}, .cwd = "/gone"}, "cwd-missing",
	       "/nowhere");
	expect(&(struct root_entry){.argv = {"/bin/sh"}, .cwd = "/file"}, "cwd-not-directory",
	       NULL);
	expect(&(struct root_entry){.argv = {"/bin/sh"}, .cwd = "/srv"}, NULL, NULL);
	expect(&(struct root_entry){.argv = {"/bin/sh"}, .cwd = "/srv", .user = "app"},
	       "cwd-denied", "chmod a+rx /srv");
	root_dir("/srv", 0755);
	expect(&(struct root_entry){.argv = {"/bin/sh"}, .cwd = "/srv", .user = "app"}, NULL, NULL);
}

/* ---- scripts ---- */

static void test_interpreters(void **state)
{
	(void)state;
	root_debian();
	root_file("/run", 0755, "#!/bin/bash\n");
	expect(RUN("/run"), "interpreter-missing", "/bin/bash");
	root_elf("/usr/local/bin/bash", 0755, ELF(0));
	expect(RUN("/run"), "interpreter-missing", "#!/usr/local/bin/bash");
	root_link("/bin/bash", "/usr/bin/bash.real");
	expect(RUN("/run"), "dangling-link", "/usr/bin/bash.real");
	root_link("/bin/bash", "/usr/local/bin/bash");
	expect(RUN("/run"), NULL, NULL);
	root_file("/run", 0755, "#! /bin/sh -e\n");
	expect(RUN("/run"), NULL, NULL);
}

static void test_env(void **state)
{
	(void)state;
	root_debian();
	root_file("/run", 0755, "#!/usr/bin/env python3\n");
	expect(RUN("/run"), "not-found", "python3, which /usr/bin/env should start,");
	root_elf("/usr/bin/python3", 0755, ELF(0));
	expect(RUN("/run"), NULL, NULL);
	root_file("/run", 0755, "#!/usr/bin/env python3 -u\n");
	expect(RUN("/run"), "shebang-words", "-S python3 -u");
	root_file("/run", 0755, "#!/usr/bin/env -S python3 -u\n");
	expect(RUN("/run"), NULL, NULL);
	root_file("/run", 0755, "#!/usr/bin/env python3\r\n");
	expect(RUN("/run"), "shebang-crlf", "carriage return");
}

static void test_first_lines(void **state)
{
	char line[400];

	(void)state;
	root_debian();
	root_file("/run", 0755, "#!/bin/sh\r\necho\r\n");
	expect(RUN("/run"), "shebang-crlf", "sed -i");
	root_file("/run", 0755, "\xef\xbb\xbf#!/bin/sh\n");
	expect(RUN("/run"), "shebang-bom", NULL);
	root_bytes("/run", 0755, "\xff\xfe#\0!\0/\0", 8);
	expect(RUN("/run"), "shebang-bom", NULL);
	root_file("/run", 0755, "\n#!/bin/sh\n");
	expect(RUN("/run"), "shebang-blank", NULL);
	root_file("/run", 0755, "#!\n");
	expect(RUN("/run"), "shebang-empty", NULL);
	root_file("/run", 0755, "echo hello\n");
	expect(RUN("/run"), "no-shebang", "exec format error");
	root_file("/run", 0755, "");
	expect(RUN("/run"), "empty-file", NULL);
	root_bytes("/run", 0755, "MZ\x90\0\3", 5);
	expect(RUN("/run"), "wrong-format", "Windows");
	memset(line, 'x', sizeof(line));
	memcpy(line, "#!/", 3);
	root_bytes("/run", 0755, line, sizeof(line));
	expect(RUN("/run"), "shebang-long", NULL);
	/* long arguments are only cut */
	memcpy(line, "#!/bin/sh ", 10);
	root_bytes("/run", 0755, line, sizeof(line));
	expect(RUN("/run"), NULL, NULL);
	root_file("/run", 0755, good);
	expect(RUN("/run"), NULL, NULL);
}

static void test_shell_form(void **state)
{
	const char *script = "exec node server.js";
	const struct root_entry shell = {.argv = {"/bin/sh", "-c", script}, .shell_form = true};

	(void)state;
	root_file("/etc/passwd", 0644, "root:x:0:0::/:\n");
	expect(&shell, "no-shell", "as a list");
	root_debian();
	expect_not(&shell, "no-shell");
	expect(&shell, "shell-command", "'node'");
	root_elf("/usr/local/bin/node", 0755, ELF(0));
	expect(&shell, NULL, NULL);
	expect(RUN("/bin/sh", "-c", "cd /srv && ./x"), NULL, NULL);
	expect(RUN("/bin/sh", "-c", "A=b nothing"), NULL, NULL);
	expect(RUN("/bin/sh", "-c", "$PROGRAM"), NULL, NULL);
	expect(RUN("/bin/sh", "/srv/none.sh", "-x"), "shell-command",
	       "'/srv/none.sh', which is not");
	expect(RUN(""), "not-found", "'' (an empty name) is in no directory");
	expect(RUN("/bin/sh", "-c", "exec 3>&1; cd /srv"), NULL, NULL);
	expect(RUN("/bin/sh", "-ec", "/srv/none -x"), "shell-command", "/srv/none");
	expect(&(struct root_entry){.argv = {"/bin/sh", "-c", "['node', 'x.js']"},
				    .shell_form = true},
	       "not-found", "double quotes");
}

static void test_starters(void **state)
{
	(void)state;
	root_debian();
	root_elf("/sbin/tini", 0755, ELF(0));
	root_elf("/usr/bin/gosu", 0755, ELF(0));
	expect(RUN("/sbin/tini", "-g", "--", "serve"), "not-found",
	       "serve, which /sbin/tini should start,");
	expect(RUN("tini", "-p", "SIGTERM", "gosu", "app", "serve"), "not-found", "gosu");
	root_file("/usr/bin/serve", 0755, good);
	expect(RUN("/sbin/tini", "-g", "--", "serve"), NULL, NULL);
	expect(RUN("tini", "-p", "SIGTERM", "gosu", "app", "serve"), NULL, NULL);
	expect(RUN("env", "-u", "X", "A=b", "none"), "not-found", "none");
}

/* ---- programs ---- */

static void test_loaders(void **state)
{
	(void)state;
	root_alpine();
	root_elf("/app", 0755, ELF(.interp = LOADER, .needed = {"libc.so.6"}));
	expect(RUN("/app"), "loader-missing", "this image has musl");
	root_elf("/app", 0755, ELF(.interp = "/lib/ld-musl-x86_64.so.1", .needed = {"libc.so"}));
	expect(RUN("/app"), NULL, NULL);
	root_remove("/lib/ld-musl-x86_64.so.1");
	expect(RUN("/app"), "loader-missing", "no C library at all");
	root_debian();
	expect(RUN("/app"), "loader-missing", "this image has glibc");
	root_link("/lib/ld-musl-x86_64.so.1", "/usr/lib/musl/libc.so");
	expect(RUN("/app"), "dangling-link", "/usr/lib");
	root_elf("/app", 0755, ELF(.interp = LOADER, .needed = {"libc.so.6"}));
	expect(RUN("/app"), NULL, NULL);
	root_elf(LOADER, 0755, ELF(.machine = EM_AARCH64));
	expect(RUN("/app"), "damaged", "no loader for this machine");
	root_file(LOADER, 0644, "x");
	expect(RUN("/app"), "not-executable", "the loader of /app");
}

static void test_damage(void **state)
{
	static const unsigned char half[] = {0x7f, 'E', 'L', 'F', 2, 1, 1, 0, 0, 0};

	(void)state;
	root_debian();
	root_bytes("/app", 0755, half, sizeof(half));
	expect(RUN("/app"), "damaged", "ends within its header");
	root_elf("/app", 0755, ELF(.cut = true));
	expect(RUN("/app"), "truncated", NULL);
	root_elf("/app", 0755, ELF(0));
	expect(RUN("/app"), NULL, NULL);
}

static void test_machines(void **state)
{
	_cleanup_close_ int proc = -EBADF;
	struct root_entry with = {.argv = {"/app"}};

	(void)state;
	root_debian();
	root_elf("/app", 0755, ELF(.machine = EM_AARCH64));
	expect(RUN("/app"), "wrong-machine", "aarch64 (arm64)");
	expect(RUN("/app"), "wrong-machine", "linux/amd64");
	expect(&(struct root_entry){.argv = {"/app"}, .machine = "aarch64"}, NULL, NULL);
	root_elf("/app", 0755, ELF(.machine = EM_386));
	expect_not(RUN("/app"), "wrong-machine");
	root_elf("/app", 0755, ELF(.machine = EM_AARCH64));
	/* a host that knows what to do with it */
	root_file("/p/sys/fs/binfmt_misc/status", 0644, "enabled\n");
	root_file("/p/sys/fs/binfmt_misc/other", 0644,
		  "enabled\ninterpreter /x\nflags: F\noffset 0\nmagic 7f454c460201010000\n"
		  "mask ffffffffffffffffff\n");
	root_file("/p/sys/fs/binfmt_misc/qemu-aarch64", 0644,
		  "enabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: OCF\noffset 0\n"
		  "magic 7f454c460201010000000000000000000200b700\n"
		  "mask ffffffffffffff00fffffffffffffffffeffffff\n");
	proc = openat(root_fd, "p", O_PATH | O_DIRECTORY | O_CLOEXEC);
	with.proc_fd = proc;
	root_remove("/p/sys/fs/binfmt_misc/other");
	expect(&with, NULL, NULL);
	root_file("/p/sys/fs/binfmt_misc/qemu-aarch64", 0644,
		  "enabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: OC\noffset 0\n"
		  "magic 7f454c460201010000000000000000000200b700\n"
		  "mask ffffffffffffff00fffffffffffffffffeffffff\n");
	expect(&with, "handler-missing", "flag F");
	root_file("/p/sys/fs/binfmt_misc/qemu-aarch64", 0644,
		  "disabled\ninterpreter /q\nflags: F\noffset 0\nmagic 7f454c46\n");
	expect(&with, "wrong-machine", NULL);
}

/* ---- libraries ---- */

static void test_libraries(void **state)
{
	(void)state;
	root_debian();
	root_elf("/app", 0755, ELF(.interp = LOADER, .needed = {"libfoo.so.1", "libc.so.6"}));
	expect(RUN("/app"), "library-missing", "libfoo.so.1, which is not in the image");
	root_elf("/usr/local/lib/libfoo.so.1", 0644, ELF(.soname = "libfoo.so.1"));
	expect(RUN("/app"), "library-missing", "at /usr/local/lib/libfoo.so.1");
	expect(&(struct root_entry){.argv = {"/app"}, .env = {"LD_LIBRARY_PATH=/x:/usr/local/lib"}},
	       NULL, NULL);
	root_elf("/usr/lib/libfoo.so.1", 0644, ELF(.machine = EM_AARCH64));
	expect(RUN("/app"), "library-foreign", "/usr/lib/libfoo.so.1");
	root_elf("/usr/lib/libfoo.so.1", 0644, ELF(.needed = {"libbar.so"}));
	expect(RUN("/app"), "library-missing", "/usr/lib/libfoo.so.1 needs the library libbar.so");
	root_elf("/lib/libbar.so", 0600, ELF(.needed = {"libfoo.so.1"})); /* each other */
	expect(RUN("/app"), NULL, NULL);
	expect(&(struct root_entry){.argv = {"/app"}, .user = "app"}, "library-unreadable",
	       "/lib/libbar.so");
	root_file("/lib/libbar.so", 0644, "INPUT(-lx)\n");
	expect(RUN("/app"), "library-unreadable", "/lib/libbar.so");
}

static void test_run_paths(void **state)
{
	(void)state;
	root_debian();
	root_elf("/opt/x/lib/liba.so", 0644, ELF(.needed = {"libb.so"}));
	root_elf("/opt/x/lib/libb.so", 0644, ELF(0));
	root_elf("/opt/x/bin/app", 0755,
		 ELF(.interp = LOADER, .needed = {"liba.so"}, .rpath = "$ORIGIN/../lib"));
	root_link("/app", "/opt/x/bin/app");
	expect(RUN("/app"), NULL, NULL); /* an RPATH is handed down */
	root_elf("/opt/x/bin/app", 0755,
		 ELF(.interp = LOADER, .needed = {"liba.so"}, .runpath = "${ORIGIN}/../lib"));
	expect(RUN("/app"), "library-missing", "libb.so"); /* a RUNPATH is not */
	root_elf("/opt/x/lib/liba.so", 0644, ELF(.needed = {"libb.so"}, .runpath = "$ORIGIN"));
	expect(RUN("/app"), NULL, NULL);
	root_elf("/opt/x/bin/app", 0755,
		 ELF(.interp = LOADER, .needed = {"none.so"}, .runpath = "$LIB/x"));
	expect_not(RUN("/app"), "library-missing"); /* no telling where that is */
	root_elf("/opt/x/bin/app", 0755, ELF(.interp = LOADER, .needed = {"/opt/x/lib/none.so"}));
	expect(RUN("/app"), "library-missing", "/opt/x/lib/none.so");
}

static void test_cache(void **state)
{
	/* one entry: libfoo.so.1 at /srv/l/libfoo.so.1 */
	struct {
		char magic[20];
		uint32_t n, size;
		uint8_t flags[4];
		uint32_t more[4];
		int32_t kind;
		uint32_t key, value, os;
		uint64_t hwcap;
		char names[40];
	} cache = {.n = 1, .kind = 0x303, .key = 72, .value = 84};

	(void)state;
	memcpy(cache.magic, "glibc-ld.so.cache1.1", 20);
	memcpy(cache.names, "libfoo.so.1\0/srv/l/libfoo.so.1", 31);
	root_debian();
	root_elf("/srv/l/libfoo.so.1", 0644, ELF(0));
	root_elf("/app", 0755, ELF(.interp = LOADER, .needed = {"libfoo.so.1"}));
	expect(RUN("/app"), "library-missing", NULL);
	root_bytes("/etc/ld.so.cache", 0644, &cache, sizeof(cache));
	expect(RUN("/app"), NULL, NULL);
	root_remove("/srv/l/libfoo.so.1");
	expect(RUN("/app"), "library-missing", NULL);
}

static void test_musl_libraries(void **state)
{
	(void)state;
	root_alpine();
	root_elf("/app", 0755,
		 ELF(.interp = "/lib/ld-musl-x86_64.so.1",
		     .needed = {"libstdc++.so.6", "libm.so.6"}));
	expect(RUN("/app"), "library-missing", "apk add libstdc++");
	expect_not(RUN("/bin/sh"), "library-missing");
	root_elf("/srv/l/libstdc++.so.6", 0644, ELF(0));
	root_file("/etc/ld-musl-x86_64.path", 0644, "/lib\n/srv/l\n");
	expect(RUN("/app"), NULL, NULL);
}

static void test_versions(void **state)
{
	(void)state;
	root_debian();
	root_elf("/app", 0755,
		 ELF(.interp = LOADER, .needed = {"libc.so.6"}, .want_file = "libc.so.6",
		     .want = "GLIBC_2.38"));
	expect(RUN("/app"), "library-version", "goes up to GLIBC_2.36");
	root_elf("/app", 0755,
		 ELF(.interp = LOADER, .needed = {"libc.so.6"}, .want_file = "libc.so.6",
		     .want = "GLIBC_2.36"));
	expect(RUN("/app"), NULL, NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, root_setup, root_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing),	   TEST(test_not_found),    TEST(test_path_variable),
		TEST(test_links),	   TEST(test_kinds),	    TEST(test_modes),
		TEST(test_groups_count),   TEST(test_users),	    TEST(test_setuid),
		TEST(test_directories),	   TEST(test_interpreters), TEST(test_env),
		TEST(test_first_lines),	   TEST(test_shell_form),   TEST(test_starters),
		TEST(test_loaders),	   TEST(test_damage),	    TEST(test_machines),
		TEST(test_libraries),	   TEST(test_run_paths),    TEST(test_cache),
		TEST(test_musl_libraries), TEST(test_versions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The linter of entry points in roots that mean harm: it ends soon, within its memory, and stays
 * in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "entry_root.h"

#define LOADER	 "/lib64/ld-linux-x86-64.so.2"
#define RUN(...) (&(struct root_entry){.argv = {__VA_ARGS__}})
#define ELF(...) (&(struct root_elf){__VA_ARGS__})

enum { FUZZ_RUNS = 600, SECONDS = 20 };

/* Whatever is found: it ends. */
static void look_at(const struct root_entry *re)
{
	_cleanup_entry_report_ struct entry_report r = {};

	root_lint(re, &r);
	assert_true(r.n <= ENTRY_FINDINGS_MAX && r.n_files <= ENTRY_FILES_MAX);
}

static void test_loops(void **state)
{
	char path[32], text[64];

	(void)state;
	root_debian();
	root_file("/self", 0755, "#!/self\n");
	expect(RUN("/self"), "interpreter-loop", "back to itself");
	root_file("/a", 0755, "#!/b\n");
	root_file("/b", 0755, "#!/a\n");
	expect(RUN("/a"), "interpreter-loop", NULL);
	/* five interpreters are what the kernel goes through, six are not */
	for (int i = 0; i < 6; i++) {
		snprintf(path, sizeof(path), "/i%d", i);
		snprintf(text, sizeof(text), i == 5 ? "#!/bin/sh\n" : "#!/i%d\n", i + 1);
		root_file(path, 0755, text);
	}
	expect(RUN("/i1"), NULL, NULL);
	expect(RUN("/i0"), "interpreter-loop", NULL);
	root_file("/env", 0755, "#!/usr/bin/env /env\n");
	look_at(RUN("/env"));
}

static void test_strange_files(void **state)
{
	(void)state;
	root_debian();
	assert_int_equal(mkfifoat(root_fd, "fifo", 0777), 0);
	root_file("/run", 0755, "#!/fifo\n");
	expect(RUN("/run"), "special-file", "/fifo");
	root_elf("/app", 0755, ELF(.interp = "/fifo"));
	expect(RUN("/app"), "special-file", "/fifo");
	root_elf("/app", 0755, ELF(.interp = LOADER, .needed = {"/fifo", "libf.so"}));
	assert_int_equal(mkfifoat(root_fd, "lib/libf.so", 0777), 0);
	expect(RUN("/app"), "library-unreadable", "/fifo");
	expect(RUN("/app"), "library-unreadable", "libf.so");
	assert_int_equal(mkfifoat(root_fd, "etc/ld.so.cache", 0777), 0);
	expect(RUN("/app"), "library-unreadable", "libf.so");
	root_link("/host", "/../../../../../../etc/hostname");
	expect(RUN("/host"), "dangling-link", NULL);
}

static void test_huge(void **state)
{
	char path[] = "/big";
	_cleanup_close_ int fd = -EBADF;
	char *word = malloc(200000);

	(void)state;
	root_debian();
	root_file(path, 0755, "#!/bin/sh\n");
	fd = openat(root_fd, "big", O_WRONLY | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, (off_t)1 << 30), 0);
	expect(RUN("/big"), NULL, NULL);
	root_file("/big", 0755, "");
	close(fd);
	fd = openat(root_fd, "big", O_WRONLY | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, (off_t)1 << 40), 0); /* nothing but zeros */
	expect(RUN("/big"), "wrong-format", NULL);
	memset(word, '/', 199999);
	word[199999] = '\0';
	expect(RUN(word), "path-loop", NULL);
	memset(word, 'x', 199999);
	expect(RUN(word), "not-found", NULL);
	free(word);
}

/* Libraries that need each other under ever new names, along endless run paths. */
static void test_many_libraries(void **state)
{
	char rpath[512] = "", name[64];
	time_t start = time(NULL);
	size_t at = 0;

	(void)state;
	root_debian();
	while (at < 400)
		at += (size_t)snprintf(rpath + at, sizeof(rpath) - at, "/n%zu:", at);
	for (int i = 0; i < 120; i++) {
		char next[4][32];

		for (int k = 0; k < 4; k++)
			snprintf(next[k], sizeof(next[k]), "x%d.so", (i + 1 + k * 7) * (k + 1));
		snprintf(name, sizeof(name), "/lib/x%d.so", i);
		root_elf(name, 0644,
			 ELF(.needed = {next[0], next[1], next[2], next[3]}, .rpath = rpath));
	}
	root_elf("/app", 0755, ELF(.interp = LOADER, .needed = {"x0.so"}, .rpath = rpath));
	look_at(RUN("/app"));
	assert_true(time(NULL) - start < SECONDS);
}

/* Whatever bytes change, in every file that is looked at. The same damage in every run. */
static void test_fuzz(void **state)
{
	static const char *const files[] = {"app", "lib64/ld-linux-x86-64.so.2",
					    "lib/x86_64-linux-gnu/libc.so.6"};
	uint32_t rnd = 20240229;
	unsigned odd = 0;

	(void)state;
	for (int i = 0; i < FUZZ_RUNS; i++) {
		_cleanup_entry_report_ struct entry_report r = {};
		_cleanup_close_ int fd = -EBADF;

		root_debian();
		root_elf("/app", 0755,
			 ELF(.interp = LOADER, .needed = {"libc.so.6"}, .want_file = "libc.so.6",
			     .want = "GLIBC_2.36", .runpath = "$ORIGIN/x"));
		fd = openat(root_fd, files[i % 3], O_RDWR | O_CLOEXEC);
		for (int k = 0; k <= i % 4; k++) {
			unsigned char byte;

			rnd = rnd * 1664525 + 1013904223;
			byte = (unsigned char)(rnd >> 3 & 1 ? 0xff : rnd);
			assert_int_equal(pwrite(fd, &byte, 1, (rnd >> 8) % 700), 1);
		}
		root_lint(RUN("/app"), &r);
		odd += r.n > 0;
	}
	assert_true(odd > 50 && odd < FUZZ_RUNS);
}

/* What lies in a mount that cannot be made may well be there, whether its place is or not. */
static void test_unseen(void **state)
{
	(void)state;
	root_debian();
	root_dir("/app", 0755);
	expect(&(struct root_entry){.argv = {"/app/gone"}, .unseen = "/app"}, NULL, NULL);
	expect(&(struct root_entry){.argv = {"/new/v/run"}, .unseen = "/new/v"}, NULL, NULL);
	expect(&(struct root_entry){.argv = {"./run"}, .cwd = "/new/v", .unseen = "/new/v"}, NULL,
	       NULL);
	expect(&(struct root_entry){.argv = {"/new/w/run"}, .unseen = "/new/v"}, "not-found", NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, root_setup, root_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_loops),	   TEST(test_strange_files), TEST(test_huge),
		TEST(test_many_libraries), TEST(test_fuzz),	     TEST(test_unseen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

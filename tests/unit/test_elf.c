/* ELF files patched in place. The patient is tests/tools/patient.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "kit/elf.h"

static struct names names;
static struct rules rules;
static const struct rewriter w = {&names, &rules};

static char patient_path[PATH_MAX];

static int group_setup(void **state)
{
	static const char *const have[] = {"b", "b/sh", "b/far", "s", "s/patient"};

	ssize_t n = link_read_at(AT_FDCWD, "/proc/self/exe", patient_path, sizeof(patient_path));
	char *slash = n > 0 ? strrchr(patient_path, '/') : NULL;

	(void)state;
	if (!slash || (size_t)(slash - patient_path) + sizeof("/patient") > sizeof(patient_path))
		return -1;
	strcpy(slash, "/patient"); /* it is built beside us */
	for (size_t i = 0; i < ARRAY_LEN(have); i++)
		if (names_add(&names, have[i]) < 0)
			return -1;
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	names_done(&names);
	return 0;
}

static char *patient(size_t *len)
{
	char *data;

	assert_int_equal(file_read_at(AT_FDCWD, patient_path, 1 << 28, &data, len), 0);
	return data;
}

static char *interp_of(const struct elf *f)
{
	for (size_t i = 0; i < f->eh->e_phnum; i++)
		if (f->ph[i].p_type == PT_INTERP)
			return (char *)f->data + f->ph[i].p_offset;
	return NULL;
}

static void test_patched_in_place(void **state)
{
	_cleanup_free_ char *data = NULL, *old = NULL;
	struct elf_stats st = {};
	struct elf f;
	size_t len, old_len;

	(void)state;
	data = patient(&len);
	old = patient(&old_len);
	assert_int_equal(elf_open(&f, data, len), 0);
	elf_relocate(&f, &w, "b/test", &st);
	assert_string_equal(interp_of(&f), "/dev/p/ld.so");
	assert_true(st.interp);
	assert_true(st.strings > 0);
	assert_non_null(memmem(data, len, "\0/dev/p///s/patient/data", 25));
	assert_null(memmem(data, len, "\0/usr/share/patient/data", 25));
	assert_non_null(memmem(data, len, "\0/bin/other", 12));
	/* nothing moved: the file is as long, and its headers are where they were */
	assert_int_equal(len, old_len);
	assert_memory_equal(data, old, sizeof(Elf64_Ehdr));
	assert_int_equal(elf_open(&f, data, len), 0);
}

static void test_the_copy_runs(void **state)
{
	char path[] = "/tmp/pt-elf-XXXXXX", cmd[256], line[256] = "";
	_cleanup_close_ int fd = mkstemp(path);
	_cleanup_free_ char *data = NULL, *loader = NULL;
	struct elf_stats st = {};
	struct elf f;
	size_t len;
	FILE *p;

	(void)state;
#if !defined(__x86_64__) && !defined(__aarch64__)
	skip();
#endif
	data = patient(&len);
	assert_int_equal(elf_open(&f, data, len), 0);
	loader = strdup(interp_of(&f));
	elf_relocate(&f, &w, "b/test", &st);
	assert_true(st.moved >= 2);
	assert_int_equal(st.stuck, 0);
	assert_int_equal(fd_write_all(fd, data, len), 0);
	assert_int_equal(fchmod(fd, 0700), 0);
	snprintf(cmd, sizeof(cmd), "%s %s", loader, path);
	p = popen(cmd, "r");
	assert_non_null(p);
	assert_non_null(fgets(line, sizeof(line), p));
	assert_int_equal(pclose(p), 0);
	unlink(path);
	assert_string_equal(line, "/dev/p/b/far /dev/p/b/sh /bin/other /dev/p///s/patient/data\n");
}

/* ---- arm64, on any machine: a file made by hand ---- */

enum {
	END = 0x180000,	   /* of the segment, but for ROOM zeros */
	STRING = 0x201,	   /* "/bin/sh" */
	RELA = 0x300,	   /* a pointer to it */
	FAR_CODE = 0x1000, /* further from the end than adr reaches */
	NEAR_CODE = END - 0x10000,
	ROOM = 0x100,
};

static uint32_t adrp(uint64_t at, uint64_t to, uint32_t reg)
{
	uint32_t pages = (uint32_t)((to >> 12) - (at >> 12));

	return 0x90000000 | (pages & 3) << 29 | (pages >> 2 & 0x7ffff) << 5 | reg;
}

static uint32_t add(uint32_t to, uint32_t from, uint32_t n)
{
	return 0x91000000 | n << 10 | from << 5 | to;
}

/* What these instructions leave in a register; others than adr, adrp and add do nothing. */
static uint64_t leaves(const unsigned char *file, uint64_t at, size_t n, uint32_t reg)
{
	uint64_t regs[32] = {};

	for (; n-- > 0; at += 4) {
		uint32_t op;
		int64_t number;

		memcpy(&op, file + at, sizeof(op));
		number = (int64_t)((uint64_t)(op >> 5 & 0x7ffff) << 45 | (uint64_t)(op >> 29 & 3)
										 << 43) >>
			 43;
		if ((op & 0x9f000000) == 0x90000000)
			regs[op & 31] = (at & ~0xfffULL) + (uint64_t)number * 4096;
		else if ((op & 0x9f000000) == 0x10000000)
			regs[op & 31] = at + (uint64_t)number;
		else if ((op & 0xffc00000) == 0x91000000)
			regs[op & 31] = regs[op >> 5 & 31] + (op >> 10 & 0xfff);
	}
	return regs[reg];
}

static unsigned char *arm64_file(size_t *len)
{
	static const char names_of[] = "\0.rodata\0.rela.dyn";
	const Elf64_Rela rela = {0, ELF64_R_INFO(0, R_AARCH64_RELATIVE), STRING};
	const uint32_t far_code[] = {
		adrp(FAR_CODE, STRING, 1), 0xf9400005 /* ldr x5, [x0] */, add(1, 1, STRING),
		/* x22 is used further */
		adrp(FAR_CODE, STRING, 22), 0xd10083b3 /* sub x19, x29, #32 */, add(2, 22, STRING),
		adrp(FAR_CODE, STRING, 0), 0x94000000 /* bl */, add(0, 0, STRING)};
	const uint32_t near_code[] = {adrp(NEAR_CODE, STRING, 22),
				      0xd10083b3,
				      add(2, 22, STRING),
				      add(3, 22, STRING + 1),
				      adrp(NEAR_CODE, STRING, 0),
				      0xf94017e2 /* ldr x2, [sp, #40] */,
				      add(1, 0, STRING)};
	const Elf64_Shdr sections[] = {
		{},
		{.sh_type = SHT_STRTAB, .sh_offset = 0x400, .sh_size = sizeof(names_of)},
		{1, SHT_PROGBITS, SHF_ALLOC, 0x200, 0x200, 0x20},
		{9, SHT_RELA, SHF_ALLOC, RELA, RELA, sizeof(rela)},
	};
	const Elf64_Phdr segments[] = {
		{PT_LOAD, PF_R | PF_X, 0, 0, 0, END - ROOM, END - ROOM, 0x10000},
		{PT_DYNAMIC, PF_R, 0x500, 0x500, 0x500, 16, 16, 8},
	};
	const Elf64_Ehdr head = {
		.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
		.e_type = ET_DYN,
		.e_machine = EM_AARCH64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(head),
		.e_phnum = ARRAY_LEN(segments),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_shoff = END,
		.e_shnum = ARRAY_LEN(sections),
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shstrndx = 1,
		.e_ehsize = sizeof(head)};
	unsigned char *file = calloc(1, *len = END + sizeof(sections));

	assert_non_null(file);
	memcpy(file, &head, sizeof(head));
	memcpy(file + sizeof(head), segments, sizeof(segments));
	memcpy(file + STRING, "/bin/sh", 8);
	memcpy(file + RELA, &rela, sizeof(rela));
	memcpy(file + 0x400, names_of, sizeof(names_of));
	memcpy(file + FAR_CODE, far_code, sizeof(far_code));
	memcpy(file + NEAR_CODE, near_code, sizeof(near_code));
	memcpy(file + END, sections, sizeof(sections));
	return file;
}

static void test_arm64(void **state)
{
	size_t len;
	_cleanup_free_ unsigned char *file = arm64_file(&len);
	const uint64_t moved = END - ROOM;
	struct elf_stats st = {};
	struct elf f;

	(void)state;
	/* the tool itself: each names the old string */
	assert_int_equal(leaves(file, FAR_CODE, 3, 1), STRING);
	assert_int_equal(leaves(file, FAR_CODE + 12, 3, 2), STRING);
	assert_int_equal(leaves(file, NEAR_CODE + 16, 3, 1), STRING);
	assert_int_equal(elf_open(&f, file, len), 0);
	elf_relocate(&f, &w, "b/test", &st);
	assert_int_equal(st.moved, 1);
	assert_int_equal(st.stuck, 1); /* the one too far away, of a register used further */
	assert_string_equal((char *)file + moved, "/dev/p/b/sh");
	assert_string_equal((char *)file + STRING, "/bin/sh");
	assert_int_equal(f.ph[0].p_filesz, END - ROOM + sizeof("/dev/p/b/sh"));
	assert_int_equal(((Elf64_Rela *)(file + RELA))->r_addend, moved);
	assert_int_equal(leaves(file, FAR_CODE, 3, 1), moved);
	assert_int_equal(leaves(file, FAR_CODE + 12, 3, 2), STRING);
	assert_int_equal(leaves(file, FAR_CODE + 24, 3, 0), STRING); /* unseen behind a call */
	assert_int_equal(leaves(file, NEAR_CODE, 3, 2), moved);
	assert_int_equal(leaves(file, NEAR_CODE, 4, 3), STRING + 1);
	assert_int_equal(leaves(file, NEAR_CODE + 16, 3, 1), moved);
}

static void test_needed(void **state)
{
	_cleanup_free_ char *data = NULL;
	bool libc = false;
	size_t len, at = 0;
	const char *s;
	struct elf f;

	(void)state;
	data = patient(&len);
	assert_int_equal(elf_open(&f, data, len), 0);
	while ((s = elf_dyn_string(&f, DT_NEEDED, &at)))
		libc |= str_eq(s, "libc.so.6");
	assert_true(libc);
	at = 0;
	assert_null(elf_dyn_string(&f, DT_SONAME, &at));
}

static void test_loader_directories(void **state)
{
	static const uint64_t old_len[] = {22, 26, 5, 9};
	static const char old[] =
		"/lib/x86_64-linux-gnu/\0/usr/lib/x86_64-linux-gnu/\0/lib/\0/usr/lib/";
	struct {
		uint64_t len[4];
		char dirs[sizeof(old)];
	} data;
	struct elf f = {.data = (unsigned char *)&data, .size = sizeof(data)};
	size_t at = 0;

	(void)state;
	memcpy(data.len, old_len, sizeof(old_len));
	memcpy(data.dirs, old, sizeof(old));
	assert_int_equal(elf_loader_dirs(&f, "x86_64-linux-gnu"), 1);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(strlen(data.dirs + at), data.len[i]);
		assert_true(data.len[i] <= 26);
		assert_true(str_starts(data.dirs + at, "/dev/p/"));
		assert_true(str_ends(data.dirs + at, "/l/"));
		at += data.len[i] + 1;
	}
	assert_int_equal(at, sizeof(old));
	/* without the lengths nothing may be touched */
	memset(data.len, 0, sizeof(data.len));
	memcpy(data.dirs, old, sizeof(old));
	assert_int_equal(elf_loader_dirs(&f, "x86_64-linux-gnu"), 0);
	assert_memory_equal(data.dirs, old, sizeof(old));
}

/* A header that lies, byte by byte: refused or harmless. */
static void test_damaged(void **state)
{
	_cleanup_free_ char *good = NULL;
	size_t len, head = sizeof(Elf64_Ehdr) + 13 * sizeof(Elf64_Phdr);

	(void)state;
	good = patient(&len);
	for (size_t i = 0; i < head; i++) {
		_cleanup_free_ char *bad = malloc(len);
		struct elf_stats st = {};
		struct elf f;

		memcpy(bad, good, len);
		bad[i] ^= (char)0xff;
		if (elf_open(&f, bad, len) == 0) {
			size_t at = 0;

			while (elf_dyn_string(&f, DT_NEEDED, &at))
				;
			if (i % 8 == 0)
				elf_relocate(&f, &w, "b/test", &st);
		}
	}
	for (size_t n = 0; n < 4096; n += 7) {
		_cleanup_free_ char *cut = malloc(n ? n : 1);
		struct elf f;

		memcpy(cut, good, n);
		if (elf_open(&f, cut, n) == 0)
			fail_msg("a file of %zu bytes was taken", n);
	}
}

static void test_other_kinds(void **state)
{
	_cleanup_free_ char *data = NULL;
	struct elf f;
	size_t len;

	(void)state;
	data = patient(&len);
	data[EI_CLASS] = ELFCLASS32;
	assert_int_equal(elf_open(&f, data, len), -ENOTSUP);
	assert_int_equal(elf_open(&f, (char *)"#!/bin/sh", 9), -ENOEXEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_patched_in_place),
		cmocka_unit_test(test_the_copy_runs),
		cmocka_unit_test(test_arm64),
		cmocka_unit_test(test_needed),
		cmocka_unit_test(test_loader_directories),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_other_kinds),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

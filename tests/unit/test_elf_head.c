/* elf/head: headers as execve(2) reads them; of real programs, of both classes and orders, damaged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "elf/head.h"

enum { FUZZ_RUNS = 4000 };

/* A whole small program: header, segments, name of the loader, dynamic section, strings. */
struct small {
	Elf64_Ehdr h;
	Elf64_Phdr p[3];
	char interp[32];
	Elf64_Dyn dyn[9];
	char strings[96];
	Elf64_Verneed need;
	Elf64_Vernaux aux[2];
	Elf64_Verdef def;
	Elf64_Verdaux defaux;
};

#define AT(field) offsetof(struct small, field)

static const char strings[] =
	"\0libfoo.so.1\0libc.so.6\0$ORIGIN/../lib\0libme.so\0GLIBC_9.9\0OLD\0";
enum { S_FOO = 1, S_LIBC = 13, S_PATH = 23, S_ME = 38, S_VER = 47, S_OLD = 57 };

static void small_make(struct small *s)
{
	*s = (struct small){
		.h = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1},
		      .e_type = ET_DYN,
		      .e_machine = EM_X86_64,
		      .e_phoff = AT(p),
		      .e_phentsize = sizeof(Elf64_Phdr),
		      .e_phnum = 3},
		.p = {{.p_type = PT_LOAD, .p_vaddr = 0x1000, .p_filesz = sizeof(*s)},
		      {.p_type = PT_INTERP, .p_offset = AT(interp), .p_filesz = 11},
		      {.p_type = PT_DYNAMIC, .p_offset = AT(dyn), .p_filesz = sizeof(s->dyn)}},
		.interp = "/lib/ld.so",
		.dyn = {{DT_NEEDED, {S_FOO}},
			{DT_NEEDED, {S_LIBC}},
			{DT_RUNPATH, {S_PATH}},
			{DT_SONAME, {S_ME}},
			{DT_STRTAB, {0x1000 + AT(strings)}},
			{DT_STRSZ, {sizeof(s->strings)}},
			{DT_VERNEED, {0x1000 + AT(need)}},
			{DT_VERNEEDNUM, {1}}},
		.need = {.vn_cnt = 2, .vn_file = S_LIBC, .vn_aux = AT(aux) - AT(need)},
		.aux = {{.vna_name = S_VER, .vna_next = sizeof(Elf64_Vernaux)},
			{.vna_name = S_OLD, .vna_flags = VER_FLG_WEAK}},
		.def = {.vd_aux = AT(defaux) - AT(def)},
		.defaux = {.vda_name = S_VER},
	};
	memcpy(s->strings, strings, sizeof(strings));
}

static int file_of(const void *data, size_t n)
{
	int fd = memfd_create("elf", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data, n, 0), (ssize_t)n);
	return fd;
}

static int head_of(const void *data, size_t n, struct elf_head *h)
{
	_cleanup_close_ int fd = file_of(data, n);

	return elf_head_read(fd, h);
}

static void test_small(void **state)
{
	_cleanup_elf_head_ struct elf_head h = {};
	_cleanup_elf_needs_ struct elf_needs n = {};
	_cleanup_close_ int fd = -EBADF;
	struct small s;

	(void)state;
	small_make(&s);
	fd = file_of(&s, sizeof(s));
	assert_int_equal(elf_head_read(fd, &h), 0);
	assert_string_equal(h.interp, "/lib/ld.so");
	assert_int_equal(h.machine, EM_X86_64);
	assert_int_equal(h.class, ELFCLASS64);
	assert_true(h.dynamic);
	assert_false(h.big);
	assert_false(h.cut);
	assert_int_equal(elf_needs_read(fd, &h, &n), 0);
	assert_int_equal(n.needed.n, 2);
	assert_string_equal(n.needed.v[0], "libfoo.so.1");
	assert_string_equal(n.needed.v[1], "libc.so.6");
	assert_string_equal(n.soname, "libme.so");
	assert_string_equal(n.runpath, "$ORIGIN/../lib");
	assert_null(n.rpath);
	assert_int_equal(n.n, 1); /* the weak one is not needed */
	assert_string_equal(n.v[0].file, "libc.so.6");
	assert_string_equal(n.v[0].name, "GLIBC_9.9");
	assert_int_equal(n.provides.n, 0);
}

static void test_offers(void **state)
{
	_cleanup_elf_head_ struct elf_head h = {};
	_cleanup_elf_needs_ struct elf_needs n = {};
	_cleanup_close_ int fd = -EBADF;
	struct small s;

	(void)state;
	small_make(&s);
	s.dyn[6] = (Elf64_Dyn){DT_VERDEF, {0x1000 + AT(def)}};
	s.dyn[7] = (Elf64_Dyn){DT_VERDEFNUM, {1}};
	fd = file_of(&s, sizeof(s));
	assert_int_equal(elf_head_read(fd, &h), 0);
	assert_int_equal(elf_needs_read(fd, &h, &n), 0);
	assert_int_equal(n.n, 0);
	assert_int_equal(n.provides.n, 1);
	assert_string_equal(n.provides.v[0], "GLIBC_9.9");
}

/* Each change alone makes the kernel refuse it. */
static void test_refused(void **state)
{
	_cleanup_elf_head_ struct elf_head h = {};
	struct small s;

	(void)state;
#define REFUSED(change)                                                                            \
	do {                                                                                       \
		small_make(&s);                                                                    \
		change;                                                                            \
		assert_int_equal(head_of(&s, sizeof(s), &h), -EBADMSG);                            \
		assert_non_null(h.damage);                                                         \
		assert_null(h.interp);                                                             \
	} while (0)
	REFUSED(s.h.e_phnum = 0);
	REFUSED(s.h.e_phnum = UINT16_MAX);
	REFUSED(s.h.e_phentsize = 1);
	REFUSED(s.h.e_phoff = UINT64_MAX);
	REFUSED(s.h.e_phoff = sizeof(s) - 8);
	REFUSED(s.h.e_type = ET_REL);
	REFUSED(s.h.e_type = ET_CORE);
	REFUSED(s.h.e_ident[EI_CLASS] = 9);
	REFUSED(s.p[0].p_type = PT_NULL);
	REFUSED(s.p[1].p_offset = UINT64_MAX - 4);
	REFUSED(s.p[1].p_filesz = 1);
	REFUSED(s.p[1].p_filesz = UINT64_MAX);
	REFUSED(s.p[1].p_filesz = 5); /* no NUL at its end */
#undef REFUSED
	small_make(&s);
	s.h.e_ident[0] = 'x';
	assert_int_equal(head_of(&s, sizeof(s), &h), -ENOEXEC);
	assert_int_equal(head_of("", 0, &h), -ENOEXEC);
}

static void test_cut(void **state)
{
	struct small s;

	(void)state;
	small_make(&s);
	for (size_t n = 0; n < sizeof(s); n++) {
		_cleanup_elf_head_ struct elf_head h = {};
		int r = head_of(&s, n, &h);

		if (n < SELFMAG)
			assert_int_equal(r, -ENOEXEC);
		else if (n < AT(interp) + 11)
			assert_int_equal(r, -EBADMSG);
		else
			assert_true(r == 0 && h.cut);
	}
}

static void test_other_machines(void **state)
{
	static const unsigned char big32[52 + 32] = {0x7f,
						     'E',
						     'L',
						     'F',
						     ELFCLASS32,
						     ELFDATA2MSB,
						     1,
						     [17] = ET_EXEC,
						     [19] = EM_PPC,
						     [31] = 52,
						     [43] = 32,
						     [45] = 1,
						     [52 + 3] = PT_LOAD};
	_cleanup_elf_head_ struct elf_head h = {};

	(void)state;
	assert_int_equal(head_of(big32, sizeof(big32), &h), 0);
	assert_true(h.big);
	assert_int_equal(h.machine, EM_PPC);
	assert_int_equal(h.type, ET_EXEC);
	assert_null(h.interp);
	assert_false(h.dynamic);
	assert_string_equal(elf_machine_name(h.machine, h.class, h.big), "32-bit PowerPC");
	assert_string_equal(elf_machine_name(EM_S390, ELFCLASS64, true), "s390x");
	assert_string_equal(elf_machine_name(EM_AARCH64, ELFCLASS64, false), "aarch64 (arm64)");
	assert_string_equal(elf_machine_name(0x1234, ELFCLASS64, false), "unknown");
}

/* Ourselves: linked as any program of this machine, with sanitizers. */
static void test_ourselves(void **state)
{
	_cleanup_elf_head_ struct elf_head h = {};
	_cleanup_elf_needs_ struct elf_needs n = {};
	_cleanup_close_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	bool glibc = false;

	(void)state;
	assert_int_equal(elf_head_read(fd, &h), 0);
	assert_true(h.interp && h.interp[0] == '/');
	assert_false(h.cut);
	assert_int_equal(elf_needs_read(fd, &h, &n), 0);
	assert_true(strv_has(&n.needed, "libc.so.6"));
	for (size_t i = 0; i < n.n; i++)
		glibc |= str_eq(n.v[i].file, "libc.so.6") && str_starts(n.v[i].name, "GLIBC_2.");
	assert_true(glibc);
}

/* Whatever bytes change: it ends, within its memory. The same damage in every run. */
static void test_fuzz(void **state)
{
	uint32_t rnd = 20240229;
	unsigned good = 0, bad = 0;

	(void)state;
	for (int i = 0; i < FUZZ_RUNS; i++) {
		_cleanup_elf_head_ struct elf_head h = {};
		_cleanup_elf_needs_ struct elf_needs n = {};
		_cleanup_close_ int fd = -EBADF;
		struct small s;
		int changes = 1 + i % 4;

		small_make(&s);
		while (changes--) {
			size_t at;

			rnd = rnd * 1664525 + 1013904223;
			at = (rnd >> 8) % sizeof(s);
			((unsigned char *)&s)[at] = (unsigned char)(rnd >> 3 & 1 ? 0xff : rnd);
		}
		fd = file_of(&s, sizeof(s));
		if (elf_head_read(fd, &h) < 0) {
			bad++;
			continue;
		}
		good++;
		assert_int_equal(elf_needs_read(fd, &h, &n), 0);
		assert_true(n.needed.n <= ELF_NEEDED_MAX && n.n <= ELF_VERSIONS_MAX);
	}
	assert_true(good > 100 && bad > 100);
}

/* Versions that lead back to themselves, as many as fit. */
static void test_endless_versions(void **state)
{
	_cleanup_elf_head_ struct elf_head h = {};
	_cleanup_elf_needs_ struct elf_needs n = {};
	_cleanup_close_ int fd = -EBADF;
	struct small s;

	(void)state;
	small_make(&s);
	s.dyn[7].d_un.d_val = UINT64_MAX;
	s.need.vn_next = UINT32_MAX & ~0U; /* beyond the end */
	s.need.vn_cnt = UINT16_MAX;
	s.aux[0].vna_next = sizeof(s.aux[0]);
	s.aux[1].vna_next = (Elf64_Word) - sizeof(s.aux[0]);
	fd = file_of(&s, sizeof(s));
	assert_int_equal(elf_head_read(fd, &h), 0);
	assert_int_equal(elf_needs_read(fd, &h, &n), 0);
	assert_true(n.n <= ELF_VERSIONS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small),	       cmocka_unit_test(test_offers),
		cmocka_unit_test(test_refused),	       cmocka_unit_test(test_cut),
		cmocka_unit_test(test_other_machines), cmocka_unit_test(test_ourselves),
		cmocka_unit_test(test_fuzz),	       cmocka_unit_test(test_endless_versions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

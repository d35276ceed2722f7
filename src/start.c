/*
 * The beginning of the program, instead of the C library's.
 *
 * Only where meson.build finds glibc 2.36, static, on x86-64; everywhere else the library's own is
 * linked. That one asks the processor 43 questions (cpuid) to choose among copies of memcpy() and
 * strlen(). In a virtual machine each is answered by the hypervisor: 1 to 6 us, so up to a quarter
 * of a millisecond of every start, where a whole `porthole exec` takes two. Here none is asked, and
 * the functions that every processor can run are taken. It also prepares to load libraries, which
 * no static program does, and looks up the clocks that the kernel lends, which can be asked for by
 * system calls as well: 30 us. All else is as in glibc's csu/libc-start.c.
 */
#include <elf.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* --- of glibc, not declared in its headers --- */

extern void *__libc_stack_end;
extern int __libc_enable_secure;
extern void *_dl_random; /* AT_RANDOM: 16 bytes */
extern const Elf64_Phdr *_dl_phdr;
extern size_t _dl_phnum;
extern int _dl_stack_flags; /* of threads' stacks: PF_* */
extern int __libc_argc;
extern char **__libc_argv;
extern const Elf64_Rela __rela_iplt_start[] __attribute__((weak));
extern const Elf64_Rela __rela_iplt_end[] __attribute__((weak));
extern void (*const __preinit_array_start[])(int, char **, char **);
extern void (*const __preinit_array_end[])(int, char **, char **);
extern void (*const __init_array_start[])(int, char **, char **);
extern void (*const __init_array_end[])(int, char **, char **);
extern void (*const __fini_array_start[])(void);
extern void (*const __fini_array_end[])(void);

void _dl_aux_init(Elf64_auxv_t *aux);
void __tunables_init(char **env);
void __libc_setup_tls(void);
void __libc_early_init(_Bool initial);
void __libc_init_first(int argc, char **argv, char **env);
void __init_misc(int argc, char **argv, char **env);
void __libc_check_standard_fds(void);
void *_dl_debug_initialize(uintptr_t base);
int __cxa_atexit(void (*f)(void *), void *arg, void *dso);
void _init(void);
void _fini(void);
int main(int argc, char **argv, char **env);

/* What its memcpy() and memset() go by, which lies in the file that this one replaces, with its
 * values for a processor it knows nothing of. */
long __x86_data_cache_size_half = 32 * 1024 / 2;
long __x86_data_cache_size = 32 * 1024;
long __x86_shared_cache_size_half = 1024 * 1024 / 2;
long __x86_shared_cache_size = 1024 * 1024;
long __x86_shared_non_temporal_threshold = 1024 * 1024 * 3 / 4;
long __x86_rep_movsb_threshold = 2048;
long __x86_rep_stosb_threshold = 2048;
long __x86_rep_movsb_stop_threshold = 1024 * 1024 * 3 / 4;
int __x86_string_control;

_Noreturn int __libc_start_main(int (*entry)(int, char **, char **), int argc, char **argv,
				void (*init)(void), void (*fini)(void), void (*rtld_fini)(void),
				void *stack_end);

static void end(void *unused)
{
	for (size_t n = (size_t)(__fini_array_end - __fini_array_start); n-- > 0;)
		__fini_array_start[n]();
	_fini();
}

/* Each is a function that says which other is to be called. */
static void choose_functions(void)
{
	for (const Elf64_Rela *r = __rela_iplt_start; r < __rela_iplt_end; r++)
		if (ELF64_R_TYPE(r->r_info) == R_X86_64_IRELATIVE)
			*(uintptr_t *)r->r_offset = ((uintptr_t(*)(void))r->r_addend)();
}

/* What -fstack-protector and setjmp(3) keep in the thread's control block. */
static void set_guards(void)
{
	uintptr_t random[2];

	__builtin_memcpy(random, _dl_random, sizeof(random));
	random[0] &= ~(uintptr_t)0xff; /* a string ends there */
	__asm__ volatile("mov %0, %%fs:0x28\n\tmov %1, %%fs:0x30"
			 :
			 : "r"(random[0]), "r"(random[1]));
}

/* What the file's headers say of memory: no stack to execute, and nothing to write where addresses
 * were put in. */
static void protect(void)
{
	const uintptr_t page = (uintptr_t)getpagesize();

	for (const Elf64_Phdr *h = _dl_phdr; h < _dl_phdr + _dl_phnum; h++) {
		uintptr_t from = h->p_vaddr & -page, to = (h->p_vaddr + h->p_memsz) & -page;

		if (h->p_type == PT_GNU_STACK)
			_dl_stack_flags = (int)h->p_flags;
		if (h->p_type == PT_GNU_RELRO && mprotect((void *)from, to - from, PROT_READ) < 0)
			abort();
	}
}

/* What glibc does next, but for loading libraries. */
static void init_first(int argc, char **argv, char **env)
{
	if (__libc_enable_secure) {
		__libc_init_first(argc, argv, env); /* it also cleans the environment */
		return;
	}
	__libc_argc = argc;
	__libc_argv = argv;
	protect();
	__init_misc(argc, argv, env);
}

_Noreturn int __libc_start_main(int (*entry)(int, char **, char **), int argc, char **argv,
				void (*init)(void), void (*fini)(void), void (*rtld_fini)(void),
				void *stack_end)
{
	char **env = argv + argc + 1, **aux = env;

	environ = env;
	__libc_stack_end = stack_end;
	while (*aux)
		aux++;
	_dl_aux_init((Elf64_auxv_t *)(aux + 1));
	__tunables_init(env);
	choose_functions();
	__libc_setup_tls();
	set_guards();
	__libc_early_init(1);
	init_first(argc, argv, env);
	__cxa_atexit(end, NULL, NULL);
	if (__libc_enable_secure)
		__libc_check_standard_fds();
	for (size_t i = 0; i < (size_t)(__preinit_array_end - __preinit_array_start); i++)
		__preinit_array_start[i](argc, argv, env);
	_init();
	for (size_t i = 0; i < (size_t)(__init_array_end - __init_array_start); i++)
		__init_array_start[i](argc, argv, env);
	_dl_debug_initialize(0);
	exit(entry(argc, argv, env));
}

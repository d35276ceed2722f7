/*
 * What the kernel and the loader want to know of an ELF file: whose it is, who loads it, what it
 * needs.
 *
 * Layer: elf (uses base). Both classes and both byte orders, read piece by piece with pread(2), so
 * that a file of any size costs the same. Everything in it is hostile: each piece is bounded.
 */
#pragma once

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum { ELF_NEEDED_MAX = 512, ELF_VERSIONS_MAX = 1024 };

struct elf_head {
	unsigned char class; /* ELFCLASS32, ELFCLASS64 */
	bool big;	     /* big-endian */
	uint16_t type;	     /* ET_EXEC, ET_DYN ... */
	uint16_t machine;    /* EM_... */
	bool dynamic;	     /* it has a dynamic section */
	bool cut;	     /* the file ends before what is to be loaded of it */
	char *interp;	     /* who loads it, NULL: nobody (static) */
	const char *damage;  /* after -EBADMSG: what is wrong, as in "its program headers ..." */
	/* kept for elf_needs_read() */
	uint64_t phoff;
	uint16_t phnum;
};

void elf_head_done(struct elf_head *h);
#define _cleanup_elf_head_ _cleanup_(elf_head_done)

/* Read the headers of the regular file `fd`, as execve(2) would. 0; -ENOEXEC: no ELF file;
 * -EBADMSG: one that the kernel refuses (h->damage says why, a static string; class and machine are
 * set where they could be read); -ENOMEM, or what pread(2) says. */
int elf_head_read(int fd, struct elf_head *h);

/* A version of an interface: "GLIBC_2.34" of "libc.so.6". */
struct elf_version {
	char *file, *name;
};

struct elf_needs {
	struct strv needed;    /* libraries, as they are named: soname or path */
	char *soname;	       /* its own, or NULL */
	char *rpath, *runpath; /* lists with ':' as they are written, or NULL */
	struct elf_version *v; /* versions it needs (weak ones left out) */
	size_t n;
	struct strv provides; /* versions it has to offer */
};

void elf_needs_done(struct elf_needs *n);
#define _cleanup_elf_needs_ _cleanup_(elf_needs_done)

/* Read the dynamic section of a file whose headers were read. What lies outside of the file is left
 * out, and lists are cut at the limits above. 0 (also when there is none), -ENOMEM or what
 * pread(2) says. */
int elf_needs_read(int fd, const struct elf_head *h, struct elf_needs *n);

/* "x86-64", "aarch64", "armv7 ..." of EM_...; a static string, "unknown" for strangers. */
const char *elf_machine_name(uint16_t machine, unsigned char class, bool big);

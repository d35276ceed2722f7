/*
 * ELF files, patched in place: interpreter, strings and run paths; nothing moves.
 *
 * Layer: kit (uses base). 64-bit little-endian; anything else is left alone.
 */
#pragma once

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kit/rewrite.h"

/* A checked view into the bytes of a file. */
struct elf {
	unsigned char *data;
	size_t size;
	Elf64_Ehdr *eh;
	Elf64_Phdr *ph;	   /* eh->e_phnum of them */
	Elf64_Shdr *sh;	   /* eh->e_shnum of them; NULL: none */
	const char *names; /* section names */
	size_t names_size;
};

struct elf_stats {
	size_t strings; /* rewritten where they lie */
	size_t moved;	/* rewritten elsewhere, their users redirected */
	size_t stuck;	/* could be neither */
	bool interp;
};

/* True for bytes that start like an ELF file. */
bool elf_is(const void *data, size_t size);

/* Check the headers. 0, -ENOEXEC (not ELF), -ENOTSUP (another class or byte order) or -EBADMSG (a
 * header points outside). */
int elf_open(struct elf *f, void *data, size_t size);

/* Bytes of a section, inside the file; NULL when it has none there. */
void *elf_section(const struct elf *f, const Elf64_Shdr *s, size_t *size);
const char *elf_section_name(const struct elf *f, const Elf64_Shdr *s);

/* The virtual address of a file offset, 0 when not mapped. */
uint64_t elf_address(const struct elf *f, size_t offset);

/* Strings of the dynamic section with this tag, in turn: start with *at = 0; NULL after the last.
 * Borrowed; inside the file and NUL-terminated. */
char *elf_dyn_string(const struct elf *f, int64_t tag, size_t *at);

/* Point everything at the kit; a static program stays as it is. `path` is the file's kit path (for
 * `exact` rules). */
void elf_relocate(struct elf *f, const struct rewriter *w, const char *path, struct elf_stats *st);

/* In the loader itself: its built-in library directories become the kit's. Returns how many tables
 * changed; 0 when this loader has none of the known form. */
size_t elf_loader_dirs(struct elf *f, const char *triplet);

/* Zero the read-only data. */
void elf_blank(struct elf *f);

/* Move strings that must grow into the padding behind a segment and redirect what points at them
 * (x86-64 and arm64). Offsets in `far` count from the start of the file. */
void elf_move_strings(struct elf *f, const struct rewrite_fars *far, struct elf_stats *st);

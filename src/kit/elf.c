#include "kit/elf.h"

#include <errno.h>
#include <fnmatch.h>

#include "kit/kit.h"

bool elf_is(const void *data, size_t size)
{
	return size >= SELFMAG && memcmp(data, ELFMAG, SELFMAG) == 0;
}

static bool inside(const struct elf *f, uint64_t off, uint64_t len)
{
	return off <= f->size && len <= f->size - off;
}

int elf_open(struct elf *f, void *data, size_t size)
{
	Elf64_Ehdr *eh = data;

	*f = (struct elf){.data = data, .size = size, .eh = eh};
	if (!elf_is(data, size))
		return -ENOEXEC;
	if (size < sizeof(*eh))
		return -EBADMSG;
	if (eh->e_ident[EI_CLASS] != ELFCLASS64 || eh->e_ident[EI_DATA] != ELFDATA2LSB)
		return -ENOTSUP;
	if (eh->e_phnum) {
		if (eh->e_phentsize != sizeof(Elf64_Phdr) || eh->e_phoff % 8 ||
		    !inside(f, eh->e_phoff, (uint64_t)eh->e_phnum * sizeof(Elf64_Phdr)))
			return -EBADMSG;
		f->ph = (Elf64_Phdr *)(f->data + eh->e_phoff);
	}
	if (eh->e_shnum && eh->e_shoff) {
		const Elf64_Shdr *s;

		if (eh->e_shentsize != sizeof(Elf64_Shdr) || eh->e_shoff % 8 ||
		    !inside(f, eh->e_shoff, (uint64_t)eh->e_shnum * sizeof(Elf64_Shdr)))
			return -EBADMSG;
		f->sh = (Elf64_Shdr *)(f->data + eh->e_shoff);
		if (eh->e_shstrndx >= eh->e_shnum)
			return -EBADMSG;
		s = &f->sh[eh->e_shstrndx];
		f->names = elf_section(f, s, &f->names_size);
		if (!f->names || !f->names_size || f->names[f->names_size - 1])
			return -EBADMSG;
	}
	return 0;
}

void *elf_section(const struct elf *f, const Elf64_Shdr *s, size_t *size)
{
	*size = 0;
	if (s->sh_type == SHT_NOBITS || s->sh_type == SHT_NULL ||
	    !inside(f, s->sh_offset, s->sh_size))
		return NULL;
	*size = s->sh_size;
	return f->data + s->sh_offset;
}

const char *elf_section_name(const struct elf *f, const Elf64_Shdr *s)
{
	return s->sh_name < f->names_size ? f->names + s->sh_name : "";
}

/* File offset of a virtual address, or SIZE_MAX. */
static size_t elf_offset(const struct elf *f, uint64_t vaddr)
{
	for (size_t i = 0; i < f->eh->e_phnum; i++) {
		const Elf64_Phdr *p = &f->ph[i];

		if (p->p_type == PT_LOAD && vaddr >= p->p_vaddr &&
		    vaddr - p->p_vaddr < p->p_filesz && inside(f, p->p_offset, p->p_filesz))
			return p->p_offset + (vaddr - p->p_vaddr);
	}
	return SIZE_MAX;
}

uint64_t elf_address(const struct elf *f, size_t offset)
{
	for (size_t i = 0; i < f->eh->e_phnum; i++) {
		const Elf64_Phdr *p = &f->ph[i];

		if (p->p_type == PT_LOAD && offset >= p->p_offset &&
		    offset - p->p_offset < p->p_filesz)
			return p->p_vaddr + (offset - p->p_offset);
	}
	return 0;
}

/* The dynamic section; NULL when there is none or it lies outside. */
static const Elf64_Dyn *dynamic(const struct elf *f, size_t *n)
{
	for (size_t i = 0; i < f->eh->e_phnum; i++) {
		const Elf64_Phdr *p = &f->ph[i];

		if (p->p_type != PT_DYNAMIC || p->p_offset % 8 ||
		    !inside(f, p->p_offset, p->p_filesz))
			continue;
		*n = p->p_filesz / sizeof(Elf64_Dyn);
		return (const Elf64_Dyn *)(f->data + p->p_offset);
	}
	*n = 0;
	return NULL;
}

char *elf_dyn_string(const struct elf *f, int64_t tag, size_t *at)
{
	uint64_t table = 0, table_size = 0;
	size_t n, off;
	const Elf64_Dyn *d = dynamic(f, &n);

	for (size_t i = 0; i < n && d[i].d_tag != DT_NULL; i++) {
		if (d[i].d_tag == DT_STRTAB)
			table = d[i].d_un.d_ptr;
		if (d[i].d_tag == DT_STRSZ)
			table_size = d[i].d_un.d_val;
	}
	off = table ? elf_offset(f, table) : SIZE_MAX;
	if (off == SIZE_MAX || !inside(f, off, table_size))
		return NULL;
	for (; *at < n && d[*at].d_tag != DT_NULL; ++*at) {
		uint64_t s = d[*at].d_un.d_val;

		if (d[*at].d_tag != tag || s >= table_size ||
		    !memchr(f->data + off + s, '\0', table_size - s))
			continue;
		++*at;
		return (char *)f->data + off + s;
	}
	return NULL;
}

/* Sections that hold strings: data in memory that is no code and no table of the tool chain. */
static bool holds_strings(const struct elf *f, const Elf64_Shdr *s)
{
	const char *name = elf_section_name(f, s);

	return s->sh_type == SHT_PROGBITS && (s->sh_flags & SHF_ALLOC) &&
	       !(s->sh_flags & SHF_EXECINSTR) &&
	       (str_starts(name, ".rodata") || str_starts(name, ".data"));
}

/* "/lib64/ld-linux-x86-64.so.2" becomes the shorter name of the kit's own, where it lies. */
static void set_interp(struct elf *f, struct elf_stats *st)
{
	static const char loader[] = KIT_PREFIX "/ld.so";

	for (size_t i = 0; i < f->eh->e_phnum; i++) {
		Elf64_Phdr *p = &f->ph[i];
		char *s;

		if (p->p_type != PT_INTERP || p->p_filesz < sizeof(loader) ||
		    !inside(f, p->p_offset, p->p_filesz))
			continue;
		s = (char *)f->data + p->p_offset;
		if (!str_starts(s, "/lib"))
			continue;
		memset(s, 0, p->p_filesz);
		memcpy(s, loader, sizeof(loader));
		p->p_filesz = p->p_memsz = sizeof(loader);
		for (size_t j = 0; f->sh && j < f->eh->e_shnum; j++)
			if (f->sh[j].sh_offset == p->p_offset)
				f->sh[j].sh_size = sizeof(loader); /* strip looks here */
		st->interp = true;
	}
}

static void run_paths(struct elf *f, const struct rewriter *w, struct elf_stats *st)
{
	static const int64_t tags[] = {DT_RUNPATH, DT_RPATH};

	for (size_t t = 0; t < ARRAY_LEN(tags); t++) {
		size_t at = 0;
		char *s;

		while ((s = elf_dyn_string(f, tags[t], &at)))
			st->strings += rewrite_fixed(w, s, strlen(s), NULL);
	}
}

static void exact(const struct rules *r, const char *path, char *data, size_t size,
		  struct elf_stats *st)
{
	for (size_t i = 0; i < r->exact.n; i++)
		if (fnmatch(r->exact.v[i].where, path, 0) == 0)
			st->strings +=
				rewrite_exact(data, size, r->exact.v[i].from, r->exact.v[i].to);
}

/* A program with a libc of its own in it, and that one's tables of directories: it runs as it is.
 */
static bool is_static(const struct elf *f)
{
	for (size_t i = 0; i < f->eh->e_phnum; i++)
		if (f->ph[i].p_type == PT_DYNAMIC || f->ph[i].p_type == PT_INTERP)
			return false;
	return f->eh->e_type == ET_EXEC;
}

void elf_relocate(struct elf *f, const struct rewriter *w, const char *path, struct elf_stats *st)
{
	struct rewrite_fars far = {};

	if (is_static(f))
		return;
	if (str_eq(path, "ld.so"))
		st->strings += elf_loader_dirs(f, w->names->triplet);
	set_interp(f, st);
	run_paths(f, w, st);
	for (size_t i = 0; f->sh && i < f->eh->e_shnum; i++) {
		size_t size, before = far.n;
		char *data = elf_section(f, &f->sh[i], &size);

		if (!data || !holds_strings(f, &f->sh[i]))
			continue;
		exact(w->rules, path, data, size, st);
		st->strings += rewrite_fixed(w, data, size, &far);
		for (size_t j = before; j < far.n; j++)
			far.v[j].off += f->sh[i].sh_offset;
	}
	if (far.n && !rules_match(&w->rules->asis, path))
		elf_move_strings(f, &far, st);
	rewrite_fars_done(&far);
}

void elf_blank(struct elf *f)
{
	for (size_t i = 0; f->sh && i < f->eh->e_shnum; i++) {
		size_t size;
		void *data = elf_section(f, &f->sh[i], &size);

		if (data && str_eq(elf_section_name(f, &f->sh[i]), ".rodata"))
			memset(data, 0, size);
	}
}

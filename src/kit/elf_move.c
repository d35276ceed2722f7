/*
 * Strings that must grow, such as "/bin/sh": the new text goes into the zero padding between the
 * end of a read-only segment and the end of its last page, which is mapped anyway; every
 * instruction and relocation that names the old address is pointed at it. The old string stays, so
 * a user we did not see loses nothing.
 */
#include "kit/elf.h"

#define PAGE 4096u

struct move {
	uint64_t from, to; /* virtual addresses; to 0: no room yet */
	const char *text;
	size_t users;
};

struct moves {
	struct move *v;
	size_t n;
	uint64_t min, max; /* of `from` */
	const struct machine *machine;
	size_t left; /* users that cannot reach the new place */
};

/* How programs of a machine name an address. */
struct machine {
	uint16_t id;
	uint32_t relative; /* the relocation that adds where the file lies */
	void (*code)(struct moves *m, unsigned char *p, size_t size, uint64_t vaddr, bool fixed);
};

static struct move *find(struct moves *m, uint64_t addr)
{
	if (addr < m->min || addr > m->max)
		return NULL;
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].from == addr)
			return &m->v[i];
	return NULL;
}

/* Count a user of `addr`; with room assigned, returns the new address, else 0. */
static uint64_t use(struct moves *m, uint64_t addr)
{
	struct move *v = find(m, addr);

	if (!v)
		return 0;
	v->users++;
	return v->to;
}

static void put32(unsigned char *p, uint32_t v)
{
	memcpy(p, &v, sizeof(v));
}

static uint32_t get32(const unsigned char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* lea disp32(%rip),%r64 and, in programs at a fixed address, mov $imm32,%r32. */
static void code_x86_64(struct moves *m, unsigned char *p, size_t size, uint64_t vaddr, bool fixed)
{
	for (size_t i = 0; i + 7 <= size; i++) {
		uint64_t next = vaddr + i + 7, to;

		if ((p[i] & 0xfb) == 0x48 && p[i + 1] == 0x8d && (p[i + 2] & 0xc7) == 0x05) {
			to = use(m, next + (uint64_t)(int64_t)(int32_t)get32(p + i + 3));
			if (to)
				put32(p + i + 3, (uint32_t)(to - next));
		} else if (fixed && (p[i] & 0xf8) == 0xb8) {
			to = use(m, get32(p + i + 1));
			if (to)
				put32(p + i + 1, (uint32_t)to);
		}
	}
}

/* May this instruction of arm64 read or write the register, or go elsewhere? */
static bool touches(uint32_t op, uint32_t reg)
{
	/* with a number (but extr), and loads and stores with one: two registers */
	bool two = ((op & 0x1c000000) == 0x10000000 && (op & 0x1f800000) != 0x13800000) ||
		   (op & 0x3b000000) == 0x39000000;

	return (op & 0x1c000000) == 0x14000000 || (op & 31) == reg || (op >> 5 & 31) == reg ||
	       (!two && ((op >> 10 & 31) == reg || (op >> 16 & 31) == reg));
}

/* add xE, xD, #low: ours when xD is `page`, as the instruction at `p`, adrp xD, left it. It becomes
 * adr xE, new; where that is too far (1 MiB) both are changed, unless xD is used further. */
static void add_low(struct moves *m, unsigned char *p, uint64_t vaddr, uint64_t page, size_t after)
{
	const uint32_t first = get32(p), op = get32(p + after), reg = first & 31;
	uint64_t to, far, pages;

	if ((op & 0xffc003e0) != (0x91000000 | reg << 5))
		return;
	to = use(m, page + (op >> 10 & 0xfff));
	if (!to)
		return;
	far = to - (vaddr + after);
	pages = (to >> 12) - (vaddr >> 12);
	if (far + (1 << 20) < 2 << 20) {
		put32(p + after, 0x10000000 | (uint32_t)(far & 3) << 29 |
					 (uint32_t)(far >> 2 & 0x7ffff) << 5 | (op & 31));
	} else if ((op & 31) == reg && pages + (1 << 20) < 2 << 20) {
		put32(p, 0x90000000 | (uint32_t)(pages & 3) << 29 |
				 (uint32_t)(pages >> 2 & 0x7ffff) << 5 | reg);
		put32(p + after, (op & 0xffc003ff) | (uint32_t)(to & 0xfff) << 10);
	} else {
		m->left++;
	}
}

/* adrp xD, page and, soon after it, add xE, xD, #low. */
static void code_arm64(struct moves *m, unsigned char *p, size_t size, uint64_t vaddr, bool fixed)
{
	enum { SOON = 16 * 4 };

	for (size_t i = (4 - vaddr % 4) % 4; i + 4 <= size; i += 4) {
		const uint32_t op = get32(p + i);
		/* its number has 21 bits, and counts pages of 4096 */
		uint64_t by = (uint64_t)(op >> 5 & 0x7ffff) << 45 | (uint64_t)(op >> 29 & 3) << 43;
		size_t after = 4;

		if ((op & 0x9f000000) != 0x90000000)
			continue;
		while (after < SOON && i + after + 4 <= size &&
		       !touches(get32(p + i + after), op & 31))
			after += 4;
		if (after < SOON && i + after + 4 <= size)
			add_low(m, p + i, vaddr + i,
				((vaddr + i) & ~(uint64_t)0xfff) + (uint64_t)((int64_t)by >> 31),
				after);
	}
}

static const struct machine machines[] = {
	{EM_X86_64, R_X86_64_RELATIVE, code_x86_64},
	{EM_AARCH64, R_AARCH64_RELATIVE, code_arm64},
};

static const struct machine *machine_of(const struct elf *f)
{
	for (size_t i = 0; i < ARRAY_LEN(machines); i++)
		if (f->eh->e_machine == machines[i].id)
			return &machines[i];
	return NULL;
}

/* Pointers that lie in writable data themselves (fixed address, or packed relative relocations). */
static void words(struct moves *m, unsigned char *p, size_t size)
{
	for (size_t i = 0; i + 8 <= size; i += 8) {
		uint64_t v, to;

		memcpy(&v, p + i, sizeof(v));
		to = use(m, v);
		if (to)
			memcpy(p + i, &to, sizeof(to));
	}
}

static void relocations(struct moves *m, const struct elf *f)
{
	for (size_t i = 0; i < f->eh->e_shnum; i++) {
		size_t size;
		Elf64_Rela *r = elf_section(f, &f->sh[i], &size);

		if (!r || f->sh[i].sh_type != SHT_RELA || f->sh[i].sh_offset % 8)
			continue;
		for (size_t j = 0; j < size / sizeof(*r); j++) {
			uint64_t to;

			if (ELF64_R_TYPE(r[j].r_info) != m->machine->relative)
				continue;
			to = use(m, (uint64_t)r[j].r_addend);
			if (to)
				r[j].r_addend = (int64_t)to;
		}
	}
}

static bool has_relr(const struct elf *f)
{
	for (size_t i = 0; i < f->eh->e_shnum; i++)
		if (str_eq(elf_section_name(f, &f->sh[i]), ".relr.dyn"))
			return true;
	return false;
}

static void visit(struct moves *m, struct elf *f)
{
	bool fixed = f->eh->e_type == ET_EXEC, in_place = fixed || has_relr(f);

	for (size_t i = 0; i < m->n; i++)
		m->v[i].users = 0;
	for (size_t i = 0; i < f->eh->e_phnum; i++) {
		const Elf64_Phdr *p = &f->ph[i];
		unsigned char *data;

		if (p->p_type != PT_LOAD || p->p_offset > f->size ||
		    p->p_filesz > f->size - p->p_offset)
			continue;
		data = f->data + p->p_offset;
		if (p->p_flags & PF_X) {
			m->machine->code(m, data, p->p_filesz, p->p_vaddr, fixed);
		} else if (in_place && (p->p_flags & PF_W) && p->p_offset % 8 == p->p_vaddr % 8) {
			size_t skip = (8 - p->p_offset % 8) % 8;

			if (skip < p->p_filesz)
				words(m, data + skip, p->p_filesz - skip);
		}
	}
	relocations(m, f);
}

/* Zero bytes behind segment `p` that are mapped with it and belong to nobody. */
static size_t room(const struct elf *f, const Elf64_Phdr *p)
{
	uint64_t end = p->p_offset + p->p_filesz;
	uint64_t limit = (end + PAGE - 1) / PAGE * PAGE, n = 0;

	if (p->p_type != PT_LOAD || (p->p_flags & PF_W) || p->p_memsz != p->p_filesz ||
	    p->p_offset % PAGE != p->p_vaddr % PAGE || end > f->size)
		return 0;
	if (limit > f->size)
		limit = f->size;
	for (size_t i = 0; i < f->eh->e_phnum; i++)
		if (f->ph[i].p_filesz && f->ph[i].p_offset >= end && f->ph[i].p_offset < limit)
			limit = f->ph[i].p_offset;
	for (size_t i = 0; i < f->eh->e_shnum; i++)
		if (f->sh[i].sh_size && f->sh[i].sh_offset >= end && f->sh[i].sh_offset < limit)
			limit = f->sh[i].sh_offset;
	if (f->eh->e_shoff >= end && f->eh->e_shoff < limit)
		limit = f->eh->e_shoff;
	while (end + n < limit && f->data[end + n] == 0)
		n++;
	return n;
}

/* Put the text behind some segment; its new address, or 0. */
static uint64_t place(struct elf *f, const char *text)
{
	size_t n = strlen(text) + 1;

	for (size_t i = 0; i < f->eh->e_phnum; i++) {
		Elf64_Phdr *p = &f->ph[i];
		uint64_t addr = p->p_vaddr + p->p_filesz;

		if (room(f, p) < n)
			continue;
		memcpy(f->data + p->p_offset + p->p_filesz, text, n);
		p->p_filesz += n;
		p->p_memsz += n;
		return addr;
	}
	return 0;
}

void elf_move_strings(struct elf *f, const struct rewrite_fars *far, struct elf_stats *st)
{
	_cleanup_free_ struct move *v = calloc(far->n, sizeof(*v));
	struct moves m = {.v = v, .n = far->n, .min = UINT64_MAX, .machine = machine_of(f)};

	if (!v || !f->sh || !m.machine) {
		st->stuck += far->n;
		return;
	}
	for (size_t i = 0; i < far->n; i++) {
		v[i].from = elf_address(f, far->v[i].off);
		v[i].text = far->v[i].path;
		if (v[i].from && v[i].from < m.min)
			m.min = v[i].from;
		if (v[i].from > m.max)
			m.max = v[i].from;
	}
	visit(&m, f); /* who uses them; nothing has a new place yet */
	for (size_t i = 0; i < m.n; i++) {
		if (v[i].from && v[i].users)
			v[i].to = place(f, v[i].text);
		st->moved += v[i].to != 0;
		st->stuck += v[i].users && !v[i].to;
	}
	visit(&m, f);
	st->stuck += m.left;
}

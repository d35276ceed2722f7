#include "elf/head.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* The kernel's own limits: of the program headers, and of the interpreter's name. */
enum { PHDRS_BYTES_MAX = 65536, INTERP_MIN = 2 };
/* Ours. */
enum { DYN_BYTES_MAX = 1 << 16, NAME_BYTES_MAX = 4096 };

/* One program header in what we need of it. */
struct segment {
	uint32_t type;
	uint64_t offset, vaddr, filesz;
};

static uint64_t number(bool big, const unsigned char *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[big ? i : n - 1 - i];
	return v;
}

/* A field of both classes: where it is in each, and how large. */
#define FIELD(h, data, s, field)                                                                   \
	((h)->class == ELFCLASS64 ? number((h)->big, (data) + offsetof(Elf64_##s, field),          \
					   sizeof(((Elf64_##s *)0)->field))                        \
				  : number((h)->big, (data) + offsetof(Elf32_##s, field),          \
					   sizeof(((Elf32_##s *)0)->field)))
#define SIZE_OF(h, s) ((h)->class == ELFCLASS64 ? sizeof(Elf64_##s) : sizeof(Elf32_##s))

/* All of it, or false: there is no such part of the file. */
static bool read_at(int fd, void *data, size_t n, uint64_t at)
{
	if (at > INT64_MAX - n)
		return false;
	for (size_t done = 0; done < n;) {
		ssize_t r = pread(fd, (char *)data + done, n - done, (off_t)(at + done));

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return false;
		done += (size_t)r;
	}
	return true;
}

void elf_head_done(struct elf_head *h)
{
	free(h->interp);
	*h = (struct elf_head){};
}

static int damaged(struct elf_head *h, const char *why)
{
	h->damage = why;
	return -EBADMSG;
}

static struct segment segment_at(const struct elf_head *h, const unsigned char *phdrs, size_t i)
{
	const unsigned char *p = phdrs + i * SIZE_OF(h, Phdr);

	return (struct segment){
		.type = (uint32_t)FIELD(h, p, Phdr, p_type),
		.offset = FIELD(h, p, Phdr, p_offset),
		.vaddr = FIELD(h, p, Phdr, p_vaddr),
		.filesz = FIELD(h, p, Phdr, p_filesz),
	};
}

static unsigned char *phdrs_read(int fd, const struct elf_head *h)
{
	size_t size = h->phnum * SIZE_OF(h, Phdr);
	unsigned char *data = malloc(size ? size : 1);

	if (data && !read_at(fd, data, size, h->phoff)) {
		free(data);
		data = NULL;
		errno = EBADMSG;
	}
	return data;
}

/* The name of the loader, as the kernel takes it. */
static int interp_read(int fd, const struct segment *s, struct elf_head *h)
{
	if (h->interp)
		return 0; /* the first one counts */
	if (s->filesz < INTERP_MIN || s->filesz > PATH_MAX)
		return damaged(h, "the name of its loader is of an impossible length");
	h->interp = calloc(1, s->filesz + 1);
	if (!h->interp)
		return -ENOMEM;
	if (!read_at(fd, h->interp, s->filesz, s->offset))
		return damaged(h, "the name of its loader lies outside of the file");
	if (h->interp[s->filesz - 1])
		return damaged(h, "the name of its loader has no end");
	return 0;
}

static int segments_read(int fd, uint64_t file_size, struct elf_head *h)
{
	_cleanup_free_ unsigned char *phdrs = phdrs_read(fd, h);
	bool loads = false;
	int r = 0;

	if (!phdrs)
		return errno == EBADMSG
			       ? damaged(h,
					 "its program headers lie outside of the file, which was "
					 "probably cut off")
			       : -ENOMEM;
	for (size_t i = 0; i < h->phnum && r == 0; i++) {
		struct segment s = segment_at(h, phdrs, i);

		if (s.type == PT_LOAD) {
			loads = true;
			h->cut |= s.filesz &&
				  (s.offset > file_size || s.filesz > file_size - s.offset);
		} else if (s.type == PT_DYNAMIC) {
			h->dynamic = true;
		} else if (s.type == PT_INTERP) {
			r = interp_read(fd, &s, h);
		}
	}
	if (r == 0 && !loads)
		return damaged(h, "there is nothing in it to load");
	return r;
}

static int ident_read(const unsigned char *head, size_t n, struct elf_head *h)
{
	if (n < SELFMAG || memcmp(head, ELFMAG, SELFMAG) != 0)
		return -ENOEXEC;
	if (n < EI_NIDENT)
		return damaged(h, "it ends within its header");
	h->class = head[EI_CLASS];
	h->big = head[EI_DATA] == ELFDATA2MSB;
	if (h->class != ELFCLASS32 && h->class != ELFCLASS64)
		return damaged(h, "it is neither a 32-bit nor a 64-bit file");
	if (n < SIZE_OF(h, Ehdr))
		return damaged(h, "it ends within its header");
	h->type = (uint16_t)FIELD(h, head, Ehdr, e_type);
	h->machine = (uint16_t)FIELD(h, head, Ehdr, e_machine);
	h->phoff = FIELD(h, head, Ehdr, e_phoff);
	h->phnum = (uint16_t)FIELD(h, head, Ehdr, e_phnum);
	if (h->type != ET_EXEC && h->type != ET_DYN)
		return damaged(h, "it is no program but an object file or a core");
	if (!h->phnum || h->phnum * SIZE_OF(h, Phdr) > PHDRS_BYTES_MAX ||
	    FIELD(h, head, Ehdr, e_phentsize) != SIZE_OF(h, Phdr))
		return damaged(h, "its program headers make no sense");
	return 0;
}

int elf_head_read(int fd, struct elf_head *h)
{
	unsigned char head[sizeof(Elf64_Ehdr)];
	struct stat st;
	ssize_t n;
	int r;

	*h = (struct elf_head){};
	if (fstat(fd, &st) < 0)
		return -errno;
	n = pread(fd, head, sizeof(head), 0);
	if (n < 0)
		return -errno;
	r = ident_read(head, (size_t)n, h);
	if (r == 0)
		r = segments_read(fd, (uint64_t)st.st_size, h);
	if (r < 0) {
		free(h->interp);
		h->interp = NULL;
	}
	return r;
}

/* ---- the dynamic section ---- */

/* What is needed while it is read. */
struct dyn {
	int fd;
	const struct elf_head *h;
	unsigned char *phdrs;
	unsigned char *entries;
	size_t n;
	uint64_t strings; /* file offset, UINT64_MAX: none */
	uint64_t strings_size;
};

static void dyn_done(struct dyn *d)
{
	free(d->phdrs);
	free(d->entries);
}

/* File offset of an address that is loaded from the file, UINT64_MAX: none. */
static uint64_t offset_of(const struct dyn *d, uint64_t vaddr)
{
	for (size_t i = 0; i < d->h->phnum; i++) {
		struct segment s = segment_at(d->h, d->phdrs, i);

		if (s.type == PT_LOAD && vaddr >= s.vaddr && vaddr - s.vaddr < s.filesz)
			return s.offset + (vaddr - s.vaddr);
	}
	return UINT64_MAX;
}

static bool entry_at(const struct dyn *d, size_t i, uint64_t *tag, uint64_t *value)
{
	const unsigned char *p = d->entries + i * SIZE_OF(d->h, Dyn);

	*tag = FIELD(d->h, p, Dyn, d_tag);
	*value = FIELD(d->h, p, Dyn, d_un);
	return i < d->n && *tag != DT_NULL;
}

static uint64_t value_of(const struct dyn *d, uint64_t want, uint64_t none)
{
	uint64_t tag, value;

	for (size_t i = 0; i < d->n && entry_at(d, i, &tag, &value); i++)
		if (tag == want)
			return value;
	return none;
}

/* The string at an offset of the table, in a new string; NULL: there is none there, or memory is
 * out (then errno is ENOMEM). */
static char *string_at(const struct dyn *d, uint64_t at)
{
	char text[NAME_BYTES_MAX];
	size_t want = sizeof(text), n = 0;
	ssize_t r = 0;

	errno = 0;
	if (d->strings == UINT64_MAX || at >= d->strings_size || d->strings + at > INT64_MAX - want)
		return NULL;
	if (want > d->strings_size - at)
		want = (size_t)(d->strings_size - at);
	r = pread(d->fd, text, want, (off_t)(d->strings + at));
	n = r > 0 ? strnlen(text, (size_t)r) : 0;
	return r > 0 && n < (size_t)r ? strdup(text) : NULL;
}

static int dyn_open(int fd, const struct elf_head *h, struct dyn *d)
{
	*d = (struct dyn){.fd = fd, .h = h, .strings = UINT64_MAX};
	d->phdrs = phdrs_read(fd, h);
	if (!d->phdrs)
		return errno == EBADMSG ? 0 : -ENOMEM;
	for (size_t i = 0; i < h->phnum; i++) {
		struct segment s = segment_at(h, d->phdrs, i);
		size_t size = s.filesz < DYN_BYTES_MAX ? (size_t)s.filesz : DYN_BYTES_MAX;
		uint64_t table;

		if (s.type != PT_DYNAMIC)
			continue;
		d->entries = calloc(1, size ? size : 1);
		if (!d->entries)
			return -ENOMEM;
		if (!read_at(fd, d->entries, size, s.offset))
			return 0;
		d->n = size / SIZE_OF(h, Dyn);
		table = value_of(d, DT_STRTAB, 0);
		d->strings = table ? offset_of(d, table) : UINT64_MAX;
		d->strings_size = value_of(d, DT_STRSZ, 0);
		return 0;
	}
	return 0;
}

static int take_string(const struct dyn *d, uint64_t at, char **out)
{
	if (*out)
		return 0;
	*out = string_at(d, at);
	return !*out && errno == ENOMEM ? -ENOMEM : 0;
}

static int names_read(const struct dyn *d, struct elf_needs *n)
{
	uint64_t tag, value;
	int r = 0;

	for (size_t i = 0; r == 0 && i < d->n && entry_at(d, i, &tag, &value); i++) {
		char *s = NULL;

		if (tag == DT_SONAME)
			r = take_string(d, value, &n->soname);
		else if (tag == DT_RPATH)
			r = take_string(d, value, &n->rpath);
		else if (tag == DT_RUNPATH)
			r = take_string(d, value, &n->runpath);
		else if (tag == DT_NEEDED && n->needed.n < ELF_NEEDED_MAX)
			r = take_string(d, value, &s);
		if (r == 0 && s)
			r = strv_push(&n->needed, s);
	}
	return r;
}

/* Records of versions have the same form in both classes. */
#define VERSION(d, data, s, field)                                                                 \
	number((d)->h->big, (const unsigned char *)(data) + offsetof(Elf64_##s, field),            \
	       sizeof(((Elf64_##s *)0)->field))

/* Add the versions of one library that a record of needs names, `at` being the first of them. */
static int needs_of(const struct dyn *d, const char *file, uint64_t at, size_t count,
		    struct elf_needs *n)
{
	unsigned char aux[sizeof(Elf64_Vernaux)];

	for (size_t i = 0; i < count && i < ELF_VERSIONS_MAX && n->n < ELF_VERSIONS_MAX; i++) {
		struct elf_version *v;
		char *name;

		if (!read_at(d->fd, aux, sizeof(aux), at))
			return 0;
		name = VERSION(d, aux, Vernaux, vna_flags) & VER_FLG_WEAK
			       ? NULL
			       : string_at(d, VERSION(d, aux, Vernaux, vna_name));
		v = name ? reallocarray(n->v, n->n + 1, sizeof(*v)) : NULL;
		if (v) {
			n->v = v;
			v[n->n] = (struct elf_version){.file = strdup(file), .name = name};
			if (!v[n->n++].file)
				return -ENOMEM;
		} else if (name) {
			free(name);
			return -ENOMEM;
		}
		if (!VERSION(d, aux, Vernaux, vna_next))
			return 0;
		at += VERSION(d, aux, Vernaux, vna_next);
	}
	return 0;
}

static int version_needs_read(const struct dyn *d, struct elf_needs *n)
{
	uint64_t vaddr = value_of(d, DT_VERNEED, 0), left = value_of(d, DT_VERNEEDNUM, 0);
	uint64_t at = vaddr ? offset_of(d, vaddr) : UINT64_MAX;
	unsigned char need[sizeof(Elf64_Verneed)];
	int r = 0;

	if (left > ELF_NEEDED_MAX)
		left = ELF_NEEDED_MAX;
	while (r == 0 && left-- && read_at(d->fd, need, sizeof(need), at)) {
		_cleanup_free_ char *file = string_at(d, VERSION(d, need, Verneed, vn_file));
		uint64_t next = VERSION(d, need, Verneed, vn_next);

		if (file)
			r = needs_of(d, file, at + VERSION(d, need, Verneed, vn_aux),
				     VERSION(d, need, Verneed, vn_cnt), n);
		if (!next)
			break;
		at += next;
	}
	return r;
}

static int version_offers_read(const struct dyn *d, struct elf_needs *n)
{
	uint64_t vaddr = value_of(d, DT_VERDEF, 0), left = value_of(d, DT_VERDEFNUM, 0);
	uint64_t at = vaddr ? offset_of(d, vaddr) : UINT64_MAX;
	unsigned char def[sizeof(Elf64_Verdef)], aux[sizeof(Elf64_Verdaux)];

	if (left > ELF_VERSIONS_MAX)
		left = ELF_VERSIONS_MAX;
	while (left-- && read_at(d->fd, def, sizeof(def), at)) {
		uint64_t next = VERSION(d, def, Verdef, vd_next);
		char *name = NULL;

		if (read_at(d->fd, aux, sizeof(aux), at + VERSION(d, def, Verdef, vd_aux)))
			name = string_at(d, VERSION(d, aux, Verdaux, vda_name));
		if (name && strv_push(&n->provides, name) < 0)
			return -ENOMEM;
		if (!next)
			break;
		at += next;
	}
	return 0;
}

void elf_needs_done(struct elf_needs *n)
{
	strv_done(&n->needed);
	strv_done(&n->provides);
	for (size_t i = 0; i < n->n; i++) {
		free(n->v[i].file);
		free(n->v[i].name);
	}
	free(n->v);
	free(n->soname);
	free(n->rpath);
	free(n->runpath);
	*n = (struct elf_needs){};
}

int elf_needs_read(int fd, const struct elf_head *h, struct elf_needs *n)
{
	_cleanup_(dyn_done) struct dyn d = {};
	int r;

	*n = (struct elf_needs){};
	if (!h->dynamic)
		return 0;
	r = dyn_open(fd, h, &d);
	if (r == 0)
		r = names_read(&d, n);
	if (r == 0)
		r = version_needs_read(&d, n);
	if (r == 0)
		r = version_offers_read(&d, n);
	return r;
}

/* ---- machines ---- */

const char *elf_machine_name(uint16_t machine, unsigned char class, bool big)
{
	static const struct {
		uint16_t machine;
		unsigned char class; /* 0: any */
		const char *little, *big;
	} names[] = {
		{EM_X86_64, ELFCLASS64, "x86-64", NULL},
		{EM_X86_64, ELFCLASS32, "x86-64 (x32)", NULL},
		{EM_386, 0, "i386", NULL},
		{EM_AARCH64, 0, "aarch64 (arm64)", "aarch64, big-endian"},
		{EM_ARM, 0, "32-bit ARM", "32-bit ARM, big-endian"},
		{EM_RISCV, ELFCLASS64, "riscv64", NULL},
		{EM_RISCV, ELFCLASS32, "riscv32", NULL},
		{EM_PPC64, 0, "ppc64le", "ppc64"},
		{EM_PPC, 0, "32-bit PowerPC", "32-bit PowerPC"},
		{EM_S390, 0, NULL, "s390x"},
		{EM_MIPS, 0, "MIPS, little-endian", "MIPS"},
		{EM_LOONGARCH, 0, "loongarch64", NULL},
		{EM_SPARCV9, 0, NULL, "sparc64"},
		{EM_IA_64, 0, "ia64", NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *name = big ? names[i].big : names[i].little;

		if (names[i].machine == machine && name &&
		    (!names[i].class || names[i].class == class))
			return name;
	}
	return "unknown";
}

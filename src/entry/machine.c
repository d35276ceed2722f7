/* Which machine's programs this host can run: by itself, or through binfmt_misc. */
#include <fcntl.h>
#include <stdio.h>

#include "base/fd.h"
#include "entry/lint_priv.h"

enum { HANDLERS_MAX = 256, HANDLER_BYTES = 4096, MAGIC_MAX = 256 };

static const struct {
	const char *machine; /* of uname(2) */
	const char *platform;
	uint16_t native[2];
} machines[] = {
	{"x86_64", "linux/amd64", {EM_X86_64, EM_386}},
	{"aarch64", "linux/arm64", {EM_AARCH64, EM_ARM}},
	{"armv8l", "linux/arm64", {EM_AARCH64, EM_ARM}},
	{"armv7l", "linux/arm/v7", {EM_ARM, 0}},
	{"i686", "linux/386", {EM_386, 0}},
	{"riscv64", "linux/riscv64", {EM_RISCV, 0}},
	{"ppc64le", "linux/ppc64le", {EM_PPC64, 0}},
	{"s390x", "linux/s390x", {EM_S390, 0}},
	{"loongarch64", "linux/loong64", {EM_LOONGARCH, 0}},
};

bool machine_is_native(const struct lint *l, const struct elf_head *h)
{
	bool big = str_eq(l->host->machine, "s390x");

	for (size_t i = 0; i < ARRAY_LEN(machines); i++)
		if (str_eq(machines[i].machine, l->host->machine))
			return h->big == big && (h->machine == machines[i].native[0] ||
						 h->machine == machines[i].native[1]);
	return true;
}

const char *machine_platform(const char *machine)
{
	for (size_t i = 0; i < ARRAY_LEN(machines); i++)
		if (str_eq(machines[i].machine, machine))
			return machines[i].platform;
	return "";
}

/* ---- binfmt_misc ---- */

/* What follows `key`, a word and a blank, at the start of a line; NULL: there is no such line. *len
 * to its end. */
static const char *line_of(const char *text, const char *key, size_t *len)
{
	const char *p = str_line(text, key);

	*len = p ? strcspn(p, "\n") : 0;
	return p;
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "7f454c46" as bytes. Their number. */
static size_t bytes_of(const char *text, size_t len, unsigned char out[MAGIC_MAX])
{
	size_t n = 0;

	while (2 * n + 1 < len && n < MAGIC_MAX) {
		int hi = hex(text[2 * n]), lo = hex(text[2 * n + 1]);

		if (hi < 0 || lo < 0)
			break;
		out[n++] = (unsigned char)(hi << 4 | lo);
	}
	return n;
}

static bool magic_fits(const char *text, const unsigned char *head, size_t n)
{
	unsigned char magic[MAGIC_MAX], mask[MAGIC_MAX];
	const char *m, *k, *o;
	size_t len, mask_len, size, at = 0;

	m = line_of(text, "magic ", &len);
	if (!m)
		return false;
	size = bytes_of(m, len, magic);
	k = line_of(text, "mask ", &mask_len);
	if (!k || bytes_of(k, mask_len, mask) != size)
		memset(mask, 0xff, sizeof(mask));
	o = line_of(text, "offset ", &len);
	if (o)
		at = strtoul(o, NULL, 10);
	if (!size || at > n || size > n - at)
		return false;
	for (size_t i = 0; i < size; i++)
		if ((head[at + i] ^ magic[i]) & mask[i])
			return false;
	return true;
}

static bool name_fits(const char *text, const char *name)
{
	const char *dot = strrchr(name, '.'), *p;
	size_t len;

	p = line_of(text, "extension ", &len);
	return p && dot && len && *p == '.' && strlen(dot) == len && memcmp(dot, p, len) == 0;
}

char *machine_handler(const struct lint *l, const unsigned char *head, size_t n, const char *name,
		      bool *fixed)
{
	_cleanup_dir_ DIR *d = NULL;
	struct dirent *entry;
	char text[HANDLER_BYTES];
	int left = HANDLERS_MAX;

	*fixed = false;
	d = l->host->proc_fd < 0 ? NULL : dir_open(l->host->proc_fd, "sys/fs/binfmt_misc");
	while (d && left-- && (entry = readdir(d))) {
		const char *p;
		size_t len;

		if (entry->d_name[0] == '.' || str_eq(entry->d_name, "register") ||
		    str_eq(entry->d_name, "status") ||
		    file_read_small_at(dirfd(d), entry->d_name, text, sizeof(text)) <= 0 ||
		    !str_starts(text, "enabled") ||
		    (!magic_fits(text, head, n) && !name_fits(text, name)))
			continue;
		p = line_of(text, "flags: ", &len);
		*fixed = p && memchr(p, 'F', len);
		p = line_of(text, "interpreter ", &len);
		return p ? strndup(p, len) : NULL;
	}
	return NULL;
}

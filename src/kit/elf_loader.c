/*
 * The loader's own list of directories, which it tries when its cache has no answer: four strings
 * one behind the other and, apart from them, an array of their lengths (glibc's dl-load.c,
 * system_dirs). All four become directories of the kit, so that no library of the target is ever
 * loaded into one of our programs.
 */
#include "kit/elf.h"

#include "kit/kit.h"

enum { DIRS = 4 };

/* The four strings as Debian's glibc has them for a triplet. Returns their size with NULs. */
static size_t dirs_of(const char *triplet, char *out, size_t size, uint64_t len[DIRS])
{
	static const char *const format[DIRS] = {"/lib/%s/", "/usr/lib/%s/", "/lib/", "/usr/lib/"};
	size_t at = 0;

	for (size_t i = 0; i < DIRS; i++) {
		const char *hole = strstr(format[i], "%s");
		int n = hole ? snprintf(out + at, size - at, "%.*s%s/", (int)(hole - format[i]),
					format[i], triplet)
			     : snprintf(out + at, size - at, "%s", format[i]);

		if (n < 0 || at + (size_t)n + 1 >= size)
			return 0;
		len[i] = (uint64_t)n;
		at += (size_t)n + 1;
	}
	return at;
}

/* Four times the kit's library directory, padded to the same size; none longer than the longest was
 * (the loader sizes a buffer by that). False when it cannot be done. */
static bool kit_dirs(size_t size, uint64_t longest, char *out, uint64_t len[DIRS])
{
	static const char dir[] = "l/";
	uint64_t least = strlen(KIT_PREFIX "/") + strlen(dir);
	size_t at = 0, spare = size - DIRS * (least + 1);

	if (size < DIRS * (least + 1))
		return false;
	for (size_t i = 0; i < DIRS; i++) {
		uint64_t add = longest - least < spare ? longest - least : spare;

		len[i] = least + add;
		spare -= add;
		if (!rewrite_pad(dir, len[i], out + at))
			return false;
		at += len[i];
		out[at++] = '\0';
	}
	return spare == 0;
}

static size_t replace(struct elf *f, const void *from, const void *to, size_t n)
{
	unsigned char *p = f->data, *end = f->data + f->size;
	size_t count = 0;

	while ((p = memmem(p, (size_t)(end - p), from, n))) {
		memcpy(p, to, n);
		p += n;
		count++;
	}
	return count;
}

size_t elf_loader_dirs(struct elf *f, const char *triplet)
{
	uint64_t old_len[DIRS], new_len[DIRS];
	char old[512], new[512];
	size_t n = dirs_of(triplet, old, sizeof(old), old_len);

	if (!n || !kit_dirs(n, old_len[1], new, new_len))
		return 0;
	/* the lengths first: without them the strings stay as they are */
	if (!replace(f, old_len, new_len, sizeof(old_len)))
		return 0;
	return replace(f, old, new, n);
}

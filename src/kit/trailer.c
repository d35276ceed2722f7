#include "kit/trailer.h"

#include <endian.h>
#include <string.h>
#include <unistd.h>

#define TRAILER_VERSION 1

static const char trailer_magic[16] = "\nporthole-kit\n\x1a";

/* As it lies in the file. */
struct raw {
	uint64_t elf_size, offset, size;
	uint64_t version;
	char reserved[16];
	char magic[16];
};
_Static_assert(sizeof(struct raw) == KIT_TRAILER_SIZE, "the trailer has 64 bytes");

int kit_trailer_read(int fd, uint64_t file_size, const char *path, struct kit_trailer *t,
		     struct err *e)
{
	uint64_t end;
	struct raw raw;
	ssize_t n;

	if (file_size < sizeof(raw))
		return 0;
	n = pread(fd, &raw, sizeof(raw), (off_t)(file_size - sizeof(raw)));
	if (n < 0)
		return err_set(e, errno, "cannot read %s", path);
	if (n != sizeof(raw) || memcmp(raw.magic, trailer_magic, sizeof(raw.magic)) != 0)
		return 0;
	if (le64toh(raw.version) != TRAILER_VERSION)
		return err_say(e, EBADMSG,
			       "the kit appended to %s is of another version of Porthole", path);
	t->elf_size = le64toh(raw.elf_size);
	t->offset = le64toh(raw.offset);
	t->size = le64toh(raw.size);
	if (t->elf_size > t->offset || t->offset % KIT_PAGE || t->size < KIT_PAGE ||
	    __builtin_add_overflow(t->offset, t->size, &end) || end > file_size - sizeof(raw))
		return err_say(e, EBADMSG,
			       "the kit appended to %s is damaged: its trailer is wrong", path);
	return 1;
}

void kit_trailer_format(const struct kit_trailer *t, unsigned char out[KIT_TRAILER_SIZE])
{
	struct raw raw = {
		.elf_size = htole64(t->elf_size),
		.offset = htole64(t->offset),
		.size = htole64(t->size),
		.version = htole64(TRAILER_VERSION),
	};

	memcpy(raw.magic, trailer_magic, sizeof(raw.magic));
	memcpy(out, &raw, sizeof(raw));
}

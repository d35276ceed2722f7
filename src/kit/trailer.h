/*
 * The last 64 bytes of an executable that carries a kit.
 *
 * Layer: kit. ELF, padding to 4096, image, padding to 8, trailer. All numbers little-endian.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define KIT_TRAILER_SIZE 64
#define KIT_PAGE	 4096 /* an EROFS block: what fsoffset= must be a multiple of */

struct kit_trailer {
	uint64_t elf_size; /* bytes of the executable without any kit */
	uint64_t offset;   /* where the image starts */
	uint64_t size;	   /* bytes of the image */
};

/* Look for a trailer at the end of a file of `file_size` bytes. Returns 1 and fills *t, 0 when
 * there is none, -EBADMSG (with `e` naming `path`) when there is one and it cannot be true, or
 * -errno. */
int kit_trailer_read(int fd, uint64_t file_size, const char *path, struct kit_trailer *t,
		     struct err *e);

/* The 64 bytes to write. */
void kit_trailer_format(const struct kit_trailer *t, unsigned char out[KIT_TRAILER_SIZE]);

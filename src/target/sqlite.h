/*
 * SQLite databases, read only and by key: podman 5 keeps its containers in one.
 *
 * Layer: target, private to it. As bolt.h: read by pread(2), never locked, so that a writer at work
 * can make a look-up fail, nothing worse. One with a write-ahead log, whose file may be out of
 * date, is refused; podman's have none. https://www.sqlite.org/fileformat2.html
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct sqlite {
	int fd;
	uint32_t page_size;
	uint32_t usable; /* of a page */
};

#define SQLITE_INIT	 ((struct sqlite){.fd = -EBADF})
#define _cleanup_sqlite_ _cleanup_(sqlite_close)

/* Open a database below `dir`. 0 or -errno; -EBADMSG when it is none, -ENOTSUP for one with a
 * write-ahead log, or in UTF-16. */
int sqlite_open(struct sqlite *s, int dir, const char *path);
void sqlite_close(struct sqlite *s);

/* The text or blob in column `col` (from 0) of the row of `table` whose column 0, a text that is
 * its primary key, is `key`: a new NUL-terminated string. 0, or -ENOENT (no such row, none there),
 * -EBADMSG, -ENOMEM. */
int sqlite_get(const struct sqlite *s, const char *table, const char *key, unsigned col, char **out,
	       size_t *len);

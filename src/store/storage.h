/*
 * What the readers of engines' storages share: a directory that nothing leads out of, and what is
 * said when something in it is not as it should be.
 *
 * Layer: store, private to it. Linux 5.6 for openat2(2).
 */
#pragma once

#include <stdarg.h>

#include "base/json.h"
#include "store/store.h"

/* The most that is read of one small file of a storage (`lower`, a hosts file's name), in bytes. */
#define STORAGE_TEXT_MAX ((size_t)1 << 20)

/* One engine's directory. What is read below it is found without leaving it, whatever links say. */
struct storage {
	int fd;	    /* O_PATH | O_DIRECTORY */
	char *path; /* for people */
};

#define STORAGE_INIT	  ((struct storage){.fd = -EBADF})
#define _cleanup_storage_ _cleanup_(storage_close)
void storage_close(struct storage *s);

/* Open the host's directory `path`, links followed below r->root_fd. 0 or -errno with `e`. */
int storage_open(const struct target_roots *r, const char *path, struct storage *out,
		 struct err *e);
/* A directory of a storage as one of its own. */
int storage_below(const struct storage *s, const char *path, struct storage *out, struct err *e);

/* Whether something is there. */
bool storage_has(const struct storage *s, const char *path);

/* Read a regular file, at most `max` bytes; the caller frees *out. 0; -ENOENT, -EACCES ... with the
 * file in `e`; -EBADMSG when it is no file, larger, or holds a NUL byte. */
int storage_read(const struct storage *s, const char *path, size_t max, char **out, struct err *e);
/* The same, parsed. */
int storage_json(const struct storage *s, const char *path, json_t **out, struct err *e);
/* The same, of a file that holds one name, which can be part of a path. */
int storage_name(const struct storage *s, const char *path, char **out, struct err *e);

/* Add the directory DIR/NAME (NULL: DIR itself) of the storage as the next layer; neither may be a
 * link. DIR: one component, or several. -ENOENT, -EBADMSG with `e`. */
int storage_layer(const struct storage *s, const char *dir, const char *name, struct store *out,
		  struct err *e);

/* Make of -ENOENT, whatever was not there, what it means for a container: when it is still in its
 * engine's books, -EBADMSG with the file that `e` names; else -ENOENT, removed meanwhile. */
int storage_gone(const struct target *t, bool in_books, struct err *e);

/* Say that a storage is damaged: what about it, as "S/PATH: ..." and what to do. Returns -EBADMSG.
 */
int storage_bad(struct err *e, const struct storage *s, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

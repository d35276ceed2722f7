/*
 * The files of an image archive, wherever they are: in a directory, or inside a tar that is read in
 * place.
 *
 * Layer: store, private to it. Names lead nowhere but to other files of the same archive.
 */
#pragma once

#include <jansson.h>

#include "store/stream.h"

/* A regular file of a tar, or a link to one. */
struct member {
	char *name; /* clean */
	char *link; /* clean: what it is a link to; NULL: a file */
	uint64_t at, size;
};

struct files {
	int dir;   /* owned; -EBADF: a tar */
	int tar;   /* owned; -EBADF: a directory */
	bool ours; /* the directory is a copy: what was read for the last time may go */
	struct member *v;
	size_t n, bytes;
	bool more; /* than were kept */
};

#define FILES_INIT	((struct files){.dir = -EBADF, .tar = -EBADF})
#define _cleanup_files_ _cleanup_(files_done)
void files_done(struct files *f);

/* Look through a tar file without reading what is in its files; `fd` is taken, also on error. 0;
 * -EBADMSG when it is no tar (but maybe a compressed one), -errno. */
int files_of_tar(int fd, struct budget *budget, struct files *out, struct err *e);

/* There is a regular file of that name. */
bool files_has(const struct files *f, const char *name);

/* One file of it. 0, -ENOENT, -ENOTSUP (no regular file), -ELOOP, -errno. */
int files_open(const struct files *f, const char *name, struct blob *out);

/* Read and parse a small one. `digest` is what it must have, or NULL. The caller owns *out. 0, or
 * -errno and which file in `e`. */
int files_json(const struct files *f, const char *name, const char *digest, json_t **out,
	       struct err *e);

/* Whether any name in the archive's root is true of `is`; of a tar, of files and links alone. */
bool files_any(const struct files *f, bool (*is)(const char *name));

/* It will not be read again. */
void files_drop(const struct files *f, const struct blob *b);

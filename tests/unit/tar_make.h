/* Tars made by hand, right ones and wrong ones; and what they were unpacked to. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"

/* A header of any kind, with what may be wrong in it. */
struct tar_head {
	const char *name, *link;
	char type;
	unsigned mode;
	uint64_t size; /* as it is said */
	unsigned uid, gid, major, minor;
	int64_t mtime;
};

void tar_head(struct buf *b, const struct tar_head *h);
/* Make the sum of a block right again, if it is a header. */
void tar_sum_again(char *block);
/* Content, padded to whole blocks. */
void tar_body(struct buf *b, const void *data, size_t n);
/* A pax header for the next entry: records as they are. */
void tar_pax(struct buf *b, const void *records, size_t n);
void tar_pax_record(struct buf *records, const char *key, const void *value, size_t n);
void tar_end(struct buf *b);

/* The usual ones; names of any length (GNU's long ones). */
void tar_file(struct buf *b, const char *name, const char *text);
void tar_dir(struct buf *b, const char *name, unsigned mode);
void tar_link(struct buf *b, const char *name, char type, const char *to);

/* A memfd of it, at its start; and a regular file of that path. */
int tar_fd(const void *data, size_t n);
void tar_write(const char *path, const struct buf *b);

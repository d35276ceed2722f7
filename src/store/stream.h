/*
 * The bytes of a file, or of a part of one, decompressed when they are compressed.
 *
 * Layer: store, private to it (libarchive: gzip, xz, zstd, bzip2, found by their first bytes).
 * Nothing here trusts the data: what comes out is counted against a budget, digests are taken of
 * both sides on the way.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "store/digest.h"

/* A part of a regular file. */
struct blob {
	int fd; /* owned */
	uint64_t at, size;
};

#define BLOB_INIT      ((struct blob){.fd = -EBADF})
#define _cleanup_blob_ _cleanup_(blob_done)
void blob_done(struct blob *b);

/* What an archive may still cost, all its parts together. */
struct budget {
	uint64_t limit;	  /* bytes of memory, for people */
	uint64_t bytes;	  /* that may come out, zeros included */
	uint64_t entries; /* of archives */
	uint64_t xattrs;  /* bytes of extended attributes */
	void (*progress)(uint64_t done, uint64_t total, void *data); /* or NULL */
	void *data;
	uint64_t done, total; /* bytes read */
};

/* For so many bytes of memory; half of what the machine has. */
struct budget budget_of(uint64_t limit);
uint64_t budget_default(void);
/* One entry more: 0, or -EFBIG. */
int budget_entry(struct budget *b, struct err *e);

struct stream {
	struct archive *a;
	const struct blob *blob; /* borrowed */
	struct budget *budget;	 /* borrowed */
	uint64_t pos;		 /* of the blob, where the next bytes are read */
	char *buf;
	bool plain; /* not compressed */
	bool empty; /* nothing is in it */
	struct digest in, out;
};

#define _cleanup_stream_ _cleanup_(stream_done)
void stream_done(struct stream *s);

/* Begin; the blob and budget must outlive the stream. 0 or -errno. */
int stream_open(struct stream *s, const struct blob *blob, struct budget *budget, struct err *e);

/* The next piece, valid until the next call. Its length, 0 at the end, -EBADMSG when it is damaged
 * or cut off, -EFBIG when more comes out than the budget has. */
ssize_t stream_read(struct stream *s, const void **data, struct err *e);

/* Read what is left, then compare: `digest` with the file's bytes, `diff_id` with what came out
 * (NULL: not known). 0, or -EBADMSG and both digests in `e`. */
int stream_finish(struct stream *s, const char *digest, const char *diff_id, struct err *e);

/* After a failure: read the blob to its end, as it lies there, and see whether its digest is
 * another than `digest` (NULL: not known). Then true, and `e` says so. */
bool stream_damaged(struct stream *s, const char *digest, struct err *e);

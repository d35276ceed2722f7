/*
 * Read an EROFS image without the kernel: for unpacking, `kit list` and `kit info`.
 *
 * Layer: kit. The image is not trusted: every offset is checked against its size, every loop is
 * bounded by it, and damage is -EBADMSG with a sentence. Files: plain, inline, chunk-based, and LZ4
 * with full or compacted indexes and clusters of any size. Extended attributes are skipped; other
 * compressors, packed tails and fragments (not mkfs.erofs's defaults) are -ENOTSUP.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct erofs;

/* One file of the image. */
struct erofs_inode {
	uint64_t nid; /* its number: the same for all hard links */
	uint64_t size;
	mode_t mode;
	uint32_t uid, gid, nlink;
	int64_t mtime;
	uint32_t mtime_nsec;

	/* private */
	unsigned layout;
	uint64_t meta_end; /* where the inode and its attributes end */
	uint32_t u;	   /* first block, or device, or chunk format */
};

struct erofs_dirent {
	char name[256]; /* one path component, never "." or ".."; raw bytes */
	uint64_t nid;
};

/* Open the image at `offset` of `fd` (borrowed), `size` bytes. `name` (borrowed) is for messages.
 * The caller ends it with erofs_close(). */
int erofs_open(int fd, uint64_t offset, uint64_t size, const char *name, struct erofs **out,
	       struct err *e);
void erofs_close(struct erofs *fs);
#define _cleanup_erofs_ _cleanup_(erofs_closep)
static inline void erofs_closep(struct erofs **fs)
{
	erofs_close(*fs);
}

/* What its superblock tells. */
struct erofs_super {
	uint64_t bytes; /* of the image */
	uint64_t inodes;
	uint64_t root;	/* nid of / */
	uint32_t block; /* bytes of a block */
	bool lz4;	/* some files are compressed */
	bool big;	/* in clusters of more than a block */
};
const struct erofs_super *erofs_super(const struct erofs *fs);

/* Read an inode. */
int erofs_inode_read(struct erofs *fs, uint64_t nid, struct erofs_inode *out, struct err *e);

/* The inode at an absolute path without "..". Links are not followed. -ENOENT. */
int erofs_lookup(struct erofs *fs, const char *path, struct erofs_inode *out, struct err *e);

/* Call `fn` for every entry of a directory but "." and "..", in the image's order; stops at the
 * first that is not 0 and returns it. Names are checked: no slash, no NUL, not empty. */
int erofs_dir_each(struct erofs *fs, const struct erofs_inode *dir,
		   int (*fn)(void *arg, const struct erofs_dirent *d, struct err *e), void *arg,
		   struct err *e);

/* Hand the bytes [off, off+len) of a file (cut at its end) to `fn`, in order and in pieces; `data`
 * NULL is a hole of `n` zero bytes. Stops at the first that is not 0 and returns it. */
int erofs_read_each(struct erofs *fs, const struct erofs_inode *in, uint64_t off, uint64_t len,
		    int (*fn)(void *arg, const void *data, uint64_t n, struct err *e), void *arg,
		    struct err *e);

/* A whole file, at most `max` bytes (-EFBIG), NUL-terminated, freed by the caller. `len` may be
 * NULL. */
int erofs_read_all(struct erofs *fs, const struct erofs_inode *in, size_t max, char **out,
		   size_t *len, struct err *e);

/* A whole file to the regular, empty file `fd`; holes stay holes. */
int erofs_copy_out(struct erofs *fs, const struct erofs_inode *in, int fd, struct err *e);

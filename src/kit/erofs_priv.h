/*
 * What the files of the EROFS reader share. Format: Linux Documentation/filesystems/erofs.rst.
 *
 * Layer: kit, private to erofs*.c.
 */
#pragma once

#include <endian.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "kit/erofs.h"

/* Data layouts of an inode. */
enum {
	EROFS_PLAIN = 0,      /* consecutive blocks */
	EROFS_LZ_FULL = 1,    /* compressed, 8 bytes of index a logical cluster */
	EROFS_INLINE = 2,     /* consecutive blocks, the tail behind the inode */
	EROFS_LZ_COMPACT = 3, /* compressed, 2 or 4 bytes of index a logical cluster */
	EROFS_CHUNKS = 4,     /* chunks anywhere */
};

enum {
	EROFS_CACHE_LINE = 4096,
	EROFS_CACHE_LINES = 8,
	EROFS_PLEN_MAX = 1 << 20,  /* largest compressed cluster */
	EROFS_LLEN_MAX = 12 << 20, /* the most one may decompress to (Z_EROFS_PCLUSTER_MAX_DSIZE) */
};

struct erofs {
	int fd;
	uint64_t base; /* of the image in fd */
	uint64_t work; /* bytes read so far: damage must not make us read for hours */
	const char *name;
	struct erofs_super super;
	unsigned blkbits;
	uint64_t meta; /* byte offset of inode 0 */
	int64_t epoch; /* mtime of inodes that have none */
	uint32_t epoch_nsec;
	bool padded;	 /* compressed data ends at the end of its cluster */
	bool lz_configs; /* clusters say how they are compressed */

	struct {
		uint64_t line; /* number plus 1; 0: empty */
		unsigned char data[EROFS_CACHE_LINE];
	} cache[EROFS_CACHE_LINES];

	unsigned char *in,
		*out; /* one compressed cluster, and what it holds; made when first needed */
	size_t out_size;
};

/* A run of a file's bytes and where they are. */
struct erofs_extent {
	uint64_t la, llen; /* in the file */
	uint64_t pa, plen; /* in the image */
	enum {
		EXTENT_HOLE,
		EXTENT_RAW,	/* plen >= llen bytes as they are */
		EXTENT_LZ4,	/* plen bytes decompress to llen */
		EXTENT_ROTATED, /* as they are, but those up to the first block boundary come last
				 */
	} how;
};

/* The state of walking a compressed file's clusters from its start. */
struct erofs_lz {
	bool started;
	bool compact2, big1, big2, interlaced;
	unsigned algo1, algo2;
	unsigned lbits;	  /* log2 of a logical cluster */
	uint64_t index;	  /* where its index starts */
	uint64_t entries; /* logical clusters of the file */
	uint64_t next;	  /* logical cluster the next extent starts in */
};

/* The sentence for a damaged image; returns -EBADMSG. */
int erofs_damaged(const struct erofs *fs, struct err *e, const char *what);

/* Read exactly `len` bytes at `off` of the image; outside of it is damage. */
int erofs_pread(struct erofs *fs, uint64_t off, void *buf, size_t len, struct err *e);
/* The same, cached: for small pieces of metadata. */
int erofs_meta(struct erofs *fs, uint64_t off, void *buf, size_t len, struct err *e);

/* The extent that covers `pos`, or for compressed files (which are walked from their start with
 * `lz`, zeroed before the first call) the next one. Its llen is at least 1. */
int erofs_map(struct erofs *fs, const struct erofs_inode *in, uint64_t pos, struct erofs_lz *lz,
	      struct erofs_extent *out, struct err *e);
int erofs_map_lz(struct erofs *fs, const struct erofs_inode *in, struct erofs_lz *lz,
		 struct erofs_extent *out, struct err *e);

static inline uint16_t get16(const unsigned char *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return le16toh(v);
}

static inline uint32_t get32(const unsigned char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static inline uint64_t get64(const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

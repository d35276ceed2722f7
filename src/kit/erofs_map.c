/* Where a file's bytes are: plain, inline and chunk-based files. */
#include "kit/erofs_priv.h"

enum {
	CHUNK_BITS = 0x1f,    /* log2 of a chunk in blocks */
	CHUNK_INDEXES = 0x20, /* 8 bytes a chunk, else 4 */
	CHUNK_KNOWN = CHUNK_BITS | CHUNK_INDEXES,
};
#define NO_BLOCK 0xffffffffu /* a hole */

static int map_flat(struct erofs *fs, const struct erofs_inode *in, uint64_t pos,
		    struct erofs_extent *x, struct err *e)
{
	uint64_t block = fs->super.block;
	uint64_t tail = in->layout == EROFS_INLINE ? (in->size - 1) / block * block : in->size;

	if (pos < tail) {
		*x = (struct erofs_extent){.la = pos, .llen = tail - pos, .how = EXTENT_HOLE};
		if (in->u != NO_BLOCK) {
			x->how = EXTENT_RAW;
			x->pa = ((uint64_t)in->u << fs->blkbits) + pos;
		}
	} else {
		if (in->meta_end % block + (in->size - tail) > block)
			return erofs_damaged(fs, e, "a file's tail crosses a block");
		*x = (struct erofs_extent){.la = pos,
					   .llen = in->size - pos,
					   .pa = in->meta_end + (pos - tail),
					   .how = EXTENT_RAW};
	}
	x->plen = x->llen;
	return 0;
}

static int map_chunk(struct erofs *fs, const struct erofs_inode *in, uint64_t pos,
		     struct erofs_extent *x, struct err *e)
{
	unsigned bits = fs->blkbits + (in->u & CHUNK_BITS);
	unsigned char raw[8];
	uint64_t chunk, start, at;
	uint32_t block;
	int r;

	if ((in->u & 0xffff) & ~(unsigned)CHUNK_KNOWN || bits > 40)
		return err_say(e, ENOTSUP, "the image %s has chunks that Porthole cannot read",
			       fs->name);
	chunk = pos >> bits;
	start = chunk << bits;
	if (in->u & CHUNK_INDEXES) {
		at = (in->meta_end + 7) / 8 * 8 + chunk * 8;
		r = erofs_meta(fs, at, raw, 8, e);
		block = r < 0 ? 0 : get32(raw + 4);
		if (r == 0 && block != NO_BLOCK && get16(raw + 2))
			return err_say(e, ENOTSUP, "the image %s needs a second device", fs->name);
	} else {
		at = (in->meta_end + 3) / 4 * 4 + chunk * 4;
		r = erofs_meta(fs, at, raw, 4, e);
		block = r < 0 ? 0 : get32(raw);
	}
	if (r < 0)
		return r;
	*x = (struct erofs_extent){
		.la = pos, .llen = start + (1ull << bits) - pos, .how = EXTENT_HOLE};
	if (x->llen > in->size - pos)
		x->llen = in->size - pos;
	if (block != NO_BLOCK) {
		x->how = EXTENT_RAW;
		x->pa = ((uint64_t)block << fs->blkbits) + (pos - start);
	}
	x->plen = x->llen;
	return 0;
}

int erofs_map(struct erofs *fs, const struct erofs_inode *in, uint64_t pos, struct erofs_lz *lz,
	      struct erofs_extent *out, struct err *e)
{
	switch (in->layout) {
	case EROFS_PLAIN:
	case EROFS_INLINE:
		return map_flat(fs, in, pos, out, e);
	case EROFS_CHUNKS:
		return map_chunk(fs, in, pos, out, e);
	default:
		return erofs_map_lz(fs, in, lz, out, e);
	}
}

/*
 * Where a compressed file's bytes are.
 *
 * The file is cut into logical clusters (4096 bytes or more). Each has an entry in an index behind
 * the inode: a HEAD (or PLAIN, stored as it is) says that a compressed cluster starts in it at some
 * offset, and which block that is; a NONHEAD says that it only continues. The first NONHEAD after a
 * HEAD may carry how many blocks the cluster has. Files are only read from their start here, so the
 * distances back to the head, which NONHEADs carry too, are used just where compacted packs need
 * them.
 */
#include "kit/erofs_priv.h"

enum {
	ADVISE_COMPACT2 = 1 << 0,
	ADVISE_BIG1 = 1 << 1,
	ADVISE_BIG2 = 1 << 2,
	ADVISE_INTERLACED = 1 << 4,
	ADVISE_KNOWN = ADVISE_COMPACT2 | ADVISE_BIG1 | ADVISE_BIG2 | ADVISE_INTERLACED,
	HAS_BLOCKS = 1 << 11, /* in a NONHEAD: the rest is a number of blocks, not a distance */
	PACK_MAX = 32,	      /* bytes of a pack of compacted entries */
};

enum type { LZ_PLAIN, LZ_HEAD1, LZ_NONHEAD, LZ_HEAD2 };

struct entry {
	enum type type;
	unsigned offset; /* heads: where in the logical cluster it starts */
	uint64_t block;	 /* heads: where the compressed cluster is */
	unsigned blocks; /* NONHEAD: blocks of the compressed cluster, 0: not said */
};

static int lz_start(struct erofs *fs, const struct erofs_inode *in, struct erofs_lz *lz,
		    struct err *e)
{
	uint64_t at = (in->meta_end + 7) / 8 * 8;
	unsigned char h[8];
	unsigned advise;
	int r;

	*lz = (struct erofs_lz){.started = true, .lbits = fs->blkbits, .index = at + 8};
	if (in->layout == EROFS_LZ_FULL)
		lz->index += 8;
	if (in->layout == EROFS_LZ_COMPACT || fs->lz_configs) {
		r = erofs_meta(fs, at, h, sizeof(h), e);
		if (r < 0)
			return r;
		advise = get16(h + 4);
		if (advise & ~(unsigned)ADVISE_KNOWN || h[7] & 0x80)
			return err_say(e, ENOTSUP,
				       "the image %s has compressed files that Porthole cannot "
				       "read (0x%x)",
				       fs->name, advise);
		lz->compact2 = advise & ADVISE_COMPACT2;
		lz->big1 = advise & ADVISE_BIG1;
		lz->big2 = advise & ADVISE_BIG2;
		lz->interlaced = advise & ADVISE_INTERLACED;
		lz->algo1 = h[6] & 15;
		lz->algo2 = h[6] >> 4;
		lz->lbits += h[7] & 7;
	}
	if (in->layout == EROFS_LZ_COMPACT && lz->lbits > 14)
		return erofs_damaged(fs, e, "a compressed file has clusters of a wrong size");
	lz->entries = (in->size + (1ull << lz->lbits) - 1) >> lz->lbits;
	return 0;
}

static int full_entry(struct erofs *fs, struct erofs_lz *lz, uint64_t n, struct entry *out,
		      struct err *e)
{
	unsigned char raw[8];
	int r = erofs_meta(fs, lz->index + n * 8, raw, sizeof(raw), e);

	if (r < 0)
		return r;
	*out = (struct entry){.type = get16(raw) & 3};
	if (out->type == LZ_NONHEAD) {
		unsigned delta = get16(raw + 4);

		out->blocks = delta & HAS_BLOCKS ? delta & ~(unsigned)HAS_BLOCKS : 0;
		return 0;
	}
	out->offset = get16(raw + 2);
	out->block = get32(raw + 4);
	return 0;
}

/* Compacted entries come in packs: so many small fields, then one block number they count from. */
struct pack {
	unsigned char data[PACK_MAX];
	unsigned fields, width; /* entries, bits of each */
	unsigned lbits;
};

static unsigned field(const struct pack *p, unsigned i, enum type *type)
{
	unsigned bit = i * p->width;
	unsigned char raw[4] = {};
	uint32_t v;

	/* a field lies before the block number, so these 4 bytes end within the pack */
	memcpy(raw, p->data + bit / 8, sizeof(raw));
	v = get32(raw) >> (bit & 7);
	*type = v >> p->lbits & 3;
	return v & ((1u << p->lbits) - 1);
}

/* Blocks between the number a pack counts from and that of its head `i`. */
static int blocks_before(const struct pack *p, unsigned i, bool big)
{
	int blocks = big ? 0 : 1, at = (int)i;

	while (at > 0) {
		enum type type;
		unsigned lo = field(p, (unsigned)--at, &type);

		if (type != LZ_NONHEAD) {
			blocks++;
		} else if (!big) {
			at -= (int)lo;
			if (at >= 0)
				blocks++;
		} else if (lo & HAS_BLOCKS) {
			blocks += (int)(lo & ~(unsigned)HAS_BLOCKS);
			at--;
		} else if (lo <= 1) {
			return -1;
		} else {
			at -= (int)lo - 2;
		}
	}
	return blocks;
}

/* Which pack entry `n` is in, and its place there: 4-byte entries up to a boundary of 32 bytes,
 * then 2-byte entries, 16 at a time, then 4-byte entries again. */
static uint64_t find_pack(const struct erofs_lz *lz, uint64_t n, struct pack *p, unsigned *place)
{
	uint64_t lead = (32 - lz->index % 32) / 4 % 8, packed2 = 0, at = lz->index;
	unsigned shift = 2;

	if (lz->compact2 && lead < lz->entries)
		packed2 = (lz->entries - lead) / 16 * 16;
	if (n >= lead) {
		at += lead * 4;
		n -= lead;
		if (n < packed2) {
			shift = 1;
		} else {
			at += packed2 * 2;
			n -= packed2;
		}
	}
	p->fields = shift == 1 ? 16 : 2;
	p->width = ((p->fields << shift) - 4) * 8 / p->fields;
	at += n << shift;
	*place = (unsigned)(at % (p->fields << shift)) >> shift;
	return at - at % (p->fields << shift);
}

static int compact_entry(struct erofs *fs, struct erofs_lz *lz, uint64_t n, struct entry *out,
			 struct err *e)
{
	struct pack p = {.lbits = lz->lbits < 12 ? 12 : lz->lbits};
	unsigned i, lo, bytes;
	uint64_t at = find_pack(lz, n, &p, &i);
	int before, r;

	bytes = p.fields == 16 ? 32 : 8;
	if (p.fields == 16 && p.lbits > 12)
		return erofs_damaged(fs, e, "a compressed file has clusters of a wrong size");
	r = erofs_meta(fs, at, p.data, bytes, e);
	if (r < 0)
		return r;
	*out = (struct entry){};
	lo = field(&p, i, &out->type);
	if (out->type == LZ_NONHEAD) {
		if (lz->big1 && lo & HAS_BLOCKS)
			out->blocks = lo & ~(unsigned)HAS_BLOCKS;
		return 0;
	}
	before = blocks_before(&p, i, lz->big1);
	if (before < 0)
		return erofs_damaged(fs, e, "a compressed file's index is wrong");
	out->offset = lo;
	out->block = (uint64_t)get32(p.data + bytes - 4) + (unsigned)before;
	return 0;
}

static int entry(struct erofs *fs, const struct erofs_inode *in, struct erofs_lz *lz, uint64_t n,
		 struct entry *out, struct err *e)
{
	int r = in->layout == EROFS_LZ_FULL ? full_entry(fs, lz, n, out, e)
					    : compact_entry(fs, lz, n, out, e);

	if (r == 0 && out->type != LZ_NONHEAD && out->offset >= 1u << lz->lbits)
		return erofs_damaged(fs, e, "a compressed file's index is wrong");
	return r;
}

/* How the cluster of `head` is stored, and by how many bytes. */
static int set_storage(struct erofs *fs, const struct erofs_lz *lz, const struct entry *head,
		       unsigned blocks, struct erofs_extent *x, struct err *e)
{
	bool big = head->type == LZ_HEAD2 ? lz->big2 : lz->big1;

	x->pa = head->block << fs->blkbits;
	x->plen = big && blocks ? (uint64_t)blocks << fs->blkbits : 1ull << lz->lbits;
	if (head->type == LZ_PLAIN) {
		x->how = lz->interlaced ? EXTENT_ROTATED : EXTENT_RAW;
		if (x->llen > x->plen)
			return erofs_damaged(fs, e, "a stored cluster is too short");
	} else {
		x->how = EXTENT_LZ4;
		if ((head->type == LZ_HEAD2 ? lz->algo2 : lz->algo1) != 0)
			return err_say(e, ENOTSUP,
				       "the image %s is compressed with something else than LZ4",
				       fs->name);
	}
	if (x->plen > EROFS_PLEN_MAX || x->llen > EROFS_LLEN_MAX)
		return erofs_damaged(fs, e, "a compressed cluster is too large");
	return 0;
}

int erofs_map_lz(struct erofs *fs, const struct erofs_inode *in, struct erofs_lz *lz,
		 struct erofs_extent *out, struct err *e)
{
	struct entry head, next;
	uint64_t n, end = in->size;
	unsigned blocks = 0;
	int r = lz->started ? 0 : lz_start(fs, in, lz, e);

	if (r == 0)
		r = entry(fs, in, lz, lz->next, &head, e);
	if (r < 0)
		return r;
	if (head.type == LZ_NONHEAD || (lz->next == 0 && head.offset))
		return erofs_damaged(fs, e, "a compressed file does not start with a cluster");
	out->la = (lz->next << lz->lbits) + head.offset;
	for (n = lz->next + 1; n < lz->entries; n++) {
		r = entry(fs, in, lz, n, &next, e);
		if (r < 0)
			return r;
		if (next.type != LZ_NONHEAD) {
			end = (n << lz->lbits) + next.offset;
			break;
		}
		if (n == lz->next + 1)
			blocks = next.blocks;
		if ((n - lz->next) << lz->lbits > EROFS_LLEN_MAX)
			return erofs_damaged(fs, e, "a compressed cluster is too large");
	}
	if (end <= out->la || end > in->size)
		return erofs_damaged(fs, e, "a compressed file's clusters are out of order");
	lz->next = n;
	out->llen = end - out->la;
	return set_storage(fs, lz, &head, blocks, out, e);
}

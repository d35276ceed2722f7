#include "kit/erofs.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "kit/erofs_priv.h"

enum {
	SUPER_OFFSET = 1024,
	SUPER_SIZE = 128,
	SUPER_MAGIC = 0xe0f5e1e2,
	COMPAT_CHECKSUM = 1 << 0,
	/* incompatible features */
	FEATURE_PADDED = 1 << 0,  /* LZ4 data at the end of its cluster */
	FEATURE_CONFIGS = 1 << 1, /* compression configurations, big clusters */
	FEATURE_CHUNKS = 1 << 2,
	FEATURES_KNOWN = FEATURE_PADDED | FEATURE_CONFIGS | FEATURE_CHUNKS,
	DIR_MAX = 64 << 20,
	DIRENT_SIZE = 12,
	/* What may be read of an image: so many times its size, and so many bytes more */
	WORK_FACTOR = 64,
	WORK_LEAST = 64 << 20,
};

int erofs_damaged(const struct erofs *fs, struct err *e, const char *what)
{
	return err_say(e, EBADMSG, "the image %s is damaged: %s", fs->name, what);
}

int erofs_pread(struct erofs *fs, uint64_t off, void *buf, size_t len, struct err *e)
{
	uint64_t end;
	char *p = buf;

	if (__builtin_add_overflow(off, len, &end) || end > fs->super.bytes)
		return erofs_damaged(fs, e, "something in it points past its end");
	fs->work += len;
	if (fs->work > fs->super.bytes * WORK_FACTOR + WORK_LEAST)
		return erofs_damaged(fs, e, "its files are the same bytes over and over");
	while (len) {
		ssize_t n = pread(fs->fd, p, len, (off_t)(fs->base + off));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(e, errno, "cannot read the image %s", fs->name);
		if (n == 0)
			return erofs_damaged(fs, e, "it is cut short");
		p += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* One line of the cache, filled as far as the image goes. */
static int cache_line(struct erofs *fs, uint64_t line, const unsigned char **data, struct err *e)
{
	uint64_t off = line * EROFS_CACHE_LINE, left;
	size_t slot = line % EROFS_CACHE_LINES;
	int r;

	if (off >= fs->super.bytes)
		return erofs_damaged(fs, e, "something in it points past its end");
	*data = fs->cache[slot].data;
	if (fs->cache[slot].line == line + 1)
		return 0;
	left = fs->super.bytes - off;
	fs->cache[slot].line = 0;
	memset(fs->cache[slot].data, 0, EROFS_CACHE_LINE);
	r = erofs_pread(fs, off, fs->cache[slot].data,
			left < EROFS_CACHE_LINE ? (size_t)left : EROFS_CACHE_LINE, e);
	if (r == 0)
		fs->cache[slot].line = line + 1;
	return r;
}

int erofs_meta(struct erofs *fs, uint64_t off, void *buf, size_t len, struct err *e)
{
	const unsigned char *data = NULL;
	char *p = buf;
	uint64_t end;

	if (__builtin_add_overflow(off, len, &end) || end > fs->super.bytes)
		return erofs_damaged(fs, e, "something in it points past its end");
	while (len) {
		size_t at = off % EROFS_CACHE_LINE, n = EROFS_CACHE_LINE - at;
		int r = cache_line(fs, off / EROFS_CACHE_LINE, &data, e);

		if (r < 0)
			return r;
		n = n < len ? n : len;
		memcpy(p, data + at, n);
		p += n;
		off += n;
		len -= n;
	}
	return 0;
}

/* CRC-32C over the first block from the superblock on, with its own field taken as 0. */
static int check_sum(struct erofs *fs, uint32_t want, struct err *e)
{
	unsigned char data[1 << 16] = {};
	uint32_t crc = ~0u;
	size_t len;
	int r;

	if (fs->super.block <= SUPER_OFFSET) /* the kernel checks no such image either */
		return 0;
	len = fs->super.block - SUPER_OFFSET;
	r = erofs_pread(fs, SUPER_OFFSET, data, len, e);
	if (r < 0)
		return r;
	memset(data + 4, 0, 4);
	for (size_t i = 0; i < len; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return crc == want ? 0 : erofs_damaged(fs, e, "the checksum of its superblock is wrong");
}

static int read_super(struct erofs *fs, struct err *e)
{
	unsigned char sb[SUPER_SIZE];
	uint32_t features;
	int r;

	if (fs->super.bytes < SUPER_OFFSET + SUPER_SIZE)
		return erofs_damaged(fs, e, "it is too small to be one");
	r = erofs_pread(fs, SUPER_OFFSET, sb, sizeof(sb), e);
	if (r < 0)
		return r;
	if (get32(sb) != (uint32_t)SUPER_MAGIC)
		return err_say(e, EBADMSG, "%s is no EROFS image", fs->name);
	fs->blkbits = sb[12];
	if (fs->blkbits < 9 || fs->blkbits > 16)
		return erofs_damaged(fs, e, "its block size is wrong");
	fs->super.block = 1u << fs->blkbits;
	features = get32(sb + 80);
	if (features & ~(uint32_t)FEATURES_KNOWN || sb[90])
		return err_say(e, ENOTSUP,
			       "the image %s uses EROFS features that Porthole cannot read (0x%x)",
			       fs->name, features);
	if ((uint64_t)get32(sb + 36) << fs->blkbits > fs->super.bytes)
		return erofs_damaged(fs, e, "it is cut short");
	fs->super.root = get16(sb + 14);
	fs->super.inodes = get64(sb + 16);
	fs->epoch = (int64_t)get64(sb + 24);
	fs->epoch_nsec = get32(sb + 32);
	fs->meta = (uint64_t)get32(sb + 40) << fs->blkbits;
	fs->padded = features & FEATURE_PADDED;
	fs->lz_configs = features & FEATURE_CONFIGS;
	fs->super.lz4 = features & (FEATURE_PADDED | FEATURE_CONFIGS);
	fs->super.big = fs->lz_configs;
	return get32(sb + 8) & COMPAT_CHECKSUM ? check_sum(fs, get32(sb + 4), e) : 0;
}

int erofs_open(int fd, uint64_t offset, uint64_t size, const char *name, struct erofs **out,
	       struct err *e)
{
	_cleanup_erofs_ struct erofs *fs = calloc(1, sizeof(*fs));
	int r;

	if (!fs)
		return err_set(e, ENOMEM, "the image %s", name);
	fs->fd = fd;
	fs->base = offset;
	fs->name = name;
	fs->super.bytes = size;
	r = read_super(fs, e);
	if (r < 0)
		return r;
	*out = TAKE_PTR(fs);
	return 0;
}

void erofs_close(struct erofs *fs)
{
	if (!fs)
		return;
	free(fs->in);
	free(fs->out);
	free(fs);
}

const struct erofs_super *erofs_super(const struct erofs *fs)
{
	return &fs->super;
}

int erofs_inode_read(struct erofs *fs, uint64_t nid, struct erofs_inode *out, struct err *e)
{
	unsigned char raw[64];
	uint64_t off;
	unsigned format, xattrs, size;
	int r;

	if (nid > fs->super.bytes / 32)
		return erofs_damaged(fs, e, "an inode lies past its end");
	off = fs->meta + nid * 32;
	r = erofs_meta(fs, off, raw, 32, e);
	if (r < 0)
		return r;
	format = get16(raw);
	size = format & 1 ? 64 : 32;
	if (size == 64 && (r = erofs_meta(fs, off, raw, 64, e)) < 0)
		return r;
	xattrs = get16(raw + 2);
	*out = (struct erofs_inode){
		.nid = nid,
		.size = size == 64 ? get64(raw + 8) : get32(raw + 8),
		.mode = get16(raw + 4),
		.uid = size == 64 ? get32(raw + 24) : get16(raw + 24),
		.gid = size == 64 ? get32(raw + 28) : get16(raw + 26),
		.nlink = size == 64 ? get32(raw + 44) : get16(raw + 6),
		.mtime = size == 64 ? (int64_t)get64(raw + 32) : fs->epoch,
		.mtime_nsec = size == 64 ? get32(raw + 40) : fs->epoch_nsec,
		.layout = format >> 1 & 7,
		.meta_end = off + size + (xattrs ? 12 + (uint64_t)(xattrs - 1) * 4 : 0),
		.u = get32(raw + 16),
	};
	if (format >> 4 || out->layout > EROFS_CHUNKS)
		return err_say(e, ENOTSUP,
			       "the image %s has inodes that Porthole cannot read (0x%x)", fs->name,
			       format);
	if (out->size > INT64_MAX / 2)
		return erofs_damaged(fs, e, "a file is impossibly large");
	return 0;
}

/* One block of a directory: an array of entries, then their names. */
static int each_in_block(struct erofs *fs, const unsigned char *block, size_t size,
			 int (*fn)(void *arg, const struct erofs_dirent *d, struct err *e),
			 void *arg, struct err *e)
{
	size_t first, n;

	if (size < DIRENT_SIZE)
		return erofs_damaged(fs, e, "a directory is too short");
	first = get16(block + 8);
	n = first / DIRENT_SIZE;
	if (n == 0 || first % DIRENT_SIZE || first > size)
		return erofs_damaged(fs, e, "a directory is not well-formed");
	for (size_t i = 0; i < n; i++) {
		const unsigned char *p = block + i * DIRENT_SIZE;
		size_t at = get16(p + 8);
		size_t end = i + 1 < n ? get16(p + DIRENT_SIZE + 8) : size;
		struct erofs_dirent d = {.nid = get64(p)};
		int r;

		if (at < first || end < at || end > size)
			return erofs_damaged(fs, e,
					     "a directory's names are not where they should be");
		end = at + strnlen((const char *)block + at, end - at);
		if (end - at >= sizeof(d.name))
			return erofs_damaged(fs, e, "a name is too long");
		memcpy(d.name, block + at, end - at);
		if (str_eq(d.name, ".") || str_eq(d.name, ".."))
			continue;
		if (!path_is_component(d.name))
			return erofs_damaged(fs, e, "a name is empty or holds a slash");
		r = fn(arg, &d, e);
		if (r != 0)
			return r;
	}
	return 0;
}

int erofs_dir_each(struct erofs *fs, const struct erofs_inode *dir,
		   int (*fn)(void *arg, const struct erofs_dirent *d, struct err *e), void *arg,
		   struct err *e)
{
	_cleanup_free_ char *data = NULL;
	size_t len;
	int r;

	if (!S_ISDIR(dir->mode))
		return erofs_damaged(fs, e, "a directory is none");
	r = erofs_read_all(fs, dir, DIR_MAX, &data, &len, e);
	for (size_t at = 0; r == 0 && at < len; at += fs->super.block) {
		size_t n = len - at < fs->super.block ? len - at : fs->super.block;

		r = each_in_block(fs, (unsigned char *)data + at, n, fn, arg, e);
	}
	return r;
}

struct wanted {
	const char *name;
	size_t len;
	uint64_t nid;
};

static int is_wanted(void *arg, const struct erofs_dirent *d, struct err *e)
{
	struct wanted *w = arg;

	if (strlen(d->name) != w->len || memcmp(d->name, w->name, w->len) != 0)
		return 0;
	w->nid = d->nid;
	return 1;
}

int erofs_lookup(struct erofs *fs, const char *path, struct erofs_inode *out, struct err *e)
{
	const char *whole = path;
	int r = erofs_inode_read(fs, fs->super.root, out, e);

	while (r == 0 && *(path += strspn(path, "/"))) {
		struct wanted w = {.name = path, .len = strcspn(path, "/")};

		if (!S_ISDIR(out->mode))
			return err_say(e, ENOENT, "there is no %s in %s", whole, fs->name);
		r = erofs_dir_each(fs, out, is_wanted, &w, e);
		if (r < 0)
			return r;
		if (r == 0)
			return err_say(e, ENOENT, "there is no %s in %s", whole, fs->name);
		path += w.len;
		r = erofs_inode_read(fs, w.nid, out, e);
	}
	return r;
}

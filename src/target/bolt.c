#include "target/bolt.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/str.h"

#define MAGIC	  0xED0CDAEDu
#define CHUNK_MAX ((uint64_t)16 << 20) /* of one page with its overflow */
#define HEADER	  16
#define ELEMENT	  16
enum { DEPTH_MAX = 24, PAGE_BRANCH = 1, PAGE_LEAF = 2, LEAF_BUCKET = 1, META_LEN = 64 };

/* A page in memory: `own` when it was read, else part of a bucket that is stored inline. */
struct page {
	const char *p;
	size_t n;
	char *own;
};

static void page_done(struct page *pg)
{
	free(pg->own);
}
#define _cleanup_page_ _cleanup_(page_done)

static uint16_t get16(const char *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return le16toh(v);
}

static uint32_t get32(const char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static uint64_t get64(const char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

static uint64_t fnv1a(const char *p, size_t n)
{
	uint64_t h = 0xcbf29ce484222325u;

	while (n--)
		h = (h ^ (unsigned char)*p++) * 0x100000001b3u;
	return h;
}

int bolt_open(struct bolt *b, int dir, const char *path)
{
	_cleanup_close_ int fd = path_open_in_root(dir, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	uint64_t newest = 0, second = 4096;
	char meta[HEADER + META_LEN];
	struct stat st;

	*b = BOLT_INIT;
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -EBADMSG;
	/* two meta pages take turns: the one of the newest whole transaction counts */
	for (int i = 0; i < 2; i++) {
		const char *m = meta + HEADER;

		if (pread(fd, meta, sizeof(meta), i ? (off_t)second : 0) != sizeof(meta) ||
		    get32(m) != MAGIC || get32(m + 4) != 2 || get64(m + 56) != fnv1a(m, 56))
			continue;
		second = get32(m + 8);
		if (second < 1024 || second > 1 << 20 || (newest && get64(m + 48) < newest))
			continue;
		newest = get64(m + 48) + 1;
		b->page_size = (uint32_t)second;
		b->root = get64(m + 16);
	}
	if (!newest)
		return -EBADMSG;
	b->fd = TAKE_FD(fd);
	return 0;
}

void bolt_close(struct bolt *b)
{
	cleanup_close(&b->fd);
	*b = BOLT_INIT;
}

static int page_read(const struct bolt *b, uint64_t id, struct page *out)
{
	_cleanup_free_ char *data = NULL;
	char header[HEADER];
	uint64_t n;

	if (id > INT64_MAX / ((uint64_t)1 << 21))
		return -EBADMSG;
	if (pread(b->fd, header, HEADER, (off_t)(id * b->page_size)) != HEADER)
		return -EBADMSG;
	n = ((uint64_t)get32(header + 12) + 1) * b->page_size;
	if (get64(header) != id || n > CHUNK_MAX)
		return -EBADMSG;
	data = malloc(n);
	if (!data)
		return -ENOMEM;
	if (pread(b->fd, data, n, (off_t)(id * b->page_size)) != (ssize_t)n)
		return -EBADMSG;
	*out = (struct page){.p = data, .n = n, .own = TAKE_PTR(data)};
	return 0;
}

/* One element of a page, checked against its end. */
struct element {
	const char *key, *val;
	size_t key_len, val_len;
	uint64_t child; /* of a branch */
	bool bucket;
};

static bool page_element(const struct page *pg, unsigned i, struct element *e)
{
	size_t at = HEADER + (size_t)i * ELEMENT;
	const char *p = pg->p + at;
	uint64_t pos, end;

	*e = (struct element){};
	if (at + ELEMENT > pg->n)
		return false;
	if (get16(pg->p + 8) & PAGE_BRANCH) {
		pos = at + get32(p);
		e->key_len = get32(p + 4);
		e->child = get64(p + 8);
	} else {
		e->bucket = get32(p) & LEAF_BUCKET;
		pos = at + get32(p + 4);
		e->key_len = get32(p + 8);
		e->val_len = get32(p + 12);
	}
	end = pos + e->key_len + e->val_len;
	e->key = pg->p + pos;
	e->val = e->key + e->key_len;
	return pos <= pg->n && end <= pg->n;
}

static int key_cmp(const struct element *e, const char *key, size_t len)
{
	int r = memcmp(e->key, key, e->key_len < len ? e->key_len : len);

	return r ? r : (e->key_len > len) - (e->key_len < len);
}

/* The leaf that has the key, and the element there. *pg is replaced on the way down. */
static int page_find(const struct bolt *b, struct page *pg, const char *key, struct element *out)
{
	size_t len = strlen(key);

	for (int depth = 0; depth < DEPTH_MAX; depth++) {
		unsigned n = get16(pg->p + 10), flags = get16(pg->p + 8);
		struct element e, under = {};
		struct page next = {};
		int r;

		if (!(flags & (PAGE_BRANCH | PAGE_LEAF)))
			return -EBADMSG;
		for (unsigned i = 0; i < n; i++) {
			if (!page_element(pg, i, &e))
				return -EBADMSG;
			r = key_cmp(&e, key, len);
			if (r == 0 && flags & PAGE_LEAF) {
				*out = e;
				return 0;
			}
			if (r > 0 && i > 0)
				break;
			under = e;
		}
		if (flags & PAGE_LEAF || n == 0)
			return -ENOENT;
		r = page_read(b, under.child, &next);
		if (r < 0)
			return r;
		page_done(pg);
		*pg = next;
	}
	return -EBADMSG;
}

/* Enter the bucket that an element of *pg holds: a page of its own, or the rest of the value. */
static int enter(const struct bolt *b, struct page *pg, const struct element *e)
{
	struct page next = {};
	int r = 0;

	if (!e->bucket || e->val_len < 16)
		return -ENOENT;
	if (get64(e->val)) {
		r = page_read(b, get64(e->val), &next);
	} else if (e->val_len >= 16 + HEADER) {
		/* a copy, aligned and alone */
		next.n = e->val_len - 16;
		next.own = malloc(next.n);
		if (next.own)
			memcpy(next.own, e->val + 16, next.n);
		next.p = next.own;
		r = next.own ? 0 : -ENOMEM;
	} else {
		r = -EBADMSG;
	}
	if (r < 0)
		return r;
	page_done(pg);
	*pg = next;
	return 0;
}

int bolt_get(const struct bolt *b, const char *const *keys, size_t n, char **out, size_t *len)
{
	_cleanup_page_ struct page pg = {};
	struct element e;
	int r = page_read(b, b->root, &pg);

	for (size_t i = 0; i < n && r == 0; i++) {
		r = page_find(b, &pg, keys[i], &e);
		if (r == 0 && i + 1 < n)
			r = enter(b, &pg, &e);
	}
	if (r < 0)
		return r;
	if (e.bucket)
		return -ENOENT;
	return str_copy_bytes(e.val, e.val_len, out, len);
}

static int walk(const struct bolt *b, const struct page *pg, int depth,
		int (*each)(void *arg, const char *key, size_t len), void *arg)
{
	bool branch = get16(pg->p + 8) & PAGE_BRANCH;
	unsigned n = get16(pg->p + 10);
	struct element e;
	int r = 0;

	if (depth > DEPTH_MAX)
		return -EBADMSG;
	for (unsigned i = 0; i < n && r == 0; i++) {
		_cleanup_page_ struct page child = {};

		if (!page_element(pg, i, &e))
			return -EBADMSG;
		if (!branch) {
			r = each(arg, e.key, e.key_len);
			continue;
		}
		r = page_read(b, e.child, &child);
		if (r == 0)
			r = walk(b, &child, depth + 1, each, arg);
	}
	return r;
}

int bolt_each(const struct bolt *b, const char *const *keys, size_t n,
	      int (*each)(void *arg, const char *key, size_t len), void *arg)
{
	_cleanup_page_ struct page pg = {};
	struct element e;
	int r = page_read(b, b->root, &pg);

	for (size_t i = 0; i < n && r == 0; i++) {
		r = page_find(b, &pg, keys[i], &e);
		if (r == 0)
			r = enter(b, &pg, &e);
	}
	return r < 0 ? r : walk(b, &pg, 0, each, arg);
}

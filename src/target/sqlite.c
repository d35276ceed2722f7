#include "target/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/str.h"

#define MAGIC	    "SQLite format 3" /* with its NUL */
#define PAYLOAD_MAX ((uint64_t)16 << 20)
enum {
	FILE_HEADER = 100,
	DEPTH_MAX = 20,
	SCHEMA_PAGES_MAX = 1000,
	COLUMNS_MAX = 16,
};
/* The kinds of a page: bits that an index and a table, a leaf and what is above it differ by. */
enum { PAGE_INDEX = 2, PAGE_TABLE = 5, PAGE_LEAF = 8 };

struct page {
	const char *p; /* page_size bytes */
	char *own;
	uint32_t no;
	unsigned kind, cells;
	uint32_t right; /* the child behind the last cell; above leaves */
};

struct cell {
	uint32_t child;	  /* above leaves */
	uint64_t row;	  /* of tables */
	const char *p;	  /* the payload's part that is in the page */
	uint64_t n, size; /* of that part, and of the whole */
	uint32_t more;	  /* the page that has the rest; 0: none */
};

static void page_done(struct page *pg)
{
	free(pg->own);
}
#define _cleanup_page_ _cleanup_(page_done)

/* An unsigned big-endian number of n <= 8 bytes. */
static uint64_t get_be(const char *p, unsigned n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | (unsigned char)*p++;
	return v;
}

/* A number of one to nine bytes, seven bits in each but the ninth. False at the end of the text. */
static bool get_varint(const char **p, const char *end, uint64_t *out)
{
	*out = 0;
	for (int i = 0; i < 9 && *p < end; i++) {
		unsigned char c = (unsigned char)*(*p)++;

		if (i == 8) {
			*out = *out << 8 | c;
			return true;
		}
		*out = *out << 7 | (c & 0x7f);
		if (!(c & 0x80))
			return true;
	}
	return false;
}

int sqlite_open(struct sqlite *s, int dir, const char *path)
{
	_cleanup_close_ int fd = path_open_in_root(dir, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	char h[FILE_HEADER];
	struct stat st;

	*s = SQLITE_INIT;
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || pread(fd, h, sizeof(h), 0) != sizeof(h) ||
	    memcmp(h, MAGIC, sizeof(MAGIC)) != 0)
		return -EBADMSG;
	if (h[19] != 1 || get_be(h + 56, 4) != 1)
		return -ENOTSUP;
	s->page_size = (uint32_t)get_be(h + 16, 2);
	if (s->page_size == 1)
		s->page_size = 65536;
	s->usable = s->page_size - (unsigned char)h[20];
	if (s->page_size < 512 || s->page_size & (s->page_size - 1) || s->usable < 480)
		return -EBADMSG;
	s->fd = TAKE_FD(fd);
	return 0;
}

void sqlite_close(struct sqlite *s)
{
	cleanup_close(&s->fd);
	*s = SQLITE_INIT;
}

/* Page `no` into buf, which has room for one. 0 or -EBADMSG. */
static int page_bytes(const struct sqlite *s, uint32_t no, char *buf)
{
	off_t at = ((off_t)no - 1) * s->page_size;

	return no && pread(s->fd, buf, s->page_size, at) == (ssize_t)s->page_size ? 0 : -EBADMSG;
}

/* A page of a tree of this kind (PAGE_INDEX, PAGE_TABLE), in the place of what *pg holds. */
static int page_read(const struct sqlite *s, uint32_t no, unsigned kind, struct page *pg)
{
	_cleanup_free_ char *buf = malloc(s->page_size);
	const char *h;
	unsigned size;

	if (!buf)
		return -ENOMEM;
	if (page_bytes(s, no, buf) < 0)
		return -EBADMSG;
	h = buf + (no == 1 ? FILE_HEADER : 0);
	if (((unsigned char)h[0] & ~(unsigned)PAGE_LEAF) != kind)
		return -EBADMSG;
	page_done(pg);
	*pg = (struct page){.no = no, .kind = (unsigned char)h[0]};
	pg->cells = (unsigned)get_be(h + 3, 2);
	size = pg->kind & PAGE_LEAF ? 8 : 12;
	pg->right = pg->kind & PAGE_LEAF ? 0 : (uint32_t)get_be(h + 8, 4);
	if ((size_t)(h - buf) + size + (size_t)pg->cells * 2 > s->usable)
		return -EBADMSG;
	pg->p = pg->own = TAKE_PTR(buf);
	return 0;
}

/* How much of a payload is in its cell's page. */
static uint64_t local_part(const struct sqlite *s, bool table, uint64_t size)
{
	uint64_t u = s->usable, max = table ? u - 35 : (u - 12) * 64 / 255 - 23;
	uint64_t min = (u - 12) * 32 / 255 - 23, n;

	if (size <= max)
		return size;
	n = min + (size - min) % (u - 4);
	return n <= max ? n : min;
}

static bool page_cell(const struct sqlite *s, const struct page *pg, unsigned i, struct cell *c)
{
	bool leaf = pg->kind & PAGE_LEAF, table = (pg->kind & ~(unsigned)PAGE_LEAF) == PAGE_TABLE;
	const char *h = pg->p + (pg->no == 1 ? FILE_HEADER : 0), *end = pg->p + s->usable;
	uint64_t at = get_be(h + (leaf ? 8 : 12) + (size_t)i * 2, 2);
	const char *p = pg->p;

	*c = (struct cell){};
	if (at + 4 > s->usable)
		return false;
	p += at;
	if (!leaf) {
		c->child = (uint32_t)get_be(p, 4);
		p += 4;
	}
	if (table && !leaf)
		return get_varint(&p, end, &c->row);
	if (!get_varint(&p, end, &c->size) || (table && !get_varint(&p, end, &c->row)))
		return false;
	c->n = local_part(s, table, c->size);
	if (c->size > PAYLOAD_MAX || c->n > (uint64_t)(end - p))
		return false;
	c->p = p;
	if (c->n == c->size)
		return true;
	if (end - p < (ptrdiff_t)c->n + 4)
		return false;
	c->more = (uint32_t)get_be(p + c->n, 4);
	return true;
}

/* The whole payload: a new string in *out. */
static int cell_payload(const struct sqlite *s, const struct cell *c, char **out)
{
	_cleanup_free_ char *all = malloc(c->size + 1), *page = malloc(s->page_size);
	uint64_t at = c->n;
	uint32_t no = c->more;

	if (!all || !page)
		return -ENOMEM;
	memcpy(all, c->p, c->n);
	while (at < c->size) { /* each page brings something: an endless chain ends here */
		uint64_t n = c->size - at < s->usable - 4 ? c->size - at : s->usable - 4;

		if (page_bytes(s, no, page) < 0)
			return -EBADMSG;
		memcpy(all + at, page + 4, n);
		no = (uint32_t)get_be(page, 4);
		at += n;
	}
	all[at] = '\0';
	*out = TAKE_PTR(all);
	return 0;
}

/* A value of a record. */
struct column {
	uint64_t type;
	const char *p;
	uint64_t n;
};

/* How long a value of this type is. */
static uint64_t type_size(uint64_t type)
{
	static const unsigned char sizes[] = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0};

	return type < sizeof(sizes) ? sizes[type] : (type - 12) / 2;
}

/* The column `col` of a record of which `n` bytes are there. False when it is not all in them. */
static bool record_column(const char *p, uint64_t n, unsigned col, struct column *out)
{
	const char *end = p + n, *value;
	uint64_t header;

	value = p;
	if (!get_varint(&p, end, &header) || header > n)
		return false;
	value += header;
	end = value;
	n -= header;
	for (unsigned i = 0; i <= col && i < COLUMNS_MAX; i++) {
		if (p >= end || !get_varint(&p, end, &out->type))
			return false;
		out->n = type_size(out->type);
		if (out->n > n)
			return false;
		out->p = value;
		value += out->n;
		n -= out->n;
	}
	return col < COLUMNS_MAX;
}

static bool is_text(const struct column *c)
{
	return c->type >= 13 && c->type & 1;
}

static bool column_is(const struct column *c, const char *text)
{
	return is_text(c) && c->n == strlen(text) && memcmp(c->p, text, c->n) == 0;
}

static uint64_t column_number(const struct column *c)
{
	if (c->type == 9)
		return 1;
	return c->type >= 1 && c->type <= 6 ? get_be(c->p, (unsigned)c->n) : 0;
}

/* Where a table and the index of its primary key begin. */
struct roots {
	const char *table;
	char index[64];
	uint32_t table_page, index_page;
	unsigned left; /* pages that may still be read */
};

/* The schema is a table of (type, name, tbl_name, rootpage, sql), on page 1 and below. */
static int find_roots(const struct sqlite *s, uint32_t no, int depth, struct roots *r)
{
	_cleanup_page_ struct page pg = {};
	int err = depth < DEPTH_MAX && r->left-- ? page_read(s, no, PAGE_TABLE, &pg) : -EBADMSG;

	for (unsigned i = 0; i < pg.cells && err == 0; i++) {
		struct column name, root;
		struct cell c;

		if (!page_cell(s, &pg, i, &c))
			return -EBADMSG;
		if (c.child) {
			err = find_roots(s, c.child, depth + 1, r);
			continue;
		}
		if (!record_column(c.p, c.n, 1, &name) || !record_column(c.p, c.n, 3, &root))
			continue;
		if (column_is(&name, r->table))
			r->table_page = (uint32_t)column_number(&root);
		else if (column_is(&name, r->index))
			r->index_page = (uint32_t)column_number(&root);
	}
	return err == 0 && pg.right ? find_roots(s, pg.right, depth + 1, r) : err;
}

/* What is looked for: in an index the text of a record's first column, in a table a row's number.
 */
struct key {
	unsigned kind;
	const char *text;
	uint64_t row;
};

/* Whether the cell is at the key (0), behind it (> 0) or before. */
static int key_cmp(const struct key *k, const struct cell *c)
{
	size_t len = k->text ? strlen(k->text) : 0;
	struct column col;
	int r;

	if (k->kind == PAGE_TABLE)
		return (c->row > k->row) - (c->row < k->row);
	if (!record_column(c->p, c->n, 0, &col) || !is_text(&col))
		return -1; /* NULL and numbers come first */
	r = memcmp(col.p, k->text, col.n < len ? col.n : len);
	return r ? r : (col.n > len) - (col.n < len);
}

/* The cell of a tree that has the key; it is valid while *pg is kept. 0, -ENOENT or -errno. */
static int search(const struct sqlite *s, uint32_t root, const struct key *k, struct page *pg,
		  struct cell *out)
{
	for (int depth = 0; depth < DEPTH_MAX; depth++) {
		int err = page_read(s, root, k->kind, pg), r = -1;
		bool leaf = pg->kind & PAGE_LEAF;

		for (unsigned i = 0; i < pg->cells && err == 0 && r < 0; i++) {
			if (!page_cell(s, pg, i, out))
				return -EBADMSG;
			r = key_cmp(k, out);
		}
		if (err < 0)
			return err;
		/* above a table's leaves are numbers alone */
		if (r == 0 && (leaf || k->kind == PAGE_INDEX))
			return 0;
		if (leaf)
			return -ENOENT;
		root = r >= 0 ? out->child : pg->right;
	}
	return -EBADMSG;
}

int sqlite_get(const struct sqlite *s, const char *table, const char *key, unsigned col, char **out,
	       size_t *len)
{
	_cleanup_page_ struct page pg = {};
	_cleanup_free_ char *text = NULL;
	struct roots at = {.table = table, .left = SCHEMA_PAGES_MAX};
	struct key k = {.kind = PAGE_INDEX, .text = key};
	struct column v;
	struct cell c;
	int r;

	snprintf(at.index, sizeof(at.index), "sqlite_autoindex_%s_1", table);
	r = find_roots(s, 1, 0, &at);
	if (r == 0)
		r = at.table_page && at.index_page ? search(s, at.index_page, &k, &pg, &c)
						   : -ENOENT;
	if (r < 0)
		return r;
	if (!record_column(c.p, c.n, 1, &v))
		return -EBADMSG;
	k = (struct key){.kind = PAGE_TABLE, .row = column_number(&v)};
	r = search(s, at.table_page, &k, &pg, &c);
	if (r == 0)
		r = cell_payload(s, &c, &text);
	if (r < 0)
		return r;
	if (!record_column(text, c.size, col, &v))
		return -EBADMSG;
	if (v.type < 12)
		return -ENOENT;
	return str_copy_bytes(v.p, v.n, out, len);
}

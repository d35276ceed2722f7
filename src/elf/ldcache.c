#include "elf/ldcache.h"

#include <errno.h>

static const char magic[20] = "glibc-ld.so.cache1.1";

struct header {
	char magic[20];
	uint32_t n, strings_size;
	uint8_t flags; /* 2: little endian */
	uint8_t pad[3];
	uint32_t extensions; /* 0: none */
	uint32_t unused[3];
};

struct entry {
	int32_t flags;
	uint32_t key, value; /* offsets from the start of the file */
	uint32_t os;
	uint64_t hwcap;
};

_Static_assert(sizeof(struct header) == 48 && sizeof(struct entry) == 24, "as in dl-cache.h");

void ldcache_done(struct ldcache *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free(c->v[i].soname);
		free(c->v[i].path);
	}
	free(c->v);
	*c = (struct ldcache){};
}

int ldcache_add(struct ldcache *c, const char *soname, const char *path)
{
	struct ldcache_lib *v = reallocarray(c->v, c->n + 1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	c->v = v;
	v[c->n] = (struct ldcache_lib){strdup(soname), strdup(path)};
	if (v[c->n].soname && v[c->n].path) {
		c->n++;
		return 0;
	}
	free(v[c->n].soname);
	free(v[c->n].path);
	return -ENOMEM;
}

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

/* glibc's _dl_cache_libcmp(). */
int ldcache_compare(const char *a, const char *b)
{
	while (*a) {
		if (digit(*a) && digit(*b)) {
			uint64_t x = 0, y = 0;

			while (digit(*a))
				x = x * 10 + (uint64_t)(*a++ - '0');
			while (digit(*b))
				y = y * 10 + (uint64_t)(*b++ - '0');
			if (x != y)
				return x < y ? -1 : 1;
		} else if (digit(*a) || digit(*b)) {
			return digit(*a) ? 1 : -1;
		} else if (*a != *b) {
			return *a < *b ? -1 : 1;
		} else {
			a++;
			b++;
		}
	}
	return *b ? -1 : 0;
}

/* The loader searches a list that descends. */
static int descending(const void *x, const void *y)
{
	const struct ldcache_lib *a = x, *b = y;
	int c = ldcache_compare(b->soname, a->soname);

	return c ? c : strcmp(a->path, b->path);
}

int ldcache_write(struct ldcache *c, int32_t flags, struct buf *out)
{
	_cleanup_buf_ struct buf strings = {};
	struct header h = {.n = (uint32_t)c->n, .flags = 2};
	size_t at = sizeof(h) + c->n * sizeof(struct entry);

	qsort(c->v, c->n, sizeof(*c->v), descending);
	memcpy(h.magic, magic, sizeof(magic));
	for (size_t i = 0; i < c->n; i++)
		h.strings_size += (uint32_t)(strlen(c->v[i].soname) + strlen(c->v[i].path) + 2);
	buf_add(out, &h, sizeof(h));
	for (size_t i = 0; i < c->n; i++) {
		struct entry e = {.flags = flags};

		e.key = (uint32_t)(at + strings.len);
		buf_add(&strings, c->v[i].soname, strlen(c->v[i].soname) + 1);
		e.value = (uint32_t)(at + strings.len);
		buf_add(&strings, c->v[i].path, strlen(c->v[i].path) + 1);
		buf_add(out, &e, sizeof(e));
	}
	buf_add(out, strings.data, strings.len);
	return out->oom || strings.oom ? -ENOMEM : 0;
}

/* Where the newer cache starts in a file that has both: behind the older one's entries. */
static size_t skip_old(const char *data, size_t size)
{
	static const char old[] = "ld.so-1.7.0";
	enum { OLD_HEADER = 16, OLD_ENTRY = 12, ALIGN = 16 };
	uint32_t n;
	size_t at;

	if (size < OLD_HEADER || memcmp(data, old, sizeof(old) - 1) != 0)
		return 0;
	memcpy(&n, data + sizeof(old), sizeof(n));
	at = OLD_HEADER + (size_t)n * OLD_ENTRY;
	for (size_t pad = 0; pad < ALIGN && at + pad + sizeof(magic) <= size; pad++)
		if (memcmp(data + at + pad, magic, sizeof(magic)) == 0)
			return at + pad;
	return 0;
}

int ldcache_open(const char *data, size_t size, struct ldcache_view *v)
{
	size_t skip = skip_old(data, size);
	struct header h;

	*v = (struct ldcache_view){.data = data + skip, .size = size - skip};
	if (v->size < sizeof(h))
		return -EBADMSG;
	memcpy(&h, v->data, sizeof(h));
	if (memcmp(h.magic, magic, sizeof(magic)) != 0 ||
	    h.n > (v->size - sizeof(h)) / sizeof(struct entry))
		return -EBADMSG;
	v->entries = v->data + sizeof(h);
	v->n = h.n;
	return 0;
}

bool ldcache_entry(const struct ldcache_view *v, uint32_t i, const char **soname, const char **path)
{
	struct entry e;

	memcpy(&e, v->entries + i * sizeof(e), sizeof(e));
	if (e.key >= v->size || e.value >= v->size)
		return false;
	*soname = v->data + e.key;
	*path = v->data + e.value;
	return true;
}

const char *ldcache_find(const struct ldcache_view *v, const char *soname, uint32_t *at)
{
	const char *name, *path;

	while (*at < v->n)
		if (ldcache_entry(v, (*at)++, &name, &path) && str_eq(name, soname))
			return path;
	return NULL;
}

#include "files/pax.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "base/str.h"

enum { BLOCK = 512, BUFFER = 256 << 10, OCTAL_ID_MAX = 07777777 };
#define OCTAL_SIZE_MAX INT64_C(077777777777)

struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100],
		magic[8], user[32], group[32], major[8], minor[8], prefix[155], pad[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a header is a block");

int pax_open(struct pax *p, int fd)
{
	*p = (struct pax){.fd = fd, .buf = malloc(BUFFER)};
	return p->buf ? 0 : -ENOMEM;
}

void pax_done(struct pax *p)
{
	free(p->buf);
	*p = (struct pax){.fd = -EBADF};
}

static int flush(struct pax *p)
{
	int r = fd_write_all(p->fd, p->buf, p->len);

	p->len = 0;
	return r;
}

int pax_data(struct pax *p, const void *data, size_t len)
{
	int r = 0;

	p->written += len;
	if (p->len + len > BUFFER)
		r = flush(p);
	if (r == 0 && len > BUFFER / 2)
		return fd_write_all(p->fd, data, len);
	memcpy(p->buf + p->len, data, len);
	p->len += len;
	return r;
}

int pax_pad(struct pax *p)
{
	static const char zeros[BLOCK];
	size_t over = p->written % BLOCK;

	return over ? pax_data(p, zeros, BLOCK - over) : 0;
}

int pax_close(struct pax *p)
{
	static const char zeros[2 * BLOCK];
	int r = pax_data(p, zeros, sizeof(zeros));

	return r < 0 ? r : flush(p);
}

/* --- records --- */

/* "LEN KEY=VALUE\n", whose length counts its own digits. */
static void record(struct buf *b, const char *prefix, const char *key, const void *value,
		   size_t len)
{
	size_t rest = strlen(prefix) + strlen(key) + len + 3, total = rest, digits;
	char number[24];

	for (;;) {
		digits = (size_t)snprintf(number, sizeof(number), "%zu", total);
		if (total == rest + digits)
			break;
		total = rest + digits;
	}
	buf_printf(b, "%s %s%s=", number, prefix, key);
	buf_add(b, value, len);
	buf_putc(b, '\n');
}

static void record_number(struct buf *b, const char *key, int64_t v)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%lld", (long long)v);

	record(b, "", key, text, (size_t)n);
}

static void record_time(struct buf *b, const struct timespec *t)
{
	/* before 1970, the fraction counts down */
	bool below = t->tv_sec < 0 && t->tv_nsec;
	char text[48];
	int n = snprintf(text, sizeof(text), "%s%lld.%09ld", below ? "-" : "",
			 (long long)(below ? -(t->tv_sec + 1) : t->tv_sec),
			 below ? 1000000000L - t->tv_nsec : t->tv_nsec);

	record(b, "", "mtime", text, (size_t)n);
}

static void records(struct buf *b, const struct pax_head *h, int64_t size)
{
	const struct attrs *a = h->a;

	if (h->ranges) {
		record_number(b, "GNU.sparse.major", 1);
		record_number(b, "GNU.sparse.minor", 0);
		record(b, "", "GNU.sparse.name", h->path, strlen(h->path));
		record_number(b, "GNU.sparse.realsize", h->size);
	} else if (strlen(h->path) > sizeof(((struct header *)0)->name)) {
		record(b, "", "path", h->path, strlen(h->path));
	}
	if (h->link && strlen(h->link) > sizeof(((struct header *)0)->link))
		record(b, "", "linkpath", h->link, strlen(h->link));
	if (size > OCTAL_SIZE_MAX)
		record_number(b, "size", size);
	if (a->uid > OCTAL_ID_MAX)
		record_number(b, "uid", a->uid);
	if (a->gid > OCTAL_ID_MAX)
		record_number(b, "gid", a->gid);
	if (a->mtime.tv_nsec || a->mtime.tv_sec < 0 || a->mtime.tv_sec > OCTAL_SIZE_MAX)
		record_time(b, &a->mtime);
	for (size_t i = 0; i < a->n_x && h->type != '1'; i++)
		record(b, "SCHILY.xattr.", a->x[i].name, a->x[i].value, a->x[i].len);
}

/* --- headers --- */

static void octal(char *field, size_t size, int64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%0*llo", (int)size - 1, (unsigned long long)(v < 0 ? 0 : v));
	memcpy(field, text + strlen(text) - (size - 1), size - 1);
}

static int ustar(struct pax *p, const char *name, const struct pax_head *h, char type, int64_t size)
{
	const struct attrs *a = h->a;
	struct header u = {.type = type};
	unsigned sum = 0;

	memcpy(u.name, name, strnlen(name, sizeof(u.name)));
	if (h->link && type != 'x')
		memcpy(u.link, h->link, strnlen(h->link, sizeof(u.link)));
	octal(u.mode, sizeof(u.mode), a->mode & 07777);
	octal(u.uid, sizeof(u.uid), a->uid > OCTAL_ID_MAX ? 0 : a->uid);
	octal(u.gid, sizeof(u.gid), a->gid > OCTAL_ID_MAX ? 0 : a->gid);
	octal(u.size, sizeof(u.size), size > OCTAL_SIZE_MAX ? 0 : size);
	octal(u.mtime, sizeof(u.mtime), a->mtime.tv_sec > OCTAL_SIZE_MAX ? 0 : a->mtime.tv_sec);
	memcpy(u.magic, "ustar\00000", sizeof(u.magic));
	octal(u.major, sizeof(u.major), type == '3' || type == '4' ? major(a->rdev) : 0);
	octal(u.minor, sizeof(u.minor), type == '3' || type == '4' ? minor(a->rdev) : 0);
	memset(u.sum, ' ', sizeof(u.sum));
	for (size_t i = 0; i < sizeof(u); i++)
		sum += ((const unsigned char *)&u)[i];
	octal(u.sum, sizeof(u.sum) - 1, sum);
	return pax_data(p, &u, sizeof(u));
}

/* The map of a sparse file comes before its data: how many ranges, then each, a number a line. */
static int sparse_map(const struct pax_head *h, struct buf *map, int64_t *size)
{
	*size = 0;
	buf_printf(map, "%zu\n", h->n_ranges);
	for (size_t i = 0; i < h->n_ranges; i++) {
		buf_printf(map, "%lld\n%lld\n", (long long)h->ranges[i].at,
			   (long long)h->ranges[i].len);
		*size += h->ranges[i].len;
	}
	while (!map->oom && map->len % BLOCK)
		buf_putc(map, '\0');
	*size += (int64_t)map->len;
	return map->oom ? -ENOMEM : 0;
}

int pax_head(struct pax *p, const struct pax_head *h)
{
	_cleanup_buf_ struct buf extra = {}, map = {};
	int64_t size = h->type == '0' ? h->size : 0;
	const char *base = strrchr(h->path, '/');
	_cleanup_free_ char *short_name = NULL;
	int r = h->ranges ? sparse_map(h, &map, &size) : 0;

	records(&extra, h, size);
	if (h->ranges) /* what readers see that know nothing of sparse files */
		short_name = str_fmt("GNUSparseFile.0/%s", base ? base + 1 : h->path);
	if (r < 0 || extra.oom || (h->ranges && !short_name))
		return -ENOMEM;
	if (extra.len) {
		r = ustar(p, "././@PaxHeader", h, 'x', (int64_t)extra.len);
		if (r == 0)
			r = pax_data(p, extra.data, extra.len);
		if (r == 0)
			r = pax_pad(p);
	}
	if (r == 0)
		r = ustar(p, short_name ? short_name : h->path, h, h->type, size);
	if (r == 0 && map.len)
		r = pax_data(p, map.data, map.len);
	return r;
}

#include "tar_make.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"

enum { BLOCK = 512 };

void tar_sum_again(char *block)
{
	unsigned sum = 0;

	if (memcmp(block + 257, "ustar", 5) != 0)
		return;
	memset(block + 148, ' ', 8);
	for (int i = 0; i < BLOCK; i++)
		sum += (unsigned char)block[i];
	snprintf(block + 148, 8, "%06o", sum);
}

void tar_head(struct buf *b, const struct tar_head *h)
{
	char raw[BLOCK] = {};

	strncpy(raw, h->name, 100);
	snprintf(raw + 100, 8, "%07o", h->mode);
	snprintf(raw + 108, 8, "%07o", h->uid);
	snprintf(raw + 116, 8, "%07o", h->gid);
	snprintf(raw + 124, 12, "%011llo", (unsigned long long)h->size);
	snprintf(raw + 136, 12, "%011llo", (unsigned long long)h->mtime);
	raw[156] = h->type;
	if (h->link)
		strncpy(raw + 157, h->link, 100);
	memcpy(raw + 257, "ustar\00000", 8);
	snprintf(raw + 329, 8, "%07o", h->major);
	snprintf(raw + 337, 8, "%07o", h->minor);
	tar_sum_again(raw);
	buf_add(b, raw, sizeof(raw));
}

void tar_body(struct buf *b, const void *data, size_t n)
{
	static const char zero[BLOCK];

	buf_add(b, data, n);
	if (n % BLOCK)
		buf_add(b, zero, BLOCK - n % BLOCK);
}

void tar_pax(struct buf *b, const void *records, size_t n)
{
	tar_head(b, &(struct tar_head){.name = "pax", .type = 'x', .mode = 0644, .size = n});
	tar_body(b, records, n);
}

void tar_pax_record(struct buf *records, const char *key, const void *value, size_t n)
{
	size_t len = strlen(key) + n + 3, digits = 1;

	for (size_t k = len + digits; snprintf(NULL, 0, "%zu", k) != (int)digits; k = len + digits)
		digits++;
	buf_printf(records, "%zu %s=", len + digits, key);
	buf_add(records, value, n);
	buf_putc(records, '\n');
}

void tar_end(struct buf *b)
{
	static const char zero[2 * BLOCK];

	buf_add(b, zero, sizeof(zero));
}

static void long_text(struct buf *b, char type, const char *s)
{
	size_t n = strlen(s) + 1;

	if (n <= 100)
		return;
	tar_head(b, &(struct tar_head){.name = "././@LongLink", .type = type, .size = n});
	tar_body(b, s, n);
}

static void entry(struct buf *b, const struct tar_head *h)
{
	long_text(b, 'L', h->name);
	if (h->link)
		long_text(b, 'K', h->link);
	tar_head(b, h);
}

void tar_file(struct buf *b, const char *name, const char *text)
{
	entry(b, &(struct tar_head){.name = name, .type = '0', .mode = 0644, .size = strlen(text)});
	tar_body(b, text, strlen(text));
}

void tar_dir(struct buf *b, const char *name, unsigned mode)
{
	entry(b, &(struct tar_head){.name = name, .type = '5', .mode = mode});
}

void tar_link(struct buf *b, const char *name, char type, const char *to)
{
	entry(b, &(struct tar_head){.name = name, .type = type, .mode = 0777, .link = to});
}

int tar_fd(const void *data, size_t n)
{
	int fd = memfd_create("tar", MFD_CLOEXEC);

	assert(fd >= 0 && fd_write_all(fd, data, n) == 0 && lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

void tar_write(const char *path, const struct buf *b)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert(fd >= 0 && fd_write_all(fd, b->data, b->len) == 0);
	close(fd);
}

#include "store/stream.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/late.h"
#include "base/str.h"

#define BUF_SIZE ((size_t)128 << 10)

void blob_done(struct blob *b)
{
	cleanup_close(&b->fd);
	*b = BLOB_INIT;
}

struct budget budget_of(uint64_t limit)
{
	/* Zeros take no memory, but time; an entry takes 1 KB of the kernel's. */
	return (struct budget){
		.limit = limit,
		.bytes = limit > UINT64_MAX / 8 ? UINT64_MAX : limit * 8,
		.entries = limit / 256 + 10000,
		.xattrs = limit / 16,
	};
}

uint64_t budget_default(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);

	return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size / 2 : (uint64_t)1 << 30;
}

int budget_entry(struct budget *b, struct err *e)
{
	if (b->entries == 0)
		return err_say(e, EFBIG, "it has more entries than %llu MiB of memory could hold",
			       (unsigned long long)b->limit >> 20);
	b->entries--;
	return 0;
}

void stream_done(struct stream *s)
{
	archive_read_free(s->a);
	free(s->buf);
	*s = (struct stream){};
}

/* The next bytes of the file; 0 at the end of the blob, -errno. */
static ssize_t pull(struct stream *s)
{
	uint64_t left = s->blob->size - s->pos;
	ssize_t n;

	do
		n = pread(s->blob->fd, s->buf, left < BUF_SIZE ? (size_t)left : BUF_SIZE,
			  (off_t)(s->blob->at + s->pos));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	digest_add(&s->in, s->buf, (size_t)n);
	s->pos += (uint64_t)n;
	s->budget->done += (uint64_t)n;
	if (s->budget->progress)
		s->budget->progress(s->budget->done, s->budget->total, s->budget->data);
	return n;
}

static la_ssize_t on_read(struct archive *a, void *arg, const void **data)
{
	struct stream *s = arg;
	ssize_t n = pull(s);

	if (n < 0)
		archive_set_error(a, (int)-n, "cannot read it");
	*data = s->buf;
	return n < 0 ? -1 : n;
}

static int damaged(struct stream *s, struct err *e)
{
	const char *why = archive_error_string(s->a);

	return err_say(e, EBADMSG, "it is damaged or cut off: %s", why ? why : "no end of it");
}

int stream_open(struct stream *s, const struct blob *blob, struct budget *budget, struct err *e)
{
	struct archive_entry *entry;
	int r;

	late_init();
	*s = (struct stream){.blob = blob, .budget = budget, .buf = malloc(BUF_SIZE)};
	s->a = archive_read_new();
	if (!s->a || !s->buf)
		return err_set(e, ENOMEM, "cannot read an archive");
	digest_init(&s->in);
	digest_init(&s->out);
	archive_read_support_filter_gzip(s->a);
	archive_read_support_filter_xz(s->a);
	archive_read_support_filter_zstd(s->a);
	archive_read_support_filter_bzip2(s->a);
	archive_read_support_format_raw(s->a);
	archive_read_support_format_empty(s->a);
	if (archive_read_open2(s->a, s, NULL, on_read, NULL, NULL) < ARCHIVE_WARN)
		return damaged(s, e);
	s->plain = archive_filter_code(s->a, 0) == ARCHIVE_FILTER_NONE;
	r = archive_read_next_header(s->a, &entry);
	s->empty = r == ARCHIVE_EOF;
	return r < ARCHIVE_WARN ? damaged(s, e) : 0;
}

ssize_t stream_read(struct stream *s, const void **data, struct err *e)
{
	size_t n = 0;
	la_int64_t at;
	int r;

	if (s->empty)
		return 0;
	do
		r = archive_read_data_block(s->a, data, &n, &at);
	while (r >= ARCHIVE_WARN && r != ARCHIVE_EOF && n == 0);
	if (r == ARCHIVE_EOF)
		return 0;
	if (r < ARCHIVE_WARN)
		return damaged(s, e);
	if (n > s->budget->bytes)
		return err_say(e, EFBIG,
			       "it unpacks to more than eight times the %llu MiB it may take",
			       (unsigned long long)s->budget->limit >> 20);
	s->budget->bytes -= n;
	if (!s->plain)
		digest_add(&s->out, *data, n);
	return (ssize_t)n;
}

static int compare(struct digest *d, const char *want, const char *what, struct err *e)
{
	char is[DIGEST_TEXT];

	digest_text(d, is);
	if (!want || str_eq(want, is))
		return 0;
	return err_say(e, EBADMSG, "it is damaged, not what it should be: %s is %s, not %s", what,
		       is, want);
}

int stream_finish(struct stream *s, const char *digest, const char *diff_id, struct err *e)
{
	struct digest out;
	const void *data;
	ssize_t n;
	int r;

	while ((n = stream_read(s, &data, e)) > 0)
		;
	if (n < 0)
		return (int)n;
	while ((n = pull(s)) > 0) /* what follows the compressed data */
		;
	if (n < 0)
		return err_set(e, (int)n, "cannot read it");
	if (s->pos < s->blob->size)
		return err_say(e, EBADMSG, "it became shorter while it was read");
	out = s->plain ? s->in : s->out;
	r = compare(&s->in, digest, "its digest", e);
	return r < 0 ? r : compare(&out, diff_id, "the digest of what is in it", e);
}

bool stream_damaged(struct stream *s, const char *digest, struct err *e)
{
	ssize_t n;

	while ((n = pull(s)) > 0)
		;
	return n == 0 && compare(&s->in, digest, "its digest", e) < 0;
}

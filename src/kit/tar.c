#include "kit/tar.h"

#include <errno.h>
#include <unistd.h>

#define BLOCK	 512
#define BUF_SIZE ((size_t)256 << 10)

struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type;
	char link[100], magic[6], version[2], user[32], group[32], major[8], minor[8];
	char prefix[155], pad[12];
};

_Static_assert(sizeof(struct header) == BLOCK, "a tar header is one block");

static void entry_done(struct tar_entry *e)
{
	free(e->name);
	free(e->link);
	*e = (struct tar_entry){};
}

void tar_done(struct tar *t)
{
	entry_done(&t->entry);
	free(t->buf);
	*t = (struct tar){.fd = -EBADF};
}

/* Fill the buffer when it is empty. 1, 0 at the end, or -errno. */
static int more(struct tar *t)
{
	ssize_t n;

	if (t->pos < t->len)
		return 1;
	if (!t->buf && !(t->buf = malloc(BUF_SIZE)))
		return -ENOMEM;
	do
		n = read(t->fd, t->buf, BUF_SIZE);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	t->pos = 0;
	t->len = (size_t)n;
	return n > 0;
}

/* Exactly `n` bytes. 1, 0 at a clean end, -EBADMSG when cut. */
static int take(struct tar *t, void *out, size_t n)
{
	size_t got = 0;

	while (got < n) {
		size_t piece = n - got;
		int r = more(t);

		if (r < 0)
			return r;
		if (r == 0)
			return got ? -EBADMSG : 0;
		if (piece > t->len - t->pos)
			piece = t->len - t->pos;
		memcpy((char *)out + got, t->buf + t->pos, piece);
		t->pos += piece;
		got += piece;
	}
	return 1;
}

ssize_t tar_data(struct tar *t, const char **data)
{
	size_t n;
	int r;

	if (t->left == 0)
		return 0;
	r = more(t);
	if (r <= 0)
		return r < 0 ? r : -EBADMSG;
	n = t->len - t->pos;
	if (n > t->left)
		n = (size_t)t->left;
	*data = t->buf + t->pos;
	t->pos += n;
	t->left -= n;
	return (ssize_t)n;
}

static int skip(struct tar *t)
{
	char pad[BLOCK];
	const char *data;
	ssize_t n;

	while ((n = tar_data(t, &data)) > 0)
		;
	if (n < 0)
		return (int)n;
	if (t->pad && take(t, pad, (size_t)t->pad) != 1)
		return -EBADMSG;
	t->pad = 0;
	return 0;
}

static int octal(const char *s, size_t n, uint64_t *out)
{
	uint64_t v = 0;
	size_t i = 0;

	while (i < n && s[i] == ' ')
		i++;
	for (; i < n && s[i] >= '0' && s[i] <= '7'; i++)
		v = v << 3 | (uint64_t)(s[i] - '0');
	if (i < n && s[i] && s[i] != ' ')
		return -EBADMSG;
	*out = v;
	return 0;
}

static bool sum_ok(const struct header *h)
{
	const unsigned char *p = (const unsigned char *)h;
	uint64_t want, sum = 0;

	if (octal(h->sum, sizeof(h->sum), &want) < 0)
		return false;
	for (size_t i = 0; i < BLOCK; i++)
		sum += i >= offsetof(struct header, sum) && i < offsetof(struct header, type)
			       ? ' '
			       : p[i];
	return sum == want;
}

/* The content of a long name or long link entry. */
static int long_name(struct tar *t, char **out)
{
	_cleanup_free_ char *s = NULL;

	if (t->left == 0 || t->left > TAR_NAME_MAX)
		return -EBADMSG;
	s = calloc(1, (size_t)t->left + 1);
	if (!s)
		return -ENOMEM;
	if (take(t, s, (size_t)t->left) != 1)
		return -EBADMSG;
	t->left = 0;
	free(*out);
	*out = TAKE_PTR(s);
	return skip(t);
}

/* "./usr/bin/" becomes "/usr/bin". */
static char *clean(const char *s)
{
	char *out;
	size_t n;

	while (s[0] == '.' && s[1] == '/')
		s += 2;
	while (*s == '/')
		s++;
	if (str_eq(s, "."))
		s = "";
	out = str_fmt("%s%s", *s ? "/" : "", s);
	n = out ? strlen(out) : 0;
	while (n > 1 && out[n - 1] == '/')
		out[--n] = '\0';
	return out;
}

static int fill(struct tar *t, const struct header *h, const char *long_n, char *long_l)
{
	_cleanup_free_ char *name = NULL;
	uint64_t mode;

	if (long_n)
		name = strdup(long_n);
	else if (memcmp(h->magic, "ustar\0", 6) == 0 && h->prefix[0])
		name = str_fmt("%.155s/%.100s", h->prefix, h->name);
	else
		name = str_fmt("%.100s", h->name);
	if (!name || octal(h->mode, sizeof(h->mode), &mode) < 0) {
		free(long_l);
		return name ? -EBADMSG : -ENOMEM;
	}
	t->entry.name = clean(name);
	t->entry.link = long_l ? long_l : h->link[0] ? str_fmt("%.100s", h->link) : NULL;
	t->entry.type = h->type ? h->type : '0';
	t->entry.mode = (mode_t)mode & 07777;
	t->entry.size = t->left;
	return t->entry.name && (t->entry.link || !h->link[0]) ? 0 : -ENOMEM;
}

int tar_next(struct tar *t, const struct tar_entry **entry)
{
	_cleanup_free_ char *long_n = NULL, *long_l = NULL;
	struct header h;
	int r = skip(t);

	if (r < 0)
		return r;
	entry_done(&t->entry);
	for (;;) {
		static const struct header zero;
		uint64_t size;

		r = take(t, &h, sizeof(h));
		if (r <= 0)
			return r;
		if (memcmp(&h, &zero, sizeof(h)) == 0)
			continue;
		if (!sum_ok(&h) || octal(h.size, sizeof(h.size), &size) < 0)
			return -EBADMSG;
		t->left = h.type == '1' || h.type == '2' || h.type == '5' ? 0 : size;
		t->pad = (BLOCK - t->left % BLOCK) % BLOCK;
		if (h.type == 'L' || h.type == 'K')
			r = long_name(t, h.type == 'L' ? &long_n : &long_l);
		else if (h.type == 'x' || h.type == 'g')
			r = skip(t);
		else
			break;
		if (r < 0)
			return r;
	}
	r = fill(t, &h, long_n, TAKE_PTR(long_l));
	*entry = &t->entry;
	return r < 0 ? r : 1;
}

#include "base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

bool str_ends(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

bool str_has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = list; *p;) {
		size_t n = strcspn(p, " \n");

		if (n == len && memcmp(p, word, n) == 0)
			return true;
		p += n + (p[n] != '\0');
	}
	return false;
}

/* Length of the valid, printable UTF-8 sequence at s (1 to 4), or 0. */
static size_t utf8_printable(const unsigned char *s, size_t len)
{
	static const struct {
		unsigned char mask, lead;
		uint32_t min;
	} kind[] = {
		{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
	size_t n, i;
	uint32_t c;

	for (n = 0; n < ARRAY_LEN(kind); n++)
		if ((s[0] & kind[n].mask) == kind[n].lead)
			break;
	if (n == ARRAY_LEN(kind) || n + 1 > len)
		return 0;
	c = s[0] & (unsigned char)~kind[n].mask;
	for (i = 1; i <= n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < kind[n].min || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	/* C0, DEL, C1; line and paragraph separators; what can reorder a line (bidirectional) */
	if (c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x2028 && c <= 0x202e) ||
	    (c >= 0x2066 && c <= 0x2069) || c == 0x200e || c == 0x200f || c == 0x61c)
		return 0;
	return n + 1;
}

size_t str_printable(const char *s, size_t len, char *out, size_t size)
{
	static const char hex[] = "0123456789abcdef";
	size_t i = 0, o = 0;

	if (size == 0)
		return 0;
	while (i < len) {
		size_t n = utf8_printable((const unsigned char *)s + i, len - i);

		if (n) {
			if (o + n >= size)
				break;
			memcpy(out + o, s + i, n);
			o += n;
			i += n;
			continue;
		}
		if (o + 4 >= size)
			break;
		out[o++] = '\\';
		out[o++] = 'x';
		out[o++] = hex[(unsigned char)s[i] >> 4];
		out[o++] = hex[s[i] & 15];
		i++;
	}
	out[o] = '\0';
	return o;
}

char *str_printable_dup(const char *s)
{
	size_t len = strlen(s), size = len * 4 + 1;
	char *out = malloc(size);

	if (out)
		str_printable(s, len, out, size);
	return out;
}

const char *str_line(const char *text, const char *start)
{
	for (const char *p = text; p; p = strchr(p, '\n'), p += p != NULL)
		if (str_starts(p, start))
			return p + strlen(start);
	return NULL;
}

const char *str_field(const char *text, const char *key)
{
	const char *v = str_line(text, key);

	return v ? v + strspn(v, " \t") : NULL;
}

int str_to_u64(const char *s, uint64_t min, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (!s || !*s)
		return -EINVAL;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
			return -ERANGE;
	}
	if (v < min || v > max)
		return -ERANGE;
	*out = v;
	return 0;
}

/* What may follow the digits: a unit, then b or ib. Its power of 1024, or -EINVAL. */
static int size_unit(const char *s)
{
	static const char units[] = "kmgtp";
	const char *unit = *s ? strchr(units, *s | 0x20) : NULL;

	if (unit) {
		s++;
		s += (*s | 0x20) == 'i';
	}
	s += (*s | 0x20) == 'b';
	return *s ? -EINVAL : unit ? (int)(unit - units) + 1 : 0;
}

int str_to_size(const char *s, uint64_t *out)
{
	size_t digits = s ? strspn(s, "0123456789") : 0, n = digits;
	int power;
	double v;

	if (digits == 0)
		return -EINVAL;
	if (s[n] == '.')
		n += 1 + strspn(s + n + 1, "0123456789");
	/* strtod() would also take exponents and hexadecimal digits */
	power = n == digits + 1 ? -EINVAL : size_unit(s + n);
	if (power < 0)
		return power;
	for (v = strtod(s, NULL); power > 0; power--)
		v *= 1024;
	if (!(v < 9.2e18))
		return -ERANGE;
	*out = (uint64_t)v;
	return 0;
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

unsigned str_distance(const char *a, const char *b)
{
	enum { MAX = 64 };
	unsigned rows[3][MAX + 1]; /* of the table of distances between beginnings */
	size_t n = strnlen(a, MAX), m = strnlen(b, MAX);

	for (size_t j = 0; j <= m; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		unsigned *row = rows[i % 3], *last = rows[(i - 1) % 3];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			row[j] = least(last[j - 1] + (a[i - 1] != b[j - 1]),
				       least(last[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], rows[(i - 2) % 3][j - 2] + 1);
		}
	}
	return rows[n % 3][m];
}

void buf_done(struct buf *b)
{
	free(b->data);
	*b = (struct buf){};
}

static bool buf_room(struct buf *b, size_t more)
{
	size_t want, size;
	char *p;

	if (b->oom || __builtin_add_overflow(b->len, more, &want) || want >= SIZE_MAX / 2) {
		b->oom = true;
		return false;
	}
	if (want + 1 <= b->size)
		return true;
	size = b->size ? b->size : 64;
	while (size < want + 1)
		size *= 2;
	p = realloc(b->data, size);
	if (!p) {
		b->oom = true;
		return false;
	}
	b->data = p;
	b->size = size;
	return true;
}

void buf_add(struct buf *b, const void *data, size_t len)
{
	if (!buf_room(b, len))
		return;
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void buf_puts(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_putc(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap, ap2;
	int n;

	va_start(ap, fmt);
	va_copy(ap2, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n >= 0 && buf_room(b, (size_t)n)) {
		vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap2);
		b->len += (size_t)n;
	}
	va_end(ap2);
}

char *buf_take(struct buf *b)
{
	char *s;

	if (!b->data)
		buf_add(b, "", 0);
	if (b->oom) {
		buf_done(b);
		return NULL;
	}
	s = b->data;
	*b = (struct buf){};
	return s;
}

int str_copy_bytes(const void *from, size_t n, char **out, size_t *len)
{
	*out = malloc(n + 1);
	if (!*out)
		return -ENOMEM;
	memcpy(*out, from, n);
	(*out)[n] = '\0';
	if (len)
		*len = n;
	return 0;
}

char *str_fmt(const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return n < 0 ? NULL : s;
}

void strv_done(struct strv *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i]);
	free(s->v);
	*s = (struct strv){};
}

int strv_push(struct strv *s, char *str)
{
	char **v;

	if (!str)
		return -ENOMEM;
	/* grow at powers of two only: n+1 slots plus the NULL */
	if (s->n == 0 || ((s->n + 1) & s->n) == 0) {
		v = reallocarray(s->v, (s->n + 1) * 2, sizeof(*v));
		if (!v) {
			free(str);
			return -ENOMEM;
		}
		s->v = v;
	}
	s->v[s->n++] = str;
	s->v[s->n] = NULL;
	return 0;
}

int strv_add(struct strv *s, const char *str)
{
	return strv_push(s, strdup(str));
}

int strv_add_all(struct strv *s, const struct strv *from)
{
	int r = 0;

	for (size_t i = 0; i < from->n && r == 0; i++)
		r = strv_add(s, from->v[i]);
	return r;
}

int strv_split(struct strv *s, const char *str, const char *seps)
{
	while (*(str += strspn(str, seps))) {
		size_t n = strcspn(str, seps);
		int r = strv_push(s, strndup(str, n));

		if (r < 0)
			return r;
		str += n;
	}
	return 0;
}

bool strv_has(const struct strv *s, const char *str)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->v[i], str) == 0)
			return true;
	return false;
}

int str_to_seconds(const char *s, uint64_t *out)
{
	static const struct {
		char letter;
		uint64_t seconds;
	} units[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}, {'\0', 1}};
	const uint64_t max = UINT64_C(100) * 366 * 86400;
	size_t unit = 0;

	*out = 0;
	do {
		char digits[16];
		size_t n = strspn(s, "0123456789");
		uint64_t number;

		if (!n || n >= sizeof(digits))
			return -EINVAL;
		memcpy(digits, s, n);
		digits[n] = '\0';
		s += n;
		/* each unit once, the largest first */
		while (unit < ARRAY_LEN(units) && units[unit].letter != *s)
			unit++;
		if (unit == ARRAY_LEN(units) || str_to_u64(digits, 0, max, &number) < 0)
			return -EINVAL;
		*out += number * units[unit++].seconds;
		s += *s != '\0';
	} while (*s);
	return *out && *out <= max ? 0 : -EINVAL;
}

ssize_t strv_find_var(const struct strv *s, const char *name)
{
	size_t n = strcspn(name, "=");

	for (size_t i = 0; i < s->n; i++)
		if (strncmp(s->v[i], name, n) == 0 && s->v[i][n] == '=')
			return (ssize_t)i;
	return -1;
}

const char *strv_var(const struct strv *s, const char *name)
{
	ssize_t at = strv_find_var(s, name);

	return at < 0 ? NULL : strchr(s->v[at], '=') + 1;
}

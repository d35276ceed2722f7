#include "base/jpick.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

enum { DEPTH_MAX = 512, KEYS_MAX = 8, PATHS_MAX = 32, LENS_MAX = 32 };

static const char *skip_blank(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
		p++;
	return p;
}

/* Past the closing quote of the string that starts at p; NULL when it does not end. */
static const char *skip_string(const char *p, const char *end)
{
	for (p++; p < end; p++) {
		const char *q = memchr(p, '"', (size_t)(end - p));
		const char *b = q;

		if (!q)
			return NULL;
		while (b > p && b[-1] == '\\')
			b--;
		if ((q - b) % 2 == 0)
			return q + 1;
		p = q;
	}
	return NULL;
}

/* Past a number, true, false or null. */
static const char *skip_word(const char *p, const char *end)
{
	const char *from = p;

	while (p < end && ((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') || *p == '-' ||
			   *p == '+' || *p == '.' || *p == 'E'))
		p++;
	return p > from ? p : NULL;
}

/* Past an object or array, whatever is in it. */
static const char *skip_nest(const char *p, const char *end)
{
	static const bool stops[256] = {
		['"'] = true, ['{'] = true, ['['] = true, ['}'] = true, [']'] = true,
	};
	char open[DEPTH_MAX];
	int depth = 0;

	while (p < end) {
		if (!stops[(unsigned char)*p]) {
			p++;
			continue;
		}
		if (*p == '"') {
			p = skip_string(p, end);
			if (!p)
				return NULL;
			continue;
		}
		if (*p == '{' || *p == '[') {
			if (depth == DEPTH_MAX)
				return NULL;
			open[depth++] = *p;
		} else if (open[--depth] + 2 != *p) { /* '{' + 2 is '}', '[' + 2 is ']' */
			return NULL;
		} else if (depth == 0) {
			return p + 1;
		}
		p++;
	}
	return NULL;
}

static const char *skip_value(const char *p, const char *end)
{
	if (p >= end)
		return NULL;
	if (*p == '"')
		return skip_string(p, end);
	if (*p == '{' || *p == '[')
		return skip_nest(p, end);
	return skip_word(p, end);
}

bool jpick_next(struct slice *at, struct slice *key, struct slice *elem)
{
	const char *p = at->p, *end = at->p + at->n, *q;

	if (at->n == 0)
		return false;
	if (*p == ',') {
		p = skip_blank(p + 1, end);
	} else {
		if (*p == (key ? '{' : '['))
			p = skip_blank(p + 1, end);
		if (p + 1 == end && *p == (key ? '}' : ']'))
			*at = (struct slice){}; /* a proper end, and only then p is NULL */
		if (!at->p || p == at->p)
			return false;
	}
	if (key) {
		q = p < end && *p == '"' ? skip_string(p, end) : NULL;
		if (!q)
			return false;
		*key = (struct slice){p, (size_t)(q - p)};
		p = skip_blank(q, end);
		if (p >= end || *p != ':')
			return false;
		p = skip_blank(p + 1, end);
	}
	q = skip_value(p, end);
	if (!q)
		return false;
	*elem = (struct slice){p, (size_t)(q - p)};
	p = skip_blank(q, end);
	*at = (struct slice){p, (size_t)(end - p)};
	return true;
}

struct pick {
	struct {
		const char *key;
		size_t n;
	} step[KEYS_MAX];
	int steps;
};

static int split_path(const char *path, struct pick *k)
{
	for (k->steps = 0; k->steps < KEYS_MAX; k->steps++) {
		const char *sep = strchrnul(path, JPICK_SEP);

		k->step[k->steps].key = path;
		k->step[k->steps].n = (size_t)(sep - path);
		if (!*sep) {
			k->steps++;
			return 0;
		}
		path = sep + 1;
	}
	return -EINVAL;
}

struct picker {
	struct pick k[PATHS_MAX];
	uint32_t of_len[LENS_MAX]; /* picks that have a step of this length, modulo that many */
	size_t n;
	struct slice *out;
};

/* Picks that have this key as their step at `level`, out of `mask`. Most keys are nobody's, and
 * most of those by their length alone. */
static uint32_t matching(const struct picker *pk, uint32_t mask, int level, struct slice key)
{
	uint32_t hit = 0;

	mask &= pk->of_len[(key.n - 2) % LENS_MAX];
	for (; mask; mask &= mask - 1) {
		int i = __builtin_ctz(mask);
		const struct pick *k = &pk->k[i];

		if (k->step[level].n == key.n - 2 &&
		    memcmp(k->step[level].key, key.p + 1, key.n - 2) == 0)
			hit |= (uint32_t)1 << i;
	}
	return hit;
}

static const char *pick_object(struct picker *pk, const char *p, const char *end, uint32_t mask,
			       int level);

/* One member's value at p: taken, entered, or passed over. Past it, or NULL. */
static const char *pick_value(struct picker *pk, const char *p, const char *end, uint32_t hit,
			      int level)
{
	uint32_t here = 0;
	const char *q;

	if (!hit)
		return skip_value(p, end);
	for (size_t i = 0; i < pk->n; i++)
		if (hit >> i & 1 && pk->k[i].steps == level + 1)
			here |= (uint32_t)1 << i;
	if ((hit & ~here) && p < end && *p == '{')
		q = pick_object(pk, p, end, hit & ~here, level + 1);
	else
		q = skip_value(p, end);
	for (size_t i = 0; q && here && i < pk->n; i++)
		if (here >> i & 1)
			pk->out[i] = (struct slice){p, (size_t)(q - p)};
	return q;
}

/* The object at p; deeper ones by recursion, at most KEYS_MAX deep. Past its end, or NULL. */
static const char *pick_object(struct picker *pk, const char *p, const char *end, uint32_t mask,
			       int level)
{
	p = skip_blank(p + 1, end);
	if (p < end && *p == '}')
		return p + 1;
	while (p < end && *p == '"') {
		const char *q = skip_string(p, end);
		struct slice key = {p, q ? (size_t)(q - p) : 0};

		if (!q)
			return NULL;
		p = skip_blank(q, end);
		if (p >= end || *p != ':')
			return NULL;
		p = skip_blank(p + 1, end);
		p = pick_value(pk, p, end, matching(pk, mask, level, key), level);
		if (!p)
			return NULL;
		p = skip_blank(p, end);
		if (p < end && *p == '}')
			return p + 1;
		if (p >= end || *p != ',')
			return NULL;
		p = skip_blank(p + 1, end);
	}
	return NULL;
}

int jpick(struct slice doc, const char *const *paths, size_t n, struct slice *out)
{
	struct picker pk = {.n = n, .out = out};
	const char *end = doc.p + doc.n, *p = skip_blank(doc.p, end);

	if (n > PATHS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		out[i] = (struct slice){};
		if (split_path(paths[i], &pk.k[i]) < 0)
			return -EINVAL;
		for (int s = 0; s < pk.k[i].steps; s++)
			pk.of_len[pk.k[i].step[s].n % LENS_MAX] |= (uint32_t)1 << i;
	}
	if (p >= end || *p != '{')
		return -EBADMSG;
	p = pick_object(&pk, p, end, (uint32_t)((UINT64_C(1) << n) - 1), 0);
	return p && skip_blank(p, end) == end ? 0 : -EBADMSG;
}

/* Four hex digits; -1 when they are none. */
static int hex4(const char *p, const char *end)
{
	int v = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char c = p[i];
		int d = c >= '0' && c <= '9'   ? c - '0'
			: c >= 'a' && c <= 'f' ? c - 'a' + 10
			: c >= 'A' && c <= 'F' ? c - 'A' + 10
					       : -1;

		if (d < 0)
			return -1;
		v = v << 4 | d;
	}
	return v;
}

static char *put_utf8(char *o, uint32_t c)
{
	if (c < 0x80) {
		*o++ = (char)c;
	} else if (c < 0x800) {
		*o++ = (char)(0xc0 | c >> 6);
		*o++ = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*o++ = (char)(0xe0 | c >> 12);
		*o++ = (char)(0x80 | (c >> 6 & 0x3f));
		*o++ = (char)(0x80 | (c & 0x3f));
	} else {
		*o++ = (char)(0xf0 | c >> 18);
		*o++ = (char)(0x80 | (c >> 12 & 0x3f));
		*o++ = (char)(0x80 | (c >> 6 & 0x3f));
		*o++ = (char)(0x80 | (c & 0x3f));
	}
	return o;
}

/* The \uXXXX at *p, or a surrogate pair of them; -1 when broken. */
static int64_t get_u(const char **p, const char *end)
{
	int c = hex4(*p + 2, end), low;

	if (c < 0)
		return -1;
	*p += 6;
	if (c < 0xd800 || c > 0xdfff)
		return c;
	low = end - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u' ? hex4(*p + 2, end) : -1;
	if (c > 0xdbff || low < 0xdc00 || low > 0xdfff)
		return '?';
	*p += 6;
	return 0x10000 + ((int64_t)(c & 0x3ff) << 10 | (low & 0x3ff));
}

/* One escape at *p into *o. False when it is none of JSON's, or NUL. */
static bool unescape(const char **p, const char *end, char **o)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *q;
	int64_t c;

	if (end - *p < 2)
		return false;
	if ((*p)[1] == 'u') {
		c = get_u(p, end);
		if (c <= 0)
			return false;
		*o = put_utf8(*o, (uint32_t)c);
		return true;
	}
	q = memchr(from, (*p)[1], sizeof(from) - 1);
	if (!q)
		return false;
	*(*o)++ = to[q - from];
	*p += 2;
	return true;
}

char *jpick_str(struct slice v)
{
	_cleanup_free_ char *out = NULL;
	const char *p, *end;
	char *o;

	if (v.n < 3 || *v.p != '"' || v.p[v.n - 1] != '"')
		return NULL;
	p = v.p + 1;
	end = v.p + v.n - 1;
	out = malloc(v.n); /* an escape is never longer than what it stands for */
	if (!out)
		return NULL;
	for (o = out; p < end;) {
		if (*p == '\\') {
			if (!unescape(&p, end, &o))
				return NULL;
		} else if (*p) {
			*o++ = *p++;
		} else {
			return NULL;
		}
	}
	*o = '\0';
	return TAKE_PTR(out);
}

bool jpick_is(struct slice v, const char *s)
{
	size_t n = strlen(s);

	return v.n == n + 2 && *v.p == '"' && memcmp(v.p + 1, s, n) == 0;
}

int64_t jpick_int(struct slice v, int64_t dflt)
{
	char text[24], *end;
	int64_t n;

	if (v.n > 2 && *v.p == '"')
		v = (struct slice){v.p + 1, v.n - 2};
	if (v.n == 0 || v.n >= sizeof(text) || (*v.p != '-' && (*v.p < '0' || *v.p > '9')))
		return dflt;
	memcpy(text, v.p, v.n);
	text[v.n] = '\0';
	errno = 0;
	n = strtoll(text, &end, 10);
	return errno || *end ? dflt : n;
}

bool jpick_bool(struct slice v, bool dflt)
{
	if (v.n == 4 && memcmp(v.p, "true", 4) == 0)
		return true;
	if (v.n == 5 && memcmp(v.p, "false", 5) == 0)
		return false;
	return dflt;
}

/* `n` digits at *p, then the byte `sep` (0: none); -1 when it is not so. */
static int digits(const char **p, const char *end, int n, char sep)
{
	int v = 0;

	if (end - *p < n + (sep != '\0'))
		return -1;
	for (; n > 0; n--, ++*p) {
		if (**p < '0' || **p > '9')
			return -1;
		v = v * 10 + (**p - '0');
	}
	if (sep && *(*p)++ != sep)
		return -1;
	return v;
}

/* Days from 1970-01-01, by the calendar of all times. */
static int64_t days_of(int year, int month, int day)
{
	static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
	int64_t y = year - (month <= 2); /* leap days up to this year's March */

	return (int64_t)year * 365 + y / 4 - y / 100 + y / 400 + before[month - 1] + day - 719528;
}

int64_t jpick_time(struct slice v)
{
	const char *p, *end;
	int year, month, day, h, m, s, oh = 0, om = 0;
	int64_t t;
	char sign;

	if (v.n < 22 || *v.p != '"')
		return 0;
	p = v.p + 1;
	end = v.p + v.n - 1;
	year = digits(&p, end, 4, '-');
	month = digits(&p, end, 2, '-');
	day = digits(&p, end, 2, 'T');
	h = digits(&p, end, 2, ':');
	m = digits(&p, end, 2, ':');
	s = digits(&p, end, 2, '\0');
	if (year < 1971 || month < 1 || month > 12 || day < 1 || day > 31 || h < 0 || m < 0 ||
	    s < 0)
		return 0;
	if (p < end && *p == '.')
		for (p++; p < end && *p >= '0' && *p <= '9'; p++)
			;
	sign = p < end ? *p++ : 'Z';
	if (sign == '+' || sign == '-') {
		oh = digits(&p, end, 2, ':');
		om = digits(&p, end, 2, '\0');
	}
	if (oh < 0 || om < 0)
		return 0;
	t = days_of(year, month, day) * 86400 + h * 3600 + m * 60 + s;
	return t - (sign == '-' ? -1 : 1) * (oh * 3600 + om * 60);
}

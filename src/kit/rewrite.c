#include "kit/rewrite.h"

#include <ctype.h>

#include "kit/kit.h"

/* Bytes that may stand in a path, also as part of a pattern. */
static bool in_path(unsigned char c)
{
	return isalnum(c) || (c && strchr("/._-+@~%*?$^\\", c));
}

/* A path cannot start right after these: it would be the rest of a longer one ("$x/usr/bin"). */
static bool glued(unsigned char c)
{
	return isalnum(c) || (c && strchr("/._-+@~%*?$}])^\\", c));
}

void rewrite_fars_done(struct rewrite_fars *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->v[i].path);
	free(f->v);
	*f = (struct rewrite_fars){};
}

/* `string` rules: this path, or one below it. */
static size_t by_rule(const struct rules *r, const char *p, size_t len, char *out)
{
	for (size_t i = 0; i < r->strings.n; i++) {
		const char *from = r->strings.v[i].from, *to = r->strings.v[i].to;
		size_t n = strlen(from), k = strlen(to);

		if (len < n || memcmp(p, from, n) != 0 || (len > n && p[n] != '/') ||
		    k + len - n >= NAMES_PATH_MAX)
			continue;
		memcpy(out, to, k);
		memcpy(out + k, p + n, len - n);
		out[k + len - n] = '\0';
		return k + len - n;
	}
	return 0;
}

/* Where path `p` (`len` bytes, begins with '/') lives in the kit: relative path to `out`
 * (NAMES_PATH_MAX bytes). Returns its length, or 0 when it is not the kit's. `%`, `*`, `?` and `$`
 * start a pattern: then the directory before it decides. */
static size_t rewrite_path(const struct rewriter *w, const char *p, size_t len, char *out)
{
	size_t dir = len, k;

	if (len < 4 || len >= NAMES_PATH_MAX - 16)
		return 0;
	for (size_t i = 0; i < len && dir == len; i++)
		if (strchr("%*?$\\^", p[i])) {
			dir = i;
			while (dir > 0 && p[dir] != '/')
				dir--;
		}
	k = by_rule(w->rules, p, dir, out);
	if (!k)
		k = names_owned(w->names, p, dir, out);
	if (!k || k + len - dir >= NAMES_PATH_MAX)
		return 0;
	memcpy(out + k, p + dir, len - dir);
	out[k + len - dir] = '\0';
	return k + len - dir;
}

bool rewrite_pad(const char *kit, size_t len, char *out)
{
	size_t prefix = strlen(KIT_PREFIX), k = strlen(kit);

	if (len < prefix + 1 + k)
		return false;
	memcpy(out, KIT_PREFIX, prefix);
	memset(out + prefix, '/', len - prefix - k);
	memcpy(out + len - k, kit, k);
	return true;
}

/* The next path at or after `i`: its start, and its length in *n; `len` when there is none. */
static size_t next_path(const char *data, size_t len, size_t i, size_t *n)
{
	while (i < len) {
		const char *p = memchr(data + i, '/', len - i);

		if (!p)
			return len;
		i = (size_t)(p - data);
		if (i + 4 < len && strchr("uelbsv", p[1]) && p[1] &&
		    (i == 0 || !glued((unsigned char)p[-1]))) {
			*n = 1;
			while (i + *n < len && in_path((unsigned char)p[*n]))
				++*n;
			return i;
		}
		i++;
	}
	return len;
}

static void far_add(struct rewrite_fars *far, const char *data, size_t off, size_t n,
		    const char *kit)
{
	struct rewrite_far *v;

	/* linkers let a string be the tail of another: who points at it decides, not what is before
	 */
	if (data[off + n])
		return;
	v = reallocarray(far->v, far->n + 1, sizeof(*v));
	if (!v)
		return;
	far->v = v;
	v[far->n].off = off;
	v[far->n].len = n;
	v[far->n].path = str_fmt("%s/%s", KIT_PREFIX, kit);
	if (v[far->n].path)
		far->n++;
}

size_t rewrite_fixed(const struct rewriter *w, char *data, size_t len, struct rewrite_fars *far)
{
	char kit[NAMES_PATH_MAX];
	size_t count = 0, n = 0;

	for (size_t i = 0; (i = next_path(data, len, i, &n)) < len; i += n) {
		if (!rewrite_path(w, data + i, n, kit))
			continue;
		if (rewrite_pad(kit, n, data + i))
			count++;
		else if (far && i + n < len)
			far_add(far, data, i, n, kit);
	}
	return count;
}

size_t rewrite_exact(char *data, size_t len, const char *from, const char *to)
{
	size_t n = strlen(from), count = 0;
	char *p = data, *end = data + len;

	while (p < end && (p = memmem(p, (size_t)(end - p), from, n))) {
		bool whole = p + n < end && !p[n] && (p == data || !p[-1]);

		if (whole && str_eq(to, "-")) {
			memset(p, 0, n);
			count++;
		} else if (whole) {
			count += rewrite_pad(to, n, p);
		}
		p += n;
	}
	return count;
}

size_t rewrite_text(const struct rewriter *w, const char *data, size_t len, struct buf *out)
{
	char kit[NAMES_PATH_MAX];
	size_t count = 0, n = 0, i = 0, from = 0;

	for (; (i = next_path(data, len, i, &n)) < len; i += n) {
		if (!rewrite_path(w, data + i, n, kit))
			continue;
		buf_add(out, data + from, i - from);
		buf_puts(out, KIT_PREFIX "/");
		buf_puts(out, kit);
		from = i + n;
		count++;
	}
	buf_add(out, data + from, len - from);
	return count;
}

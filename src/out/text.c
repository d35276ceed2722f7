#include "out/text.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/str.h"

struct out_style out_style_of(int fd, bool color)
{
	struct out_style style = {.color = color};
	const char *columns = getenv("COLUMNS");
	struct winsize ws;
	uint64_t n;

	if (ioctl(fd, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 0)
		style.width = ws.ws_col;
	else if (columns && str_to_u64(columns, 20, 10000, &n) == 0)
		style.width = (int)n;
	return style;
}

const char *out_on(bool on, enum out_color c)
{
	static const char *const seq[] = {
		[OUT_PLAIN] = "",	 [OUT_BOLD] = "\033[1m",   [OUT_DIM] = "\033[2m",
		[OUT_RED] = "\033[31m",	 [OUT_GREEN] = "\033[32m", [OUT_YELLOW] = "\033[33m",
		[OUT_BLUE] = "\033[34m", [OUT_CYAN] = "\033[36m",
	};

	return on && (unsigned)c < ARRAY_LEN(seq) ? seq[c] : "";
}

const char *out_off(bool on, enum out_color c)
{
	return on && c != OUT_PLAIN ? "\033[0m" : "";
}

struct range {
	uint32_t first, last;
};

/* Combining marks, joiners and variation selectors (Unicode 15, the blocks in common use). */
static const struct range zero[] = {
	{0x00ad, 0x00ad}, {0x0300, 0x036f}, {0x0483, 0x0489},	{0x0591, 0x05bd},
	{0x0610, 0x061a}, {0x064b, 0x065f}, {0x06d6, 0x06dc},	{0x06df, 0x06e4},
	{0x0900, 0x0902}, {0x093c, 0x093c}, {0x0941, 0x0948},	{0x094d, 0x094d},
	{0x0e31, 0x0e31}, {0x0e34, 0x0e3a}, {0x0e47, 0x0e4e},	{0x1160, 0x11ff},
	{0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x200b, 0x200f},	{0x2060, 0x2064},
	{0x20d0, 0x20ff}, {0x302a, 0x302d}, {0x3099, 0x309a},	{0xfe00, 0xfe0f},
	{0xfe20, 0xfe2f}, {0xfeff, 0xfeff}, {0x1f3fb, 0x1f3ff}, {0xe0001, 0xe01ef},
};

/* East Asian wide and full width, and emoji shown as pictures. */
static const struct range wide[] = {
	{0x1100, 0x115f},   {0x231a, 0x231b},	{0x2329, 0x232a},   {0x23e9, 0x23ec},
	{0x23f0, 0x23f0},   {0x23f3, 0x23f3},	{0x25fd, 0x25fe},   {0x2614, 0x2615},
	{0x2648, 0x2653},   {0x267f, 0x267f},	{0x2693, 0x2693},   {0x26a1, 0x26a1},
	{0x26aa, 0x26ab},   {0x26bd, 0x26be},	{0x26c4, 0x26c5},   {0x26ce, 0x26ce},
	{0x26d4, 0x26d4},   {0x26ea, 0x26ea},	{0x26f2, 0x26f3},   {0x26f5, 0x26f5},
	{0x26fa, 0x26fa},   {0x26fd, 0x26fd},	{0x2705, 0x2705},   {0x270a, 0x270b},
	{0x2728, 0x2728},   {0x274c, 0x274c},	{0x274e, 0x274e},   {0x2753, 0x2755},
	{0x2757, 0x2757},   {0x2795, 0x2797},	{0x27b0, 0x27b0},   {0x27bf, 0x27bf},
	{0x2b1b, 0x2b1c},   {0x2b50, 0x2b50},	{0x2b55, 0x2b55},   {0x2e80, 0x303e},
	{0x3041, 0x33ff},   {0x3400, 0x4dbf},	{0x4e00, 0xa4cf},   {0xa960, 0xa97f},
	{0xac00, 0xd7a3},   {0xf900, 0xfaff},	{0xfe30, 0xfe6f},   {0xff00, 0xff60},
	{0xffe0, 0xffe6},   {0x16fe0, 0x18aff}, {0x1b000, 0x1b2ff}, {0x1f004, 0x1f004},
	{0x1f0cf, 0x1f0cf}, {0x1f18e, 0x1f18e}, {0x1f191, 0x1f19a}, {0x1f200, 0x1f320},
	{0x1f32d, 0x1f335}, {0x1f337, 0x1f37c}, {0x1f37e, 0x1f393}, {0x1f3a0, 0x1f3ca},
	{0x1f3cf, 0x1f3d3}, {0x1f3e0, 0x1f3f0}, {0x1f3f4, 0x1f3f4}, {0x1f3f8, 0x1f43e},
	{0x1f440, 0x1f440}, {0x1f442, 0x1f4fc}, {0x1f4ff, 0x1f53d}, {0x1f54b, 0x1f54e},
	{0x1f550, 0x1f567}, {0x1f57a, 0x1f57a}, {0x1f595, 0x1f596}, {0x1f5a4, 0x1f5a4},
	{0x1f5fb, 0x1f64f}, {0x1f680, 0x1f6c5}, {0x1f6cc, 0x1f6cc}, {0x1f6d0, 0x1f6d2},
	{0x1f6d5, 0x1f6d7}, {0x1f6dc, 0x1f6df}, {0x1f6eb, 0x1f6ec}, {0x1f6f4, 0x1f6fc},
	{0x1f7e0, 0x1f7eb}, {0x1f7f0, 0x1f7f0}, {0x1f90c, 0x1f93a}, {0x1f93c, 0x1f945},
	{0x1f947, 0x1f9ff}, {0x1fa70, 0x1faff}, {0x20000, 0x3fffd},
};

static bool in_ranges(const struct range *r, size_t n, uint32_t c)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (c > r[mid].last)
			lo = mid + 1;
		else if (c < r[mid].first)
			hi = mid;
		else
			return true;
	}
	return false;
}

/* Terminal columns of one code point: 0 (combining), 1 or 2 (East Asian wide, emoji). */
static int out_char_width(uint32_t c)
{
	if (c < 0xad)
		return 1;
	if (in_ranges(zero, ARRAY_LEN(zero), c))
		return 0;
	return in_ranges(wide, ARRAY_LEN(wide), c) ? 2 : 1;
}

/* One character at s (not at its end): its bytes, and its code point (an invalid byte is itself).
 */
static size_t next_char(const char *s, uint32_t *c)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t n = p[0] >= 0xf0 && p[0] < 0xf8 ? 4 : p[0] >= 0xe0 ? 3 : p[0] >= 0xc0 ? 2 : 1;

	*c = n == 1 ? p[0] : p[0] & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80) {
			*c = p[0];
			return 1;
		}
		*c = *c << 6 | (p[i] & 0x3f);
	}
	return n;
}

int out_width(const char *s)
{
	int width = 0;
	uint32_t c;

	while (*s) {
		s += next_char(s, &c);
		width += out_char_width(c);
	}
	return width;
}

size_t out_fit(const char *s, int width, int *used)
{
	const char *p = s;
	int col = 0;
	uint32_t c;

	while (*p) {
		size_t n = next_char(p, &c);

		if (col + out_char_width(c) > width)
			break;
		col += out_char_width(c);
		p += n;
	}
	if (used)
		*used = col;
	return (size_t)(p - s);
}

void out_para(FILE *f, const struct out_style *style, int col, int indent, const char *s)
{
	int max = style->width ? style->width : INT_MAX;
	bool empty = true; /* no word on this line yet */

	while (*s) {
		size_t n = strcspn(s, " \n");
		_cleanup_free_ char *word = strndup(s, n);
		int w = word ? out_width(word) : 0;

		if (n && !empty && col + 1 + w > max) {
			fprintf(f, "\n%*s", indent, "");
			col = indent;
			empty = true;
		}
		if (n) {
			fprintf(f, "%s%.*s", empty ? "" : " ", (int)n, s);
			col += w + !empty;
			empty = false;
		}
		s += n;
		if (*s == '\n' && s[1]) {
			fprintf(f, "\n%*s", indent, "");
			col = indent;
			empty = true;
		}
		s += *s != '\0';
	}
	fputc('\n', f);
}

int out_labelled(FILE *f, const struct out_style *style, int width, size_t max, const char *label,
		 const char *value)
{
	_cleanup_free_ char *raw = strdup(value), *text = NULL;
	bool color = style->color;

	if (raw && max && strlen(raw) > max)
		strcpy(raw + max - 3, "...");
	text = raw ? str_printable_dup(raw) : NULL;
	if (!text)
		return -ENOMEM;
	if (!*text)
		return 0;
	fprintf(f, "  %s%-*s%s", out_on(color, OUT_DIM), width, label, out_off(color, OUT_DIM));
	out_para(f, style, width + 2, width + 2, text);
	return 0;
}

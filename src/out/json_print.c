#include "out/json_print.h"

#include <string.h>

#include "base/str.h"

/* The code point of 2 or 3 bytes at s that must be escaped, or 0. */
static uint32_t unsafe_at(const unsigned char *s, size_t *n)
{
	uint32_t c;

	*n = 1;
	if (s[0] == 0x7f)
		return 0x7f;
	if (s[0] == 0xc2 && s[1] >= 0x80 && s[1] < 0xa0) {
		*n = 2;
		return s[1];
	}
	if (s[0] != 0xe2 || (s[1] & 0xc0) != 0x80 || (s[2] & 0xc0) != 0x80)
		return 0;
	c = 0x2000u | (s[1] & 0x3fu) << 6 | (s[2] & 0x3fu);
	*n = 3;
	if (c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
	    (c >= 0x2066 && c <= 0x2069))
		return c;
	*n = 1;
	return 0;
}

/* A string literal at s (its opening quote), escaped; returns the byte after its closing quote. */
static const char *put_string(FILE *f, const char *s, bool color)
{
	const char *end = s + 1;
	bool key;

	while (*end && *end != '"')
		end += *end == '\\' && end[1] ? 2 : 1;
	end += *end == '"';
	key = *end == ':';
	fputs(out_on(color && key, OUT_CYAN), f);
	while (s < end) {
		size_t n;
		uint32_t c = unsafe_at((const unsigned char *)s, &n);

		if (c)
			fprintf(f, "\\u%04x", c);
		else
			fputc(*s, f);
		s += n;
	}
	fputs(out_off(color && key, OUT_CYAN), f);
	return end;
}

static int print(FILE *f, json_t *j, size_t flags, bool color, struct err *e)
{
	_cleanup_free_ char *text = j ? json_dumps(j, flags | JSON_ENCODE_ANY) : NULL;

	if (!text)
		return err_set(e, ENOMEM, "making the JSON text");
	for (const char *s = text; *s;) {
		if (*s == '"')
			s = put_string(f, s, color);
		else
			fputc(*s++, f);
	}
	fputc('\n', f);
	return 0;
}

int out_json(FILE *f, json_t *j, const struct out_style *style, struct err *e)
{
	return print(f, j, JSON_INDENT(2), style->color, e);
}

int out_json_line(FILE *f, json_t *j, struct err *e)
{
	return print(f, j, JSON_COMPACT, false, e);
}

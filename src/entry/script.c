/* The first line of a script, as the kernel's binfmt_script reads it. */
#include "entry/lint_priv.h"

enum { KERNEL_HEAD = 256 }; /* BINPRM_BUF_SIZE; 128 before Linux 5.1 */

static bool is_blank(unsigned char c)
{
	return c == ' ' || c == '\t';
}

/* What stands before a #! that is not at the start. */
static enum shebang_kind late(const unsigned char *head, size_t n)
{
	static const unsigned char bom8[] = {0xef, 0xbb, 0xbf, '#', '!'};
	static const unsigned char bom16le[] = {0xff, 0xfe, '#', 0, '!', 0};
	static const unsigned char bom16be[] = {0xfe, 0xff, 0, '#', 0, '!'};
	size_t i = 0;

	if ((n >= sizeof(bom8) && memcmp(head, bom8, sizeof(bom8)) == 0) ||
	    (n >= sizeof(bom16le) && (memcmp(head, bom16le, sizeof(bom16le)) == 0 ||
				      memcmp(head, bom16be, sizeof(bom16be)) == 0)))
		return SHEBANG_BOM;
	while (i < n && (is_blank(head[i]) || head[i] == '\n' || head[i] == '\r'))
		i++;
	return i && i + 2 <= n && memcmp(head + i, "#!", 2) == 0 ? SHEBANG_BLANK : SHEBANG_NONE;
}

void shebang_parse(const unsigned char *head, size_t n, struct shebang *s)
{
	const unsigned char *p = head + 2, *end, *name;
	bool cut;
	size_t len;

	*s = (struct shebang){};
	if (n < 2 || memcmp(head, "#!", 2) != 0) {
		s->kind = late(head, n);
		return;
	}
	if (n > KERNEL_HEAD)
		n = KERNEL_HEAD;
	end = memchr(head, '\n', n);
	cut = !end && n == KERNEL_HEAD;
	s->crlf = end && end[-1] == '\r';
	if (!end)
		end = head + n - cut;
	while (p < end && is_blank(*p))
		p++;
	name = p;
	while (p < end && !is_blank(*p) && *p)
		p++;
	len = (size_t)(p - name);
	if (!len || (len == 1 && *name == '\r')) {
		s->kind = SHEBANG_EMPTY;
		return;
	}
	memcpy(s->interp, name, len);
	s->kind = cut && p == end ? SHEBANG_LONG : SHEBANG_OK;
	while (p < end && is_blank(*p))
		p++;
	while (end > p && is_blank(end[-1]))
		end--;
	len = strnlen((const char *)p, (size_t)(end - p));
	memcpy(s->arg, p, len);
}

const char *format_words(const unsigned char *head, size_t n)
{
	static const struct {
		const char *magic;
		size_t n;
		const char *words;
	} known[] = {
		{"MZ", 2, "a Windows program"},
		{"\xcf\xfa\xed\xfe", 4, "a macOS program"},
		{"\xce\xfa\xed\xfe", 4, "a macOS program"},
		{"\xca\xfe\xba\xbe", 4, "a macOS program or a Java class"},
		{"\0asm", 4, "a WebAssembly module"},
		{"PK\3\4", 4, "a ZIP or JAR archive"},
		{"\x1f\x8b", 2, "a gzip archive"},
		{"\x7f"
		 "EL",
		 3, "a damaged ELF file"},
	};
	size_t odd = 0;

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (n >= known[i].n && memcmp(head, known[i].magic, known[i].n) == 0)
			return known[i].words;
	for (size_t i = 0; i < n; i++)
		odd += (head[i] < ' ' && !strchr("\t\n\r\f\033", head[i])) || !head[i];
	return n && !odd ? "a text file" : "";
}

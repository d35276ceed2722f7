/* The lines of a journal: bytes in, bytes out. */
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "inject/journal.h"

#define MAGIC "porthole-inject 1"

enum { FIELDS_MAX = 12, PATH_LEN_MAX = 1 << 16 };

static const char *const phases[] = {
	[JOURNAL_NEW] = "new",	     [JOURNAL_STAGED] = "staged", [JOURNAL_BUILT] = "built",
	[JOURNAL_DONE] = "done",     [JOURNAL_CLEAN] = "clean",	  [JOURNAL_EJECT] = "eject",
	[JOURNAL_UNDONE] = "undone",
};

/* --- writing --- */

/* Letters, digits and a few more stay; all else becomes %XX, an empty one "%". */
static void add_field(struct buf *b, const char *s)
{
	buf_putc(b, ' ');
	if (!s || !*s)
		buf_putc(b, '%');
	for (; s && *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c > ' ' && c < 0x7f && c != '%')
			buf_putc(b, (char)c);
		else
			buf_printf(b, "%%%02X", c);
	}
}

/* End the line that started at `start` of the pending ones with its checksum. */
static void end_line(struct journal *j, size_t start)
{
	struct buf *b = &j->pending;

	if (b->oom)
		return;
	buf_printf(b, " *%08lx\n",
		   crc32(0, (const unsigned char *)b->data + start, (unsigned)(b->len - start)));
}

static void add_time(struct buf *b, struct timespec t)
{
	buf_printf(b, " %lld.%09ld", (long long)t.tv_sec, t.tv_nsec);
}

void journal_add_head(struct journal *j)
{
	struct buf *b = &j->pending;
	size_t start = b->len;

	buf_puts(b, MAGIC);
	add_field(b, j->engine);
	add_field(b, j->id);
	add_field(b, j->name);
	add_field(b, j->source);
	add_field(b, j->stage);
	buf_printf(b, " %lld", (long long)j->time);
	end_line(j, start);
}

void journal_add_item(struct journal *j, const struct item *i)
{
	struct buf *b = &j->pending;
	size_t start = b->len;

	buf_printf(b, "%c %c%c %o %u %u", i->kind, i->graft ? 'g' : '-', i->replaces ? 'r' : '-',
		   (unsigned)i->mode, (unsigned)i->uid, (unsigned)i->gid);
	add_time(b, i->mtime);
	buf_printf(b, " %llu ", (unsigned long long)i->size);
	for (size_t k = 0; k < ITEM_SHA; k++)
		buf_printf(b, "%02x", i->sha[k]);
	add_field(b, i->path);
	add_field(b, i->link);
	end_line(j, start);
}

void journal_add_parent(struct journal *j, const struct parent *p)
{
	size_t start = j->pending.len;

	buf_puts(&j->pending, "parent");
	add_time(&j->pending, p->mtime);
	add_field(&j->pending, p->path);
	end_line(j, start);
}

void journal_add_phase(struct journal *j, enum journal_phase phase)
{
	size_t start = j->pending.len;

	buf_printf(&j->pending, "phase %s", phases[phase]);
	end_line(j, start);
	j->phase = phase;
}

/* --- reading --- */

static int hex(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
				      : -1;
}

/* Undo add_field() in place. False when it is none. */
static bool unescape(char *s)
{
	char *to = s;

	if (str_eq(s, "%")) {
		*s = '\0';
		return true;
	}
	for (; *s; s++, to++) {
		*to = *s;
		if (*s != '%')
			continue;
		if (hex(s[1]) < 0 || hex(s[2]) < 0 || (hex(s[1]) | hex(s[2])) == 0)
			return false;
		*to = (char)(hex(s[1]) * 16 + hex(s[2]));
		s += 2;
	}
	*to = '\0';
	return true;
}

/* A path below the root, clean: what was written can be nothing else. */
static bool path_is_good(const char *path, bool root_too)
{
	const char *p = path;

	if (!*path)
		return root_too;
	if (strlen(path) > PATH_LEN_MAX)
		return false;
	for (;;) {
		size_t n = strcspn(p, "/");

		if (n == 0 || (n == 1 && *p == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		if (!p[n])
			return true;
		p += n + 1;
	}
}

static bool time_parse(const char *s, struct timespec *t)
{
	long long sec;
	long nsec;
	char end;

	if (sscanf(s, "%lld.%9ld%c", &sec, &nsec, &end) != 2 || nsec < 0)
		return false;
	*t = (struct timespec){sec, nsec};
	return true;
}

/* The checksum at the end of a line, which is cut off. */
static bool line_is_whole(char *line)
{
	char *mark = strrchr(line, '*'), want[16];

	if (!mark || mark - line < 2 || mark[-1] != ' ')
		return false;
	mark[-1] = '\0';
	snprintf(want, sizeof(want), "%08lx",
		 crc32(0, (const unsigned char *)line, (unsigned)(mark - 1 - line)));
	return str_eq(mark + 1, want);
}

static int dup_field(char *field, char **out)
{
	if (!unescape(field))
		return -EBADMSG;
	free(*out);
	*out = *field ? strdup(field) : NULL;
	return !*field || *out ? 0 : -ENOMEM;
}

static int parse_head(char **f, size_t n, struct journal *j)
{
	char **const to[] = {&j->engine, &j->id, &j->name, &j->source, &j->stage};
	int r = n == 8 && str_eq(f[1], "1") ? 0 : -EBADMSG;

	for (size_t i = 0; i < ARRAY_LEN(to) && r == 0; i++)
		r = dup_field(f[2 + i], to[i]);
	if (r == 0 && (!j->engine || !j->name || !j->stage || strchr(j->stage, '/') ||
		       !str_starts(j->stage, ".porthole-")))
		return -EBADMSG;
	if (r == 0) {
		j->time = strtoll(f[7], NULL, 10);
		j->phase = JOURNAL_STAGED;
	}
	return r;
}

static int parse_item(char **f, size_t n, struct journal *j)
{
	struct item i = {.kind = f[0][0]};
	unsigned mode, uid, gid;
	char end;
	int r;

	if (n != 10 || strlen(f[1]) != 2 || sscanf(f[2], "%o%c", &mode, &end) != 1 ||
	    sscanf(f[3], "%u%c", &uid, &end) != 1 || sscanf(f[4], "%u%c", &gid, &end) != 1 ||
	    !time_parse(f[5], &i.mtime) || str_to_u64(f[6], 0, UINT64_MAX, &i.size) < 0 ||
	    strlen(f[7]) != 2 * (size_t)ITEM_SHA)
		return -EBADMSG;
	for (size_t k = 0; k < ITEM_SHA; k++) {
		if (hex(f[7][2 * k]) < 0 || hex(f[7][2 * k + 1]) < 0)
			return -EBADMSG;
		i.sha[k] = (uint8_t)(hex(f[7][2 * k]) * 16 + hex(f[7][2 * k + 1]));
	}
	i.graft = f[1][0] == 'g';
	i.replaces = f[1][1] == 'r';
	i.mode = mode & 07777;
	i.uid = uid;
	i.gid = gid;
	i.seq = j->items.n;
	r = dup_field(f[8], &i.path) ?: dup_field(f[9], &i.link);
	if (r == 0 && (!i.path || !path_is_good(i.path, false) || (i.kind == 'l') != !!i.link))
		r = -EBADMSG;
	if (r < 0) {
		item_done(&i);
		return r;
	}
	return items_push(&j->items, &i) ? 0 : -ENOMEM;
}

static int parse_parent(char **f, size_t n, struct journal *j)
{
	struct timespec t;

	if (n != 3 || !time_parse(f[1], &t) || !unescape(f[2]) || !path_is_good(f[2], true))
		return -EBADMSG;
	return items_add_parent(&j->items, f[2], t);
}

static int parse_phase(char **f, size_t n, struct journal *j)
{
	for (size_t i = JOURNAL_BUILT; n == 2 && i < ARRAY_LEN(phases); i++)
		if (str_eq(f[1], phases[i])) {
			j->phase = (enum journal_phase)i;
			if (j->phase == JOURNAL_EJECT) /* their times are others by then */
				items_drop_parents(&j->items);
			return 0;
		}
	return -EBADMSG;
}

static int parse_line(char *line, struct journal *j)
{
	char *f[FIELDS_MAX], *save = NULL;
	size_t n = 0;

	for (char *w = strtok_r(line, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		if (n == FIELDS_MAX)
			return -EBADMSG;
		f[n++] = w;
	}
	if (n == 0)
		return -EBADMSG;
	if (j->phase == JOURNAL_NEW)
		return str_eq(f[0], "porthole-inject") ? parse_head(f, n, j) : -EBADMSG;
	if (strlen(f[0]) == 1 && strchr("dflp", *f[0]))
		return parse_item(f, n, j);
	if (str_eq(f[0], "parent"))
		return parse_parent(f, n, j);
	return str_eq(f[0], "phase") ? parse_phase(f, n, j) : -EBADMSG;
}

int journal_parse(const char *text, size_t len, struct journal *j, size_t *good, struct err *e)
{
	size_t at = 0, lines = 0;
	int r = 0;

	while (at < len && r == 0) {
		const char *nl = memchr(text + at, '\n', len - at);
		size_t n = nl ? (size_t)(nl - text) - at : len - at;
		_cleanup_free_ char *line = strndup(text + at, n);

		if (!line)
			return err_set(e, ENOMEM, "reading a journal");
		lines++;
		if (!nl || strlen(line) != n || !line_is_whole(line)) {
			/* only what was being written when it ended may be cut short */
			if (nl && at + n + 1 < len)
				r = -EBADMSG;
			break;
		}
		r = parse_line(line, j);
		at += n + 1;
	}
	*good = at;
	items_sort(&j->items);
	return r < 0 ? err_say(e, r, "line %zu of it is damaged", lines) : 0;
}

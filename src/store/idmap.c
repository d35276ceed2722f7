#include "store/idmap.h"

#include <errno.h>
#include <stdlib.h>

#include "base/etc.h"
#include "base/path.h"

/* What a daemon's map is when the files do not know its first id. */
#define REMAP_COUNT 65536

/* One line of a map. */
struct idmap_line {
	uint32_t inside, outside, count;
};

enum { IDMAP_LINES_MAX = 340 }; /* the kernel's own limit */

struct map {
	struct idmap_line v[IDMAP_LINES_MAX];
	size_t n;
	uint64_t next; /* inside */
};

static void add(struct map *m, uint64_t outside, uint64_t count)
{
	if (m->n == IDMAP_LINES_MAX || count == 0 || outside + count > UINT32_MAX ||
	    m->next + count > UINT32_MAX)
		return;
	m->v[m->n++] = (struct idmap_line){(uint32_t)m->next, (uint32_t)outside, (uint32_t)count};
	m->next += count;
}

/* NULL when memory is out. */
static char *map_text(const struct idmap_line *v, size_t n)
{
	struct buf b = {};

	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "%u %u %u\n", v[i].inside, v[i].outside, v[i].count);
	return buf_take(&b);
}

/* One line "OWNER:START:COUNT", cut at its end; the owner is cut off. False when it is none. */
static bool cut_range(char *line, uint64_t *start, uint64_t *count)
{
	char *a = strchr(line, ':'), *b = a ? strchr(a + 1, ':') : NULL;

	if (!b)
		return false;
	*a = *b = '\0';
	return str_to_u64(a + 1, 0, UINT32_MAX, start) == 0 &&
	       str_to_u64(b + 1, 1, UINT32_MAX, count) == 0;
}

/* Add the ranges of the file that belong to `name` or `number`; or, when both are NULL, to whoever
 * has the one that starts at `first`. */
static int add_ranges(struct map *m, const char *text, const char *name, const char *number,
		      uint64_t first)
{
	_cleanup_strv_ struct strv line = {};
	_cleanup_free_ char *owner = NULL;
	uint64_t start, count;

	if (strv_split(&line, text, "\n") < 0)
		return -ENOMEM;
	for (size_t i = 0; i < line.n; i++) {
		if (!cut_range(line.v[i], &start, &count))
			continue;
		if (!name && !owner && start == first) {
			owner = strdup(line.v[i]);
			if (!owner)
				return -ENOMEM;
		}
		if (str_eq(line.v[i], owner) || str_eq(line.v[i], name) ||
		    str_eq(line.v[i], number))
			add(m, start, count);
	}
	return 0;
}

static char *read_etc(const struct target_roots *r, const char *path)
{
	char *text = NULL;

	return path_read_in_root(r->root_fd, path, ETC_FILE_MAX, &text, NULL) == 0 ? text
										   : strdup("");
}

/* The gid that a line of passwd gives a user is of no use here without its name: both at once. */
static int find_user(const struct target_roots *r, uid_t uid, struct etc_user *u)
{
	_cleanup_free_ char *passwd = read_etc(r, "etc/passwd");
	int err = passwd ? etc_user_find(passwd, NULL, uid, u) : -ENOMEM;

	if (err == -ENOENT)
		*u = (struct etc_user){.uid = uid, .gid = uid};
	return err == -ENOMEM ? err : 0;
}

static char *user_map(const struct target_roots *r, const char *file, const char *name, uid_t uid,
		      uint32_t own)
{
	_cleanup_free_ char *text = read_etc(r, file), *number = str_fmt("%u", uid);
	struct map m = {};

	add(&m, own, 1);
	if (!text || !number || add_ranges(&m, text, name ? name : number, number, 0) < 0)
		return NULL;
	return map_text(m.v, m.n);
}

int idmap_of_user(const struct target_roots *r, uid_t uid, struct store *out, struct err *e)
{
	_cleanup_etc_user_ struct etc_user u = {};

	if (find_user(r, uid, &u) == 0) {
		out->uid_map = user_map(r, "etc/subuid", u.name, uid, uid);
		out->gid_map = user_map(r, "etc/subgid", u.name, uid, u.gid);
	}
	return out->uid_map && out->gid_map ? 0 : err_set(e, ENOMEM, "reading /etc/subuid");
}

static char *root_map(const struct target_roots *r, const char *file, uint32_t first)
{
	_cleanup_free_ char *text = read_etc(r, file);
	struct map m = {};

	if (!text || add_ranges(&m, text, NULL, NULL, first) < 0)
		return NULL;
	if (m.n == 0 || m.v[0].outside != first) {
		m.n = m.next = 0;
		add(&m, first, REMAP_COUNT);
	}
	return map_text(m.v, m.n);
}

int idmap_of_root(const struct target_roots *r, uid_t uid, gid_t gid, struct store *out,
		  struct err *e)
{
	out->uid_map = root_map(r, "etc/subuid", uid);
	out->gid_map = root_map(r, "etc/subgid", gid);
	return out->uid_map && out->gid_map ? 0 : err_set(e, ENOMEM, "reading /etc/subuid");
}

/* The lines that there are in `list`; what is no line is passed over. */
static size_t lines_of(json_t *list, const char *inside, const char *outside,
		       struct idmap_line v[IDMAP_LINES_MAX])
{
	size_t i, n = 0;
	json_t *j;

	json_array_foreach (list, i, j) {
		int64_t in = json_int(j, inside, -1), out = json_int(j, outside, -1);
		int64_t count = json_int(j, "size", 0);

		if (n == IDMAP_LINES_MAX || in < 0 || out < 0 || count <= 0 || count > UINT32_MAX ||
		    in > UINT32_MAX - count || out > UINT32_MAX - count)
			continue;
		v[n++] = (struct idmap_line){(uint32_t)in, (uint32_t)out, (uint32_t)count};
	}
	return n;
}

/* The part of one line of `inner` that one line of `outer` maps. */
static void cross(struct buf *b, const struct idmap_line *in, const struct idmap_line *out)
{
	uint64_t from = in->outside > out->inside ? in->outside : out->inside;
	uint64_t in_end = (uint64_t)in->outside + in->count;
	uint64_t out_end = (uint64_t)out->inside + out->count;
	uint64_t end = in_end < out_end ? in_end : out_end;

	if (from < end)
		buf_printf(b, "%llu %llu %llu\n",
			   (unsigned long long)(in->inside + (from - in->outside)),
			   (unsigned long long)(out->outside + (from - out->inside)),
			   (unsigned long long)(end - from));
}

/* A map of a map: what `outer` does not map is left out. NULL when memory is out. */
static char *map_through(const struct idmap_line *inner, size_t n, const char *outer)
{
	_cleanup_strv_ struct strv line = {};
	struct buf b = {};

	if (strv_split(&line, outer, "\n") < 0)
		return NULL;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < line.n; k++) {
			struct idmap_line o;

			if (sscanf(line.v[k], "%u %u %u", &o.inside, &o.outside, &o.count) == 3)
				cross(&b, &inner[i], &o);
		}
	return buf_take(&b);
}

int idmap_on_top(json_t *list, const char *inside, const char *outside, char **map)
{
	struct idmap_line v[IDMAP_LINES_MAX];
	size_t n = lines_of(list, inside, outside, v);
	char *own;

	if (n == 0)
		return 0;
	own = *map ? map_through(v, n, *map) : map_text(v, n);
	free(*map);
	*map = own;
	return own ? 0 : -ENOMEM;
}

#include "sys/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "sys/mountinfo.h"

enum { CGROUP_TEXT_MAX = 1 << 16 };

/* The controllers in the options of a version 1 file system: "rw,cpu,cpuacct,clone_children". */
static char *v1_names(const char *super)
{
	static const char *const other[] = {
		"rw",		"ro",	   "xattr", "noprefix", "clone_children", "cpuset_v2_mode",
		"favordynmods", "seclabel"};
	_cleanup_strv_ struct strv words = {};
	_cleanup_buf_ struct buf b = {};

	if (strv_split(&words, super, ",") < 0)
		return NULL;
	for (size_t i = 0; i < words.n; i++) {
		bool skip = str_starts(words.v[i], "release_agent=");

		for (size_t k = 0; k < ARRAY_LEN(other) && !skip; k++)
			skip = str_eq(words.v[i], other[k]);
		if (skip)
			continue;
		if (b.len)
			buf_putc(&b, ',');
		buf_puts(&b, words.v[i]);
	}
	return buf_take(&b);
}

static void hier_done(struct cgroup_hier *h)
{
	free(h->names);
	free(h->mount);
	free(h->root);
}

void cgroup_hiers_done(struct cgroup_hiers *h)
{
	for (size_t i = 0; i < h->n; i++)
		hier_done(&h->v[i]);
	free(h->v);
	*h = (struct cgroup_hiers){};
}

static int add(struct cgroup_hiers *h, const struct mount_row *row)
{
	struct cgroup_hier new = {
		.v2 = str_eq(row->fstype, "cgroup2"),
		.mount = strdup(row->target),
		.root = strdup(row->root),
	};
	size_t i;

	new.names = new.v2 ? strdup("") : v1_names(row->super);
	if (!new.names || !new.mount || !new.root) {
		hier_done(&new);
		return -ENOMEM;
	}
	for (i = 0; i < h->n; i++)
		if (str_eq(h->v[i].names, new.names))
			break;
	if (i == h->n) {
		h->v[h->n++] = new; /* room was made for every row */
	} else if (str_eq(h->v[i].root, "/")) {
		hier_done(&new);
	} else { /* mounted twice: the later one may show more */
		hier_done(&h->v[i]);
		h->v[i] = new;
	}
	return 0;
}

int cgroup_hiers_read(int self_fd, struct cgroup_hiers *h)
{
	_cleanup_mountinfo_ struct mountinfo m = {};
	int r = mountinfo_read(self_fd, &m);

	*h = (struct cgroup_hiers){};
	if (r < 0)
		return r;
	h->v = calloc(m.n + 1, sizeof(*h->v));
	if (!h->v)
		return -ENOMEM;
	for (int v2 = 0; v2 < 2 && r == 0; v2++)
		for (size_t i = 0; i < m.n && r == 0; i++)
			if (str_eq(m.v[i].fstype, v2 ? "cgroup2" : "cgroup"))
				r = add(h, &m.v[i]);
	if (r < 0)
		cgroup_hiers_done(h);
	return r;
}

const struct cgroup_hier *cgroup_find(const struct cgroup_hiers *h, const char *controller)
{
	for (size_t i = 0; i < h->n; i++)
		if (h->v[i].v2 || mountinfo_has(h->v[i].names, controller))
			return &h->v[i];
	return NULL;
}

/* Lines are "ID:CONTROLLERS:PATH"; version 2 is "0::PATH". A path may contain ':'. */
char *cgroup_path_parse(const char *text, const struct cgroup_hier *h)
{
	for (const char *line = text; *line;) {
		size_t n = strcspn(line, "\n");
		const char *names = memchr(line, ':', n);
		const char *path =
			names ? memchr(names + 1, ':', n - (size_t)(names + 1 - line)) : NULL;

		if (path && path[1] == '/') {
			size_t len = (size_t)(path - ++names);

			if (len == strlen(h->names) && memcmp(names, h->names, len) == 0)
				return strndup(path + 1, n - (size_t)(path + 1 - line));
		}
		line += n + (line[n] == '\n');
	}
	return NULL;
}

char *cgroup_path_read(int proc_fd, const struct cgroup_hier *h)
{
	_cleanup_close_ int fd = openat(proc_fd, "cgroup", O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;

	if (fd < 0 || fd_read_all(fd, CGROUP_TEXT_MAX, &text, NULL) < 0)
		return NULL;
	return cgroup_path_parse(text, h);
}

void cgroup_cut_init(char *path)
{
	static const char last[] = "/init.scope";

	if (str_ends(path, last) && strlen(path) > strlen(last))
		path[strlen(path) - strlen(last)] = '\0';
}

int cgroup_open(const struct cgroup_hier *h, const char *path)
{
	const char *rest = path_below(path, h->root); /* the mount may show a part of the tree */
	_cleanup_free_ char *full = NULL;
	int fd;

	if (str_starts(path, "/..") || !rest)
		return -ENOENT;
	full = str_fmt("%s%s", h->mount, rest);
	if (!full)
		return -ENOMEM;
	fd = open(full, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* "max", or a number; version 1 says "none" as LONG_MAX cut to pages (or -1). */
static int parse_number(const char *s, uint64_t *v)
{
	char digits[32];
	size_t n = strcspn(s, " \n");

	if (n == 0 || n >= sizeof(digits))
		return -EBADMSG;
	memcpy(digits, s, n);
	digits[n] = '\0';
	if (str_eq(digits, "max") || str_eq(digits, "-1")) {
		*v = CGROUP_NONE;
		return 0;
	}
	if (str_to_u64(digits, 0, UINT64_MAX, v) < 0)
		return -EBADMSG;
	if (*v >= UINT64_C(0x7fffffffffff0000))
		*v = CGROUP_NONE;
	return 0;
}

int cgroup_u64(int dirfd, const char *file, uint64_t *v)
{
	char text[64];
	ssize_t n = file_read_small_at(dirfd, file, text, sizeof(text));

	return n < 0 ? (int)n : parse_number(text, v);
}

int cgroup_key(int dirfd, const char *file, const char *key, uint64_t *v)
{
	char text[8192];
	ssize_t n = file_read_small_at(dirfd, file, text, sizeof(text));
	const char *number;
	char start[64];

	if (n < 0)
		return (int)n;
	snprintf(start, sizeof(start), "%s ", key);
	number = str_line(text, start);
	return number ? parse_number(number, v) : -ENOENT;
}

#include "sys/mountinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

void mountinfo_done(struct mountinfo *m)
{
	free(m->text);
	free(m->v);
	*m = (struct mountinfo){};
}

/* The kernel writes blank, tab, newline, backslash and '#' as \ooo. In place. */
static char *unescape(char *s)
{
	char *in = s, *out = s;

	while (*in) {
		if (in[0] == '\\' && in[1] >= '0' && in[1] <= '3' && in[2] >= '0' && in[2] <= '7' &&
		    in[3] >= '0' && in[3] <= '7') {
			*out++ = (char)((in[1] - '0') << 6 | (in[2] - '0') << 3 | (in[3] - '0'));
			in += 4;
		} else {
			*out++ = *in++;
		}
	}
	*out = '\0';
	return s;
}

static void tag(struct mount_row *row, const char *word)
{
	if (str_starts(word, "shared:"))
		row->shared = atoi(word + strlen("shared:"));
	else if (str_starts(word, "master:"))
		row->master = atoi(word + strlen("master:"));
	else if (str_eq(word, "unbindable"))
		row->unbindable = true;
}

/* 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue */
static bool parse_line(char *line, struct mount_row *row)
{
	char *word, *save = NULL, *dev;

	*row = (struct mount_row){};
	if (sscanf(line, "%d %d %u:%u ", &row->id, &row->parent, &row->major, &row->minor) != 4)
		return false;
	strtok_r(line, " ", &save);
	strtok_r(NULL, " ", &save);
	dev = strtok_r(NULL, " ", &save);
	row->root = strtok_r(NULL, " ", &save);
	row->target = strtok_r(NULL, " ", &save);
	row->opts = strtok_r(NULL, " ", &save);
	if (!dev || !row->opts)
		return false;
	while ((word = strtok_r(NULL, " ", &save)) && !str_eq(word, "-"))
		tag(row, word);
	if (!word)
		return false;
	row->fstype = strtok_r(NULL, " ", &save);
	row->source = strtok_r(NULL, " ", &save);
	row->super = strtok_r(NULL, " ", &save);
	if (!row->fstype || !row->source)
		return false;
	if (!row->super) { /* an empty source leaves two blanks, which strtok_r sees as one */
		row->super = row->source;
		row->source = row->super + strlen(row->super);
	}
	unescape(row->root);
	unescape(row->target);
	unescape(row->fstype);
	unescape(row->source);
	return true;
}

int mountinfo_parse(char *text, struct mountinfo *m)
{
	size_t lines = 0;
	char *save = NULL;

	*m = (struct mountinfo){.text = text};
	for (const char *p = text; *p; p++)
		lines += *p == '\n';
	lines++;
	m->cut = lines > MOUNTINFO_ROWS + 1;
	if (m->cut)
		lines = MOUNTINFO_ROWS;
	m->v = calloc(lines, sizeof(*m->v));
	if (!m->v) {
		mountinfo_done(m);
		return -ENOMEM;
	}
	for (char *line = strtok_r(text, "\n", &save); line && m->n < lines;
	     line = strtok_r(NULL, "\n", &save))
		if (parse_line(line, &m->v[m->n]))
			m->n++;
	return 0;
}

int mountinfo_read(int proc_fd, struct mountinfo *m)
{
	_cleanup_close_ int fd = openat(proc_fd, "mountinfo", O_RDONLY | O_CLOEXEC);
	char *text;
	int r;

	*m = (struct mountinfo){};
	if (fd < 0)
		return -errno;
	r = fd_read_all(fd, MOUNTINFO_MAX, &text, NULL);
	return r < 0 ? r : mountinfo_parse(text, m);
}

const struct mount_row *mountinfo_root(const struct mountinfo *m)
{
	const struct mount_row *root = NULL;

	for (size_t i = 0; i < m->n; i++)
		if (str_eq(m->v[i].target, "/"))
			root = &m->v[i];
	return root;
}

bool mountinfo_has(const char *opts, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = opts; p; p = strchr(p, ',')) {
		p += *p == ',';
		if (strncmp(p, word, n) == 0 && (p[n] == ',' || p[n] == '\0'))
			return true;
	}
	return false;
}

const char *mountinfo_value(const char *opts, const char *key, size_t *len)
{
	size_t n = strlen(key);

	for (const char *p = opts; p; p = strchr(p, ',')) {
		p += *p == ',';
		if (strncmp(p, key, n) != 0 || p[n] != '=')
			continue;
		p += n + 1;
		*len = 0;
		while (p[*len] && p[*len] != ',') /* overlay escapes a comma in a path as \, */
			*len += p[*len] == '\\' && p[*len + 1] ? 2 : 1;
		return p;
	}
	return NULL;
}

char *mountinfo_host_path(const struct mountinfo *ours, const struct mount_row *row)
{
	const struct mount_row *best = NULL;
	const char *rest;

	for (size_t i = 0; i < ours->n; i++) {
		const struct mount_row *h = &ours->v[i];

		if (h->major != row->major || h->minor != row->minor ||
		    !path_below(row->root, h->root))
			continue;
		/* the one that shows the most, at the shortest path */
		if (!best || strlen(h->root) < strlen(best->root) ||
		    (strlen(h->root) == strlen(best->root) &&
		     strlen(h->target) < strlen(best->target)))
			best = h;
	}
	if (!best)
		return NULL;
	rest = path_below(row->root, best->root);
	if (str_eq(rest, "/"))
		rest = "";
	if (str_eq(best->target, "/"))
		return strdup(*rest ? rest : "/");
	return str_fmt("%s%s", best->target, rest);
}

#include "sys/cred.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/str.h"

static uint64_t hex(const char *status, const char *key)
{
	const char *v = str_field(status, key);

	return v ? strtoull(v, NULL, 16) : 0;
}

static int number(const char *status, const char *key, int missing)
{
	const char *v = str_field(status, key);

	return v ? atoi(v) : missing;
}

/* The text of `status`, in `room` where it fits. A process may have 65536 groups, which stand
 * before its capabilities: then in `more`, which the caller frees. NULL with errno set. */
static const char *status_read(int proc_fd, char *room, size_t size, char **more)
{
	enum { STATUS_MAX = 2 << 20 };
	ssize_t n = file_read_small_at(proc_fd, "status", room, size);
	_cleanup_close_ int fd = -EBADF;
	int r;

	if (n >= 0 && (size_t)n + 1 < size)
		return room;
	if (n < 0) {
		errno = (int)-n;
		return NULL;
	}
	fd = openat(proc_fd, "status", O_RDONLY | O_CLOEXEC);
	r = fd < 0 ? -errno : fd_read_all(fd, STATUS_MAX, more, NULL);
	if (r < 0)
		errno = -r;
	return r < 0 ? NULL : *more;
}

int cred_read(int proc_fd, struct cred *c)
{
	_cleanup_free_ char *more = NULL;
	char room[8192];
	const char *status = status_read(proc_fd, room, sizeof(room), &more);
	const char *v;
	char *end;

	if (!status)
		return -errno;
	*c = (struct cred){};
	v = str_field(status, "Uid:");
	if (!v || sscanf(v, "%u %u %*u %u", &c->uid, &c->euid, &c->fsuid) != 3)
		return -EBADMSG;
	v = str_field(status, "Gid:");
	if (!v || sscanf(v, "%u %u %*u %u", &c->gid, &c->egid, &c->fsgid) != 3)
		return -EBADMSG;
	v = str_field(status, "Groups:");
	while (v && *v >= '0' && *v <= '9' && c->ngroups < CRED_GROUPS_MAX) {
		c->groups[c->ngroups++] = (gid_t)strtoul(v, &end, 10);
		v = end + (*end == ' ');
	}
	c->cap_inh = hex(status, "CapInh:");
	c->cap_prm = hex(status, "CapPrm:");
	c->cap_eff = hex(status, "CapEff:");
	c->cap_bnd = hex(status, "CapBnd:");
	c->cap_amb = hex(status, "CapAmb:");
	c->no_new_privs = number(status, "NoNewPrivs:", 0) == 1;
	c->seccomp = number(status, "Seccomp:", -1);
	c->seccomp_filters = number(status, "Seccomp_filters:", -1);
	return 0;
}

int idmap_read(int proc_fd, const char *file, struct idmap *m)
{
	_cleanup_free_ char *text = NULL;
	char *save = NULL;
	int r = file_read_at(proc_fd, file, 64 << 10, &text, NULL);

	m->n = 0;
	if (r < 0)
		return r;
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		struct idmap_range *g = &m->r[m->n];

		if (m->n >= ARRAY_LEN(m->r))
			break;
		if (sscanf(l, "%u %u %u", &g->inside, &g->outside, &g->count) == 3)
			m->n++;
	}
	return 0;
}

uint32_t idmap_to_inside(const struct idmap *m, uint32_t outside)
{
	for (size_t i = 0; i < m->n; i++)
		if (outside - m->r[i].outside < m->r[i].count)
			return m->r[i].inside + (outside - m->r[i].outside);
	return UINT32_MAX;
}

uint32_t idmap_to_outside(const struct idmap *m, uint32_t inside)
{
	for (size_t i = 0; i < m->n; i++)
		if (inside - m->r[i].inside < m->r[i].count)
			return m->r[i].outside + (inside - m->r[i].inside);
	return UINT32_MAX;
}

uint32_t idmap_first_inside(const struct idmap *m)
{
	uint32_t first = UINT32_MAX;

	for (size_t i = 0; i < m->n; i++)
		if (m->r[i].count && m->r[i].inside < first)
			first = m->r[i].inside;
	return first;
}

/* Targets as rows: what ps prints, and what its filters let through. */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cmd/ps.h"
#include "sys/proc.h"

void ps_rows_done(struct ps_rows *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->v[i].label);
	free(r->v);
}

/* "host", or where its first ids are on the host. */
static void read_userns(const struct target_roots *roots, uint64_t host, struct ps_row *row)
{
	_cleanup_close_ int dir = -EBADF;
	uint32_t inside, outside, count;

	if (!row->t->pid || !row->t->user_ns)
		return;
	if (row->t->user_ns == host) {
		snprintf(row->userns, sizeof(row->userns), "host");
		return;
	}
	dir = proc_dir_open(roots->proc_fd, row->t->pid);
	if (dir < 0 || proc_uid_map_first(dir, &inside, &outside, &count) < 0)
		snprintf(row->userns, sizeof(row->userns), "own");
	else
		snprintf(row->userns, sizeof(row->userns), "uid %u%s", outside,
			 count > 1 ? "+" : "");
}

int ps_rows_make(const struct target_roots *roots, bool all, const struct strv *filters,
		 const struct targets *l, struct ps_rows *rows)
{
	_cleanup_close_ int self = proc_dir_open(roots->proc_fd, getpid());
	uint64_t host = self >= 0 ? proc_ns_inode(self, "user") : 0;
	int64_t now = time(NULL);

	rows->v = calloc(l->n + 1, sizeof(*rows->v));
	if (!rows->v)
		return -ENOMEM;
	for (size_t i = 0; i < l->n; i++) {
		struct ps_row *row = &rows->v[rows->n];

		if (l->v[i].sandbox && !all)
			continue;
		*row = (struct ps_row){.t = &l->v[i], .now = now};
		row->label = target_label(l, i);
		if (!row->label)
			return -ENOMEM;
		read_userns(roots, host, row);
		if (ps_passes(row, filters))
			rows->n++;
		else
			free(TAKE_PTR(row->label));
	}
	return 0;
}

#include "cmd/users.h"

int users_find(int proc_fd, const struct used *what, struct users *out, struct err *e)
{
	_cleanup_uses_ struct uses all = {};

	if (uses_of_processes(proc_fd, what, &all) < 0)
		return err_set(e, ENOMEM, "looking for who uses it");
	for (size_t i = 0; i < all.n; i++) {
		const struct use *u = &all.v[i];

		if ((i && u->pid == all.v[i - 1].pid) || (what->mount && !u->same_mount))
			continue;
		if (out->n < USERS_SHOWN) {
			out->v[out->n].pid = u->pid;
			str_printable(u->comm, strlen(u->comm), out->v[out->n].name,
				      sizeof(out->v[out->n].name));
		}
		out->n++;
	}
	return 0;
}

void users_name(const struct users *u, struct buf *b)
{
	size_t shown = u->n < USERS_SHOWN ? u->n : USERS_SHOWN;

	for (size_t i = 0; i < shown; i++)
		buf_printf(b, "%sprocess %d (%s)",
			   i == 0	  ? ""
			   : i + 1 < u->n ? ", "
					  : " and ",
			   (int)u->v[i].pid, u->v[i].name);
	if (u->n > shown)
		buf_printf(b, " and %zu more", u->n - shown);
}

json_t *users_json(const struct users *u)
{
	json_t *all = json_array();

	for (size_t i = 0; i < u->n && i < USERS_SHOWN; i++)
		json_array_append_new(
			all, json_pack("{s:i,s:s}", "pid", (int)u->v[i].pid, "name", u->v[i].name));
	return all;
}

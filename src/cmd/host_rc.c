#include "cmd/host_rc.h"

#include <stdio.h>
#include <stdlib.h>

static void name_unknown(const struct strv *unknown)
{
	_cleanup_buf_ struct buf b = {};
	_cleanup_free_ char *text = NULL;

	for (size_t i = 0; i < unknown->n; i++)
		buf_printf(&b, "%s%.60s", i ? ", " : "", unknown->v[i]);
	text = str_printable_dup(b.data ? b.data : "");
	fprintf(stderr, "porthole: ~/.toolboxrc: not understood, and not done: %s\n",
		text ? text : "?");
}

int host_rc(struct host_run_opts *o, struct toolboxrc *rc, struct err *e)
{
	const char *home = getenv("HOME");
	int r;

	*rc = (struct toolboxrc){};
	if (!str_eq(o->profile, "toolbox") || !home || *home != '/')
		return 0;
	r = toolboxrc_read(home, rc, e);
	if (r < 0)
		return r;
	if (rc->unknown.n)
		name_unknown(&rc->unknown);
	if (!o->image)
		o->image = rc->image;
	if (!o->user)
		o->user = rc->user;
	return 0;
}

void host_rc_blame(const struct host_run_opts *o, const struct toolboxrc *rc, struct err *e)
{
	if (!o->image || o->image != rc->image)
		return;
	err_hint(e, "~/.toolboxrc names it, and nothing is pulled: pull it with an engine, or name "
		    "another with --image");
}

/* The warnings of porthole host run. */
#include "cmd/host_warn.h"

#include <linux/capability.h>
#include <stdio.h>

#include "facts/here.h"
#include "sys/caps.h"
#include "sys/power.h"

void host_warn_ro(const struct plan *p, bool back)
{
	bool admin = p->caps & CAPS_BIT(CAP_SYS_ADMIN);

	if (admin || back)
		fprintf(stderr,
			"porthole: --ro keeps from mistakes only: who means to can %s%s%s. "
			"Profile inspect is a boundary.\n",
			admin ? "mount the host's files again, to be written to" : "",
			admin && back ? ", and " : "", back ? "run commands on the host" : "");
}

void host_warn_place(void)
{
	_cleanup_roots_ struct target_roots roots = {.root_fd = -EBADF, .proc_fd = -EBADF};
	_cleanup_here_ struct here h = {};
	struct err e = {};

	if (!power_in_container() || target_roots_open(&roots, &e) < 0 || roots.unshared ||
	    here_read(&roots, &h, &e) < 0 || !here_has_own_root(&h))
		return;
	fprintf(stderr,
		"porthole: this runs in a container%s%s: /host and other paths of the host's are "
		"that container's own. 'porthole doctor' says where we are\n",
		h.mark ? ", as tells " : "", h.mark ? h.mark : "");
}

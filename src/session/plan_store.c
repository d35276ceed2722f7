#include "session/plan_store.h"

#include <sched.h>

#include "sys/caps.h"

int store_plan_ns(struct plan *p, const struct request *req, struct err *e)
{
	if (str_eq(req->view, "live")) {
		err_say(e, EINVAL,
			"'%s' does not run, and so nothing in it is live: its files can be seen, "
			"not changed",
			p->label);
		err_hint(e, "leave --view out: everything can be written to, and is forgotten");
		return -EINVAL;
	}
	if (req->ns.n)
		return err_say(e, EINVAL,
			       "'%s' does not run, and so has no namespaces that --ns could join",
			       p->label);
	if (str_eq(req->cgroup, "target"))
		return err_say(
			e, EINVAL,
			"'%s' does not run, and so has no cgroup that the session could join",
			p->label);
	if (req->freeze)
		return err_say(e, EINVAL, "'%s' does not run: there is nothing to freeze",
			       p->label);
	p->ns_new = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
		    CLONE_NEWCGROUP;
	p->view = VIEW_LIVE;
	return 0;
}

int store_plan_root(struct plan *p, struct err *e)
{
	p->root_fd = store_mount_ro(p->store, &p->ids_inside, e);
	p->shape.root_ro = p->store->config.root_ro;
	return p->root_fd < 0 ? p->root_fd : 0;
}

void store_plan_caps(struct plan *p, const struct request *req)
{
	const struct store_config *c = &p->store->config;
	uint64_t wanted = c->caps_known ? c->caps : CAPS_DOCKER;

	p->caps = wanted & caps_bounding();
	p->caps_lost = req->caps ? wanted & ~caps_bounding() : 0;
	p->caps_ambient = req->caps && p->who.uid != 0;
	p->no_new_privs = req->caps && c->no_new_privs;
}

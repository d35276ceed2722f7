#include "session/hold.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "session/plan.h"

void hold_done(struct hold *h)
{
	for (size_t i = 0; i < NS_COUNT; i++)
		cleanup_close(&h->ns[i]);
	cleanup_close(&h->root);
	cleanup_close(&h->over);
	*h = HOLD_INIT;
}

int plan_hold(struct plan *p, struct err *e)
{
	const unsigned kept = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS;

	if (!(p->ns_join & CLONE_NEWNS) || !p->cow.on) {
		err_say(e, EPERM, "'%s' has no mounts of its own: at its end nothing goes with it",
			p->label);
		err_hint(e, "its files are the host's; only its exit can be waited for, with tail "
			    "--pid");
		return -EPERM;
	}
	if (p->rootless) {
		err_say(e, EPERM, "holding what '%s' leaves needs root", p->label);
		err_hint(e, "run with sudo; without root there is its live view, and --view cow, "
			    "of 'porthole exec'");
		return -EPERM;
	}
	hold_done(&p->hold);
	p->ns_join &= kept;
	p->ns_new = CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP;
	for (size_t i = 0; i < NS_COUNT; i++) {
		if (!(p->ns_join & ns_types[i].flag))
			continue;
		p->hold.ns[i] = openat(p->target->proc_fd, ns_types[i].file, O_RDONLY | O_CLOEXEC);
		if (p->hold.ns[i] < 0)
			return err_set(e, errno, "holding the %s namespace of '%s'",
				       ns_types[i].name, p->label);
	}
	p->hold.on = true;
	p->outlive = true;
	p->shape.proc_good = p->shape.proc_theirs = false;
	return 0;
}

int plan_userns(const struct plan *p)
{
	int fd = p->hold.on ? fcntl(p->hold.ns[0], F_DUPFD_CLOEXEC, 3)
			    : openat(p->target->proc_fd, "ns/user", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

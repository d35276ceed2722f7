/*
 * A container of the host's (porthole host run): a root of its own, and of the host whatever it is
 * given. It is a sidekick that is beside nobody: session/beside.h holds its plan.
 *
 * Layer: session. The host is where the caller is: his namespaces, his files. Linux 5.12.
 */
#pragma once

#include <sched.h>

#include "session/plan.h"
#include "session/volume.h"

/* Namespaces that it has its own of where it does not keep the host's. */
#define HOST_NS (CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)

/* What it is given: plain data, borrowed. */
struct host_request {
	unsigned share; /* of HOST_NS: kept */
	const struct volume *v;
	size_t n;
	const struct strv *masks; /* paths inside that are empty */
	const char *extra;	  /* where `extra_fd` is inside; NULL: there is none */
	int extra_fd;		  /* a detached mount of the launcher's own; it is duplicated */
	uint64_t caps;
	bool ambient; /* whoever it runs as has all of `caps`, root or not */
	bool guests;  /* virtual machines go on when it ends */
	bool no_new_privs;
	bool filtered; /* system calls, as docker's default has it for `caps` */
	bool ipc_ro;   /* and none that changes what is in the ipc namespace */
	bool unmasked; /* /proc as it is, to be written to */
};

/* --- parts of the plan, as those of beside.h --- */

/* Which namespaces it has of its own (-EPERM: CAP_SYS_ADMIN is missing); its root directory. 0 or
 * -errno with `e`. */
int host_plan_ns(struct plan *p, const struct request *req, struct err *e);
int host_plan_root(struct plan *p, const struct request *req, struct err *e);
/* `added`: what was asked for by name, which others than root have too. */
int host_plan_caps(struct plan *p, const struct request *req, uint64_t added, struct err *e);

/*
 * A rehearsal's command is held as its container is: resource limits, added groups, sysctls, the
 * OOM score, the seccomp profile, sizes of tmpfs, devices.
 *
 * Layer: session. What cannot be had is in `left`, for people; the rest is plain data.
 */
#pragma once

#include <sys/resource.h>

#include "base/err.h"
#include "store/confine.h"
#include "sys/seccomp_filter.h"

struct plan;
struct view_parts;
struct cow_mount;

struct confined_device {
	const char *dest; /* borrowed */
	int fd;		  /* the host's node, detached */
};

struct confined {
	struct confine_rlimit rlimits[RLIM_NLIMITS]; /* as far as we may */
	size_t n_rlimits;
	int oom_score_adj;
	bool oom;		    /* it is to be set */
	const struct strv *sysctls; /* NAME=VALUE; borrowed; NULL: none */
	struct seccomp_filter filter;
	struct confined_device *devices;
	size_t n_devices;
	char shm_size[24]; /* of /dev/shm, "": not told */
	struct strv left;  /* clauses, printable: what is not as in the container, and why */
};

void confined_done(struct confined *c);

/* Fill p->confined from what the plan's store tells. `devices`: those too on which what is done
 * stays done. 0 or -errno with `e`. */
int confined_make(struct plan *p, bool devices, struct err *e);

/* The sysctls of namespaces that are the session's own; call it in them, and while the host's /proc
 * is at hand. Those that cannot be set are noted. */
void confined_sysctls(const struct plan *p, const struct view_parts *parts);

/* A tmpfs with the options that `m` was told: a detached mount, or -errno; -EBADF: none told. */
int confined_tmpfs(const struct plan *p, const struct cow_mount *m);

/* Attach the devices in the private directory `dev`, which is /dev. */
void confined_devices(const struct plan *p, const struct view_parts *parts, int dev);

/* Resource limits and OOM score of this process. [child] */
void confined_self(const struct plan *p);

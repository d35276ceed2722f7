/*
 * A path of the host's that a container of ours is given.
 *
 * Layer: session. Linux 5.12, as every view that forgets.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/mount.h>

#include "base/err.h"

/* Strings are borrowed. */
struct volume {
	const char *host;     /* ours: of our mount namespace */
	const char *inside;   /* absolute */
	bool ro;	      /* with all that is mounted below it */
	bool optional;	      /* left out where there is no such path */
	uint64_t propagation; /* MS_SLAVE, MS_PRIVATE; 0: as it is there, both ways where that is
				 shared */
	bool follow;	      /* MS_SLAVE until session/follow.h takes over */
};

/* HOST:PATH[:OPTIONS] as docker takes it: ro, rw, rslave, slave, rprivate, private, rshared,
 * shared; z and Z, which change nothing; and follow (session/follow.h). `copy` is the caller's to
 * free and lives as long as `out`. 0 or -errno with `e`. */
int volume_parse(const char *spec, char **copy, struct volume *out, struct err *e);

/* MOUNT_ATTR_* that clones of it have, besides those of the host's own mounts. Device nodes below
 * it cannot be opened, unless it is of /dev, or may be written to and is the host's / or `devices`
 * says so. */
uint64_t volume_attrs(const struct volume *v, bool devices);

/* The same with the propagation that it begins with. */
void volume_attr(const struct volume *v, bool devices, struct mount_attr *attr);

/* A detached clone of what is there now with all that is mounted on it, the caller's. What the host
 * mounts there later comes too where its mounts are shared, and whatever it unmounts goes (but for
 * MS_PRIVATE, and what is read-only: session/follow.h). -errno with `e`. */
int volume_open(const struct volume *v, bool devices, struct err *e);

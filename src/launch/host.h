/*
 * What a container of the host's is given: a profile, changed by single switches, as the session
 * layer takes it.
 *
 * Layer: launch.
 */
#pragma once

#include "base/err.h"
#include "profile/profile.h"
#include "session/host.h"

/* What was asked for; borrowed. */
struct host_ask {
	const char *profile;
	const struct strv *ns; /* "net,pid": these and no others; "+uts" and "-net" change one */
	const struct strv *volumes, *masks, *cap_add, *cap_drop;
	const char *user;  /* NULL: the profile's */
	const char *name;  /* for the environment */
	const char *image; /* the same */
	bool ro;	   /* all of the host's paths */
};

struct host_spec {
	struct profile profile; /* with the switches in it */
	struct volume *v;	/* of its mounts */
	struct strv env;	/* what programs that manage hosts expect */
	struct host_request req;
};

#define _cleanup_host_spec_ _cleanup_(host_spec_done)
void host_spec_done(struct host_spec *s);

/* Fill `out`, which must stay where it is. -ENOENT: no such profile; -EINVAL; -ENOMEM. */
int host_spec_make(const struct host_ask *ask, struct host_spec *out, struct err *e);

/*
 * Profiles: named sets of what a host container gets of the host, as files a person can read, copy
 * and extend.
 *
 * Layer: profile. A profile is lines of "key = value"; '#' starts a comment. profile(5)'s keys:
 * summary, share (pid net ipc uts cgroup user), caps (caps_parse()), seccomp (on, off), ipc (ro,
 * rw: with seccomp on, whether what is in the ipc namespace can be changed),
 * no-new-privileges (yes, no), devices (all, none), outlive (guests), env (K=V), user
 * (USER[:GROUP], who has all of caps), mask (a path inside that is empty), host-exec (yes, no:
 * whether it may run commands on the host itself), and mount (HOST INSIDE ro|rw [PROPAGATION]
 * [optional]; rslave where nothing is said).
 */
#pragma once

#include "profile/grants.h"

#define PROFILE_DIR	 "/etc/porthole/profiles"
#define PROFILE_FILE_MAX ((size_t)64 << 10)

struct profile {
	char *name;
	char *summary;
	char *file;	/* NULL: it came with Porthole */
	char *text;	/* as it is written */
	bool outlive;	/* what it starts may outlive it: virtual machines */
	bool host_exec; /* it may run commands on the host itself */
	struct grants g;
};

#define _cleanup_profile_ _cleanup_(profile_done)
void profile_done(struct profile *p);

/* Parse a text (borrowed). `file` names it in errors. 0, or -EINVAL with the line's number. */
int profile_parse(const char *name, const char *file, const char *text, struct profile *out,
		  struct err *e);

/* The profile called `name`: PROFILE_DIR/NAME.profile, else the one that came with Porthole; a name
 * with a slash is a file. -ENOENT with the nearest name as the hint. */
int profile_find(const char *name, struct profile *out, struct err *e);

/* The names of those that came with Porthole, the least first, then those of PROFILE_DIR. 0 or
 * -ENOMEM. */
int profile_names(struct strv *out);

/* What a scratch container is made of; see scratch.c for the options. */
#pragma once

#include <stdbool.h>

#define SCRATCH_MAX 64

enum scratch_dev { DEV_FULL, DEV_NONE, DEV_LINK, DEV_RO };

struct scratch {
	const char *root; /* directory to use as the root; NULL: a tmpfs with the app alone */
	const char *app, *pidfile;
	const char *hostname;
	bool rw, proc, caps, nnp, chroot, foreground, pdeathsig, no_reap, stdio;
	enum scratch_dev dev;
	int uid;
	int flags; /* CLONE_NEW* */
	char *join[SCRATCH_MAX], *env[SCRATCH_MAX], *files[SCRATCH_MAX];
	int n_join, n_env, n_files;
	char **cmd;
};

/* Make the namespaces, start the container, print its init's pid once it has its root and its
 * identity (it is about to exec), and leave or, with foreground, wait. Returns an exit code. */
int scratch_run(const struct scratch *s);

/* [child] Build the root and enter it; the caller is in its new mount namespace. 0 or -1 with a
 * message on stderr. */
int scratch_root(const struct scratch *s);

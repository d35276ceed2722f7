/*
 * A container of its own beside the target (porthole sidekick): some of the target's namespaces, a
 * root of its own, the target's files at /target.
 *
 * Layer: session. Linux 5.12, as every view that forgets.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"
#include "kit/kit.h"

struct plan;
struct request;
struct volume;

#define BESIDE_TARGET "target" /* where in its root the target's files are */
#define BESIDE_SELF   "/usr/local/bin/porthole"
#define BESIDE_KIT    "/usr/local/lib/porthole/" KIT_FILE /* where that finds it */

struct host_request;

/* What is asked for; lists as docker run takes them. */
struct beside_request {
	const struct host_request *host; /* of plan_make_host(); then share and volumes are not
					    looked at */
	struct strv share;		 /* namespaces; empty: net, pid, ipc; "none" */
	struct strv volumes;		 /* HOST:PATH[:ro] */
	struct strv cap_add, cap_drop;
	const char *name; /* its host name where uts is not shared; NULL: the target's name */
	bool read_only;
	bool self; /* this program at BESIDE_SELF */
	/* as a volume, where it is in our own user namespace: the host's root owns it. NULL: none
	 */
	const char *ours;
};

/* Something that is put into its root. */
struct beside_mount {
	char *dest;
	int fd;	   /* owned: a detached mount, or (copy) a file of the target's */
	bool copy; /* what the target has in /etc of names and addresses */
};

/* A directory of the host's that it has: what is mounted below it later comes too. */
struct beside_path {
	char *host, *inside;
	bool ro;
	bool follow; /* also where the kernel would pass it on */
};

struct beside {
	bool on;
	bool host;     /* beside nobody: a container of the host's (session/host.h) */
	bool devices;  /* the host's /dev, entry by entry, in a private one */
	bool unmasked; /* /proc as it is */
	bool ipc_ro;   /* its /dev/mqueue is read-only */
	char *etc; /* where the names of users and hosts are, as a link in /etc says it; NULL: there
		    */
	int root;  /* the target's, O_PATH */
	uid_t uid; /* of root in its user namespace, as we count */
	gid_t gid;
	char *name;
	bool read_only;
	/* where the root of before goes, and in the mount namespace of somebody else, whose root
	 * stays where it is, a clone of it; NULL: nowhere */
	char *old;
	struct mount_attr old_attr;
	struct beside_mount *v;
	size_t n;
	struct strv unseen;	   /* paths that were to be masked, and are not there; printable */
	struct beside_path *paths; /* session/follow.h */
	size_t n_paths;
};

#define BESIDE_INIT ((struct beside){.root = -EBADF})
void beside_done(struct beside *b);

/* Close what was put into its root, once that stands: it would be in use for as long as we run. */
void beside_let_go(const struct beside *b);

/* Put something into its root; `fd` is taken over, also on error. 0 or -ENOMEM. */
int beside_add(struct beside *b, const char *dest, int fd, bool copy);

/* Have a path of the host's followed. 0 or -ENOMEM. */
int beside_follow(struct beside *b, const struct volume *v);

/* --- parts of plan_make_beside(), as those of plan_make() --- */

/* What is joined, what is new; -EINVAL: mnt, which it has its own of; -EPERM: not root. */
int beside_plan_ns(struct plan *p, const struct request *req, struct err *e);

/* Open the target's root, mount the store's; what else is put into it. */
int beside_plan_root(struct plan *p, const struct request *req, struct err *e);

/* docker's default ones, and what is added and taken away. */
int beside_plan_caps(struct plan *p, const struct request *req, struct err *e);

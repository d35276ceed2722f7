/*
 * Where we are ourselves: which container surrounds this process, what of it is the real host's,
 * and what it may do.
 *
 * Layer: facts. Read from /proc/self, the marks that engines leave in a container, and the numbers
 * of the namespaces the machine booted with (constants of the kernel; the network's and the mount
 * namespace's only from Linux 6.18 on, before that by comparing with kthreadd where it is seen).
 */
#pragma once

#include "facts/facts.h"

struct here {
	enum ns_kind ns[NS_COUNT]; /* as ns_types: NS_HOST, NS_OWN, NS_UNREAD (cannot be told),
				      NS_ABSENT */
	const char *
		engine; /* static: docker, podman, kubernetes, lxc, systemd-nspawn, bwrap, porthole,
			   "a container" of something else; NULL: none, the host itself */
	const char *mark; /* static: what told so */
	struct cred cred;
	char label[256];    /* AppArmor's or SELinux's, "" none */
	char kernel[65];    /* release */
	char *host_root;    /* where the host's / is mounted, when not at /; NULL: nowhere */
	bool host_known;    /* that it is the host's was verified, not told by its name */
	bool host_reached;  /* the host's / can be looked into, mounted or not */
	bool root_is_hosts; /* / is the host's */
	bool proc_is_hosts; /* /proc shows the host's processes */
	bool storage;	    /* an engine's own directory is seen at its usual path */
	bool cgroups_writable;
	bool btf; /* the kernel tells its types: BPF programs can be loaded */
};

#define _cleanup_here_ _cleanup_(here_done)
void here_done(struct here *h);

/* Fill *out. What cannot be read is left empty. 0 or -errno with `e` (no /proc). */
int here_read(const struct target_roots *r, struct here *out, struct err *e);

/* The kind of the namespace of this flag (CLONE_NEW...). */
enum ns_kind here_ns(const struct here *h, unsigned flag);

/* Whether / is another than the host's: engines make one, `unshare -m` keeps the host's. */
bool here_has_own_root(const struct here *h);

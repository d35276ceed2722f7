/*
 * What the host mounts and unmounts later, below the paths of it that a container has.
 *
 * Layer: session. The kernel would do that by itself where the host's mount is shared (MS_SLAVE).
 * But then the host's umount(8) fails as long as a process of the container stands in what is to
 * be unmounted; what comes is as it is on the host, to be written to, also below what is read-only;
 * and where the host's mounts are private nothing comes at all. So the supervisor, who is told of
 * every change of the host's mount table (poll(2) of /proc/self/mountinfo), clones what is new,
 * makes it read-only where the path is while nobody can see it, and attaches it inside; and takes
 * away what the host has unmounted, whoever uses it. The host waits for nothing of the container.
 *
 * The kernel's way is kept where it was asked for by name (rslave), and below autofs, whose mounts
 * must be there before who asked for them goes on. Until the container has lasted some ms it is
 * everybody's: what has nothing to follow yet costs nothing.
 */
#pragma once

#include "session/plan.h"
#include "sys/mountinfo.h"

struct follow {
	const struct plan *plan;
	int table;     /* to wait for (POLLPRI); -EBADF: nothing is followed */
	int inside;    /* /proc/PID of a process of the container, once one was looked at */
	bool seen;     /* `known` is filled */
	bool later;    /* something could not be put inside yet */
	pid_t stuck;   /* a child that waits for a file system which does not answer; 0: none */
	int64_t probe; /* when to look for users the next time; 0: with the next change */
	int pause;
	struct mountinfo known;
};

#define FOLLOW_INIT ((struct follow){.table = -EBADF, .inside = -EBADF})
void follow_done(struct follow *f);

/* Begin, in the host's mount namespace. Costs an open(2), if that. */
void follow_start(struct follow *f, const struct plan *p);

/* How long to wait, of `ms` at most (-1: without end). */
int follow_wait(struct follow *f, int ms);

/* After a wait; `changed`: the table has something to say. On return what the host has mounted and
 * unmounted is so in the container, too, unless a file system does not answer. `mnt_ns`: the
 * container's; `pid`: a process in it. */
void follow_attend(struct follow *f, bool changed, int host_proc, int mnt_ns, pid_t pid);

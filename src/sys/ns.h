/*
 * Namespaces: their names, which of them a process has of its own, and joining them.
 *
 * Layer: sys. setns(2) on a pidfd needs Linux 5.8; older kernels get one setns per /proc/PID/ns
 * file.
 */
#pragma once

#include <stdint.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

/* Inodes of two of the namespaces a machine boots with: include/linux/proc_ns.h. */
#define NS_BOOTED_USER 0xEFFFFFFDU
#define NS_BOOTED_PID  0xEFFFFFFCU

struct ns_type {
	const char *name; /* as in the man pages and as users type it: "mnt", "net", ... */
	const char *file; /* below /proc/PID/ */
	unsigned flag;	  /* CLONE_NEW... */
};

#define NS_COUNT 8
/* user first (joining it gives the rights for the others), then as in namespaces(7). */
extern const struct ns_type ns_types[NS_COUNT];

/* The flags of a list such as "net,pid" ("mount", "network" and "all" are understood too).
 * 0, or -EINVAL with the list of names in `e`. */
int ns_parse(const struct strv *list, unsigned *flags, struct err *e);

/* "mnt,net" of flags, into a buffer of at least 64 bytes. Returns `out`. */
char *ns_names(unsigned flags, char *out, size_t size);

/* The inode that names a namespace of the process behind `proc_fd` (a /proc/PID directory), or 0
 * when the kernel has no such namespace or it may not be read (errno tells). */
uint64_t ns_inode(int proc_fd, const struct ns_type *t);

/* Which of `want` differ between the process behind `proc_fd` and ourselves (`self_fd`:
 * /proc/self). Reading one that exists and may not be read is -EACCES: the caller lacks
 * CAP_SYS_PTRACE. */
int ns_different(int proc_fd, int self_fd, unsigned want, unsigned *different, struct err *e);

/* Join `flags` by descriptors (as ns_types). [child]: no allocation. 0 or -errno. */
int ns_join_held(const int fds[NS_COUNT], unsigned flags);

/* Join `flags` of a process at once. `pidfd` may be -EBADF: then, as on kernels before 5.8 and when
 * its first thread has ended, each file below `proc_fd` is joined, user first. [child]: no
 * allocation. Returns 0 or -errno. */
int ns_join(int pidfd, int proc_fd, unsigned flags);

/* Whether `inode` names the namespace of this type that the machine booted with: kthreadd's, where
 * `proc_fd` (/proc) shows it; else by its number, which the kernel fixes (those of mnt and net only
 * from Linux 6.18 on); else by what the kernel shows in that one alone. 1, 0, or -1: it cannot be
 * told. */
int ns_is_booted(int proc_fd, const struct ns_type *t, uint64_t inode);

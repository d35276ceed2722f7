/*
 * Seccomp profiles as the programs that the kernel takes.
 *
 * Layer: sys. seccomp(2), Linux 3.5; by libseccomp, as runc and crun make theirs.
 */
#pragma once

#include <linux/filter.h>

#include "base/err.h"
#include "base/json.h"

struct seccomp_filter {
	struct sock_filter *code;
	unsigned short n;
};

void seccomp_filter_done(struct seccomp_filter *f);
#define _cleanup_seccomp_filter_ _cleanup_(seccomp_filter_done)

/* Compile a profile in an OCI runtime spec's words (linux.seccomp). System calls that libseccomp
 * knows no number of are passed over; those newer than all the profile names fail with ENOSYS, as
 * runc has it, where the profile denies what it does not name. 0; -EINVAL: what it says makes no
 * sense; -ENOTSUP: it asks another process (SCMP_ACT_NOTIFY). */
int seccomp_filter_compile(json_t *profile, struct seccomp_filter *out, struct err *e);

/* What docker's default profile (25) says for who has these capabilities: system calls that need
 * one which is missing, or that reach past namespaces, fail with EPERM; those that are newer than
 * we know of with ENOSYS. Programs of the same machine's 32-bit kind are held likewise.
 * `ipc_ro`: nor can queues, semaphores and shared memory of others be changed, or made. 0 or
 * -ENOMEM. */
int seccomp_filter_default(uint64_t caps, bool ipc_ro, struct seccomp_filter *out);

/* The same in an OCI runtime spec's words (linux.seccomp), which can say neither that what is newer
 * does not exist nor which personalities there are. The caller owns the reference; NULL when memory
 * is out. */
json_t *seccomp_default_oci(uint64_t caps, bool ipc_ro);

/* From here on the filter holds for this thread and all it starts. Needs no-new-privileges, or
 * CAP_SYS_ADMIN in our user namespace. 0 or -errno. [child] */
int seccomp_filter_load(const struct seccomp_filter *f);

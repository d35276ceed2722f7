/*
 * Credentials of a process: ids, groups, capabilities, and the id maps of its user namespace.
 *
 * Layer: sys. From /proc/PID/status and /proc/PID/{uid,gid}_map; proc(5), user_namespaces(7).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CRED_GROUPS_MAX 256

struct cred {
	uid_t uid, euid, fsuid;
	gid_t gid, egid, fsgid;
	gid_t groups[CRED_GROUPS_MAX]; /* the first ones, supplementary */
	size_t ngroups;
	uint64_t cap_inh, cap_prm, cap_eff, cap_bnd, cap_amb;
	bool no_new_privs;
	int seccomp;	     /* 0 off, 1 strict, 2 filter; -1 unknown */
	int seccomp_filters; /* Linux 5.9; -1 unknown */
};

/* Read them of the process behind `proc_fd` (/proc/PID). Ids are as seen in our user namespace.
 * 0 or -errno (-ESRCH when it is gone). */
int cred_read(int proc_fd, struct cred *c);

struct idmap_range {
	uint32_t inside, outside, count;
};

/* At most 340 ranges exist (Linux 4.15); more are not kept. */
struct idmap {
	struct idmap_range r[340];
	size_t n;
};

/* Read "uid_map" or "gid_map" below `proc_fd`. `outside` are ids of our own user namespace. 0 or
 * -errno. */
int idmap_read(int proc_fd, const char *file, struct idmap *m);

/* The id inside that shows as `outside`, or (uint32_t)-1 when it is not mapped. */
uint32_t idmap_to_inside(const struct idmap *m, uint32_t outside);

/* The id outside of an id inside, or (uint32_t)-1. */
uint32_t idmap_to_outside(const struct idmap *m, uint32_t inside);

/* 0 when id 0 is mapped, else the smallest id inside; (uint32_t)-1 for an empty map. */
uint32_t idmap_first_inside(const struct idmap *m);

/*
 * Control groups: where the hierarchies are mounted, where a process is in each, what limits say.
 *
 * Layer: sys. cgroups(7). Version 1, version 2 and both at once ("hybrid": controllers on version
 * 1, an empty version 2 tree beside them).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

/* One hierarchy that is mounted in our view. */
struct cgroup_hier {
	bool v2;
	char *names; /* v1: "cpu,cpuacct" or "name=systemd"; v2: "" */
	char *mount; /* where it is mounted: "/sys/fs/cgroup/memory" */
	char *root;  /* which cgroup that mount shows: "/" but in some containers */
};

struct cgroup_hiers {
	struct cgroup_hier *v;
	size_t n;
};

#define _cleanup_cgroup_hiers_ _cleanup_(cgroup_hiers_done)

void cgroup_hiers_done(struct cgroup_hiers *h);

/* Every mounted hierarchy once, version 2 last. `self_fd`: /proc/self (whose mount table says). 0,
 * also when there are none, or -errno. */
int cgroup_hiers_read(int self_fd, struct cgroup_hiers *h);

/* The hierarchy that has this controller ("memory", "freezer", "name=systemd"): the version 1 one
 * if there is one, else version 2 (where it may still not be enabled), else NULL. "" asks for
 * version 2. */
const struct cgroup_hier *cgroup_find(const struct cgroup_hiers *h, const char *controller);

/* The path of a process in this hierarchy, as "/docker/ID", from the text of its /proc/PID/cgroup.
 * A new string the caller frees; NULL when it is not there or memory is out. */
char *cgroup_path_parse(const char *text, const struct cgroup_hier *h);

/* The same of the process behind `proc_fd` (/proc/PID). */
char *cgroup_path_read(int proc_fd, const struct cgroup_hier *h);

/* Cut off what systemd inside a container adds: it moves itself into a cgroup below the container's
 * own. */
void cgroup_cut_init(char *path);

/* Open the directory of the cgroup `path` in its hierarchy. A descriptor the caller owns; -ENOENT
 * also when our mount does not show that path (a cgroup namespace, "/../x"). */
int cgroup_open(const struct cgroup_hier *h, const char *path);

/* CGROUP_NONE is what "max" (and version 1's huge numbers) become. */
#define CGROUP_NONE UINT64_MAX

/* A file of one number, or "max", in the directory `dirfd`. 0 or -errno. */
int cgroup_u64(int dirfd, const char *file, uint64_t *v);

/* The number after `key` in a file of "key value" lines (memory.events, cpu.stat). 0, -ENOENT when
 * there is no such line, or -errno. */
int cgroup_key(int dirfd, const char *file, const char *key, uint64_t *v);

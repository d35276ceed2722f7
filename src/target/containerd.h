/*
 * Where a containerd keeps its things; shared by its tasks (what runs) and its database (all).
 *
 * Layer: target, private to it.
 */
#pragma once

#include "target/bolt.h"
#include "target/engine.h"

struct ctd {
	int task; /* STATE/io.containerd.runtime.v2.task: NS/ID/ bundles */
	int runc; /* /run/containerd/runc: NS/ID/state.json; -EBADF: none */
	int data; /* ROOT (var/lib/containerd), for its database; -EBADF: unknown */
	struct bolt db;
	bool db_tried;
	char *path; /* of `task`, without the first slash */
	char *root; /* of `data`; NULL: unknown */
	uid_t owner;
	bool nested; /* its pids are those of another pid namespace */
	dev_t dev;
	ino_t ino;
};

/* The image's name of a container by its database; NULL: not recorded. */
char *ctd_image(struct ctd *c, const char *ns, const char *id);

/* Containers that have no task: created, or ended and not removed. 0 or -ENOMEM. */
int ctd_stopped(struct look *l, const struct want *w, struct ctd *c, struct targets *out);

/* docker's namespaces: found by its own files. */
bool ctd_is_docker_ns(const char *ns);

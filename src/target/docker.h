/*
 * A docker container out of JSON: config.v2.json and the API's answer have the same members.
 *
 * Layer: target, private to it.
 */
#pragma once

#include "target/engine.h"

enum {
	DOCKER_NAME,
	DOCKER_PID,
	DOCKER_RUNNING,
	DOCKER_PAUSED,
	DOCKER_RESTARTING,
	DOCKER_DEAD,
	DOCKER_EXIT,
	DOCKER_OOM,
	DOCKER_ERROR,
	DOCKER_STARTED,
	DOCKER_FINISHED,
	DOCKER_CREATED,
	DOCKER_IMAGE,
	DOCKER_IMAGE_ID,
	DOCKER_PROJECT,
	DOCKER_SERVICE,
	DOCKER_COUNT,
};

extern const char *const docker_picks[DOCKER_COUNT];

/* Fill *t from picked values; t->owner_uid is set before. 0 or -ENOMEM. */
int docker_fill(struct look *l, const char *id, const struct slice *v, struct target *t);

/* The DATA that JSON about a container (a bundle's config.json, the API's answer) tells of by
 * naming DATA/containers/ID/hostname; ID can be another container's (--network container:X). A new
 * string, or NULL. */
char *docker_data_of(struct slice text);

/* Whether this is the containerd namespace of a docker daemon's containers: "moby", and with
 * --userns-remap "moby-UID.GID" (docker 23 and later). */
bool docker_is_ns(const char *ns);

/* Ask the daemon: for those who may talk to it and not read its files. As engine.ask. */
int docker_ask(struct look *l, const struct want *w, struct targets *out);

/*
 * A container of the host's (porthole host run) that an engine makes and knows: docker, podman,
 * systemd-nspawn, runc or crun.
 *
 * Layer: launch. The engine gives namespaces, capabilities, cgroup and a name; its files are put
 * together by the session layer (session/lodge.h), as if there were no engine.
 */
#pragma once

#include "launch/lines.h"
#include "session/session.h"

/* docker, podman, nspawn, runc, crun; or -EINVAL with `e`. */
int engine_tool(const char *name, enum grant_tool *out, struct err *e);

/* Look what the engine has, where it is a daemon or has images: ours is made where it is missing,
 * and run->caps_unknown filled in for `caps`. 0 or -errno with `e`. */
int engine_ready(enum grant_tool tool, uint64_t caps, struct line_run *run, struct err *e);

/* Run the plan in a container that the engine makes as `l` says; of l->run only the limits are
 * looked at, and what is started is the plan's. As session_run(). */
int engine_run(const struct plan *p, const struct line_of *l, enum grant_tool tool,
	       struct session_talk *talk, struct err *e);

/* What would be run, with made-up places for what is made for one run: the caller's to release, as
 * is the bundle's config.json (NULL: it needs none). 0 or -errno with `e`. */
int engine_words(const struct plan *p, const struct line_of *l, enum grant_tool tool,
		 struct strv *out, json_t **bundle, struct err *e);

/*
 * The root of a session whose view forgets and whose programs are the kit's (a sidekick, a
 * container of the host's): a tmpfs with links to the kit, and room for all that is mounted in it.
 *
 * Layer: session, private. It is a third of what there is to do before the command can start, and
 * needs nothing of the agent's: the supervisor makes it while the agent makes all else.
 */
#pragma once

#include "session/view.h"

/* Is it the supervisor who makes it? Not where the agent is in another user namespace, or not our
 * child. */
bool top_is_sent(const struct plan *p, const struct view_parts *parts);

/* Make it, attached nowhere, for p->view == VIEW_KIT. What of the plan's mounts lies in another of
 * them has no room yet. Returns the mount's descriptor, or -errno with `e`. */
int top_make(const struct plan *p, struct err *e);

/* [supervisor] Make it, and hand it to the agent at the other end of `sock`; or what went wrong. */
void top_send(const struct plan *p, int sock);

/* [agent] What top_make() returns, made by the supervisor. */
int top_recv(int sock, struct err *e);

/* The directory `name` of `root`: a real one, whatever lies there. A descriptor (O_PATH), or
 * -errno. */
int top_dir(int root, const char *name);

/*
 * The host's /dev in a container of the host's: all of its devices, those that come later too, and
 * room for what is the container's own.
 *
 * Layer: session. Linux 5.12. It is an overlay over the host's directory: to make its hundred nodes
 * anew takes four times as long, and a program that has just had the kernel make one (losetup)
 * would not find it. An overlay remembers a name that was not there when it was looked up, so who
 * is told by inotify(7) of what comes and goes does the same in it. Directories in /dev are mounts
 * of the host's.
 */
#pragma once

#include "session/view.h"

struct devices {
	int watch; /* what to wait for (POLLIN); -EBADF: nothing */
	int from;  /* the host's /dev, detached */
	int to;	   /* the container's */
};

#define DEVICES_INIT ((struct devices){.watch = -EBADF, .from = -EBADF, .to = -EBADF})

/* Begin to watch the host's /dev, and lay an overlay over it, with its changes in the scratch, and
 * with room for a /dev/mqueue and maybe the kit.
 * Called while the host's files are ours. Returns a detached mount, or -errno: its entries have to
 * be made anew. Without inotify(7) it is the same but for what was asked for too early. */
int devices_mount(const struct view_parts *parts, bool kit, struct devices *d);

/* There is something to read at d->watch. */
void devices_settle(struct devices *d);

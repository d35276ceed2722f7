/*
 * The root that an entry point is looked at in.
 *
 * Layer: entry. Linux 5.12.
 */
#pragma once

#include "entry/entry.h"

/* The files of a store as its container would see them: its layers, and over them its volumes and
 * other mounts, read-only, as detached mounts that nobody else sees; where the place of one is made
 * at the first start only, in memory. A mount whose source is gone is left out; one that cannot be
 * made, or looked into, too, and is added to en->unseen. Before Linux 6.15 those of all can only be
 * made `alone`: then this process is in a mount namespace of its own from here on, in which
 * /sys/kernel or /mnt is the root, and cannot open the store again. Tells `en` whether owners are
 * ids inside. Returns a descriptor the caller owns, or -errno with `e`. */
int entry_root_of_store(const struct store *s, struct entry *en, bool alone, struct err *e);

/* The same to be written to (store_mount_rw()), its writable volumes included; what has no file
 * system while the container does not run (a tmpfs, a volume that is gone) is covered by an empty
 * read-only one. From here on this process is in a mount namespace of its own when there are
 * volumes, in which /sys/kernel or /mnt is the root: it must have one thread. Owners are as on
 * disk. A descriptor the caller owns, or -errno with `e`. Linux 5.12. */
int entry_root_writable(const struct store *s, int proc_fd, struct err *e);

/* The root of a pinned target that runs. A descriptor the caller owns, or -errno with `e`. */
int entry_root_of_target(const struct target *t, struct err *e);

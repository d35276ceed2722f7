/*
 * What an LXC container's `config` says: one key a line, files included.
 *
 * Layer: store, private to it. lxc.container.conf(5).
 */
#pragma once

#include "store/fill.h"

struct lxc {
	const struct target_roots *roots;
	const struct storage *dir; /* PATH/NAME */
	struct store *out;
	char *rootfs, *options; /* lxc.rootfs.path, lxc.rootfs.options; NULL: not said */
	struct strv entries;	/* lxc.mount.entry, and lines of lxc.mount.fstab */
	struct buf uids, gids;	/* id maps */
	bool keep;		/* lxc.cap.keep was used */
	int files;		/* read so far: includes may go in circles */
	int err;		/* -ENOMEM: it stays so */
};

void lxc_done(struct lxc *l);

/* Read DIR/config and what it includes. 0, or -errno with `e`. */
int lxc_read(struct lxc *l, struct err *e);

/* Add what the entries mount. 0, or -errno with `e`. */
int lxc_mounts(struct lxc *l, struct err *e);

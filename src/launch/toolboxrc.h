/*
 * ~/.toolboxrc, as CoreOS's toolbox and its successor of RHEL read it: KEY=VALUE. They let a shell
 * run the file; here it is taken apart, and nothing in it is evaluated.
 *
 * Layer: launch.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

#define TOOLBOXRC_MAX ((size_t)64 << 10)

struct toolboxrc {
	char *image; /* what --image takes: image://NAME, or the path of an archive; NULL: none */
	char *name;
	char *user;
	struct strv unknown; /* "line 3 (KEY)": raw; not understood, and not done */
};

#define _cleanup_toolboxrc_ _cleanup_(toolboxrc_done)
void toolboxrc_done(struct toolboxrc *rc);

/* TOOLBOX_DOCKER_IMAGE and TOOLBOX_DOCKER_TAG, IMAGE and REGISTRY, TOOLBOX_DOCKER_ARCHIVE,
 * TOOLBOX_NAME, TOOLBOX_USER; the last of several counts, an archive before a name. 0 or -ENOMEM.
 */
int toolboxrc_parse(const char *text, struct toolboxrc *out);

/* The file below `home`; empty where there is none. 0 or -errno with `e`. */
int toolboxrc_read(const char *home, struct toolboxrc *out, struct err *e);

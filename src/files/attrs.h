/*
 * What a file has besides its bytes: mode, owner, times, extended attributes, and whose ids are in
 * them.
 *
 * Layer: files. On the way from one place to another all ids are those that targets see inside:
 * owners, those in POSIX ACLs (acl(5)), and the root of a file capability (capabilities(7),
 * Linux 4.14).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "files/place.h"

enum { ATTRS_XATTRS_MAX = 512, ATTRS_VALUE_MAX = 65536 };

struct xattr {
	char *name;
	void *value;
	size_t len;
};

struct attrs {
	mode_t mode; /* with its kind (S_IFMT) */
	uint32_t uid, gid;
	bool owner; /* give it to uid and gid; else it is who makes it */
	bool times;
	struct timespec atime, mtime;
	dev_t rdev;
	struct xattr *x;
	size_t n_x;
};

void attrs_done(struct attrs *a);
#define _cleanup_attrs_ _cleanup_(attrs_done)

/* What is kept of a file on its way. */
struct attrs_keep {
	bool owner; /* its own ids; else `uid` and `gid`, when `give` */
	bool give;
	uint32_t uid, gid;
	bool power; /* set-id bits, file capabilities, and who may open devices; else these go */
};

/* Fill *out from `st` and, when `fd` is not negative (a file or directory open for reading), its
 * extended attributes: user.*, trusted.*, ACLs and, with keep->power, capabilities. Those of
 * overlayfs and of the host's policies (security.selinux, IMA) stay behind. 0 or -ENOMEM; what
 * cannot be read is not there. */
int attrs_read(const struct place *from, int fd, const struct stat *st,
	       const struct attrs_keep *keep, struct attrs *out);

/* Whether an extended attribute of this name goes along. */
bool attrs_is_kept(const char *name, const struct attrs_keep *keep);

/* Append an extended attribute as it is inside; copies. 0, -E2BIG, -ENOMEM. */
int attrs_add(struct attrs *a, const char *name, const void *value, size_t len);

/* Give `fd` (open, no O_PATH) what `a` says, in the order in which nothing undoes another: owner,
 * extended attributes, mode, times. Extended attributes that the file system refuses are left out
 * and counted in *lost (may be NULL). 0 or -errno. */
int attrs_apply(const struct place *to, int fd, const struct attrs *a, size_t *lost);

/* The same for what cannot be opened, by O_PATH descriptor: owner and times. */
int attrs_apply_path(const struct place *to, int fd, const struct attrs *a);

/* Turn the ids in an extended attribute's value from outside ones of `p` to inside ones
 * (`inward`), or back. The value may change its size, *value is replaced then. 0; -EINVAL: an id is
 * not there. */
int attrs_map_value(const struct place *p, bool inward, const char *name, void **value,
		    size_t *len);

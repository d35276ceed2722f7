/*
 * passwd(5) and group(5) as text that is not to be trusted: bytes in, no I/O, nothing is changed.
 *
 * Layer: base (libc only). Lines that are not as they should be are passed over; of several that
 * fit, the first one holds.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The most that is worth reading of such a file, in bytes. */
#define ETC_FILE_MAX ((size_t)1 << 20)

struct etc_user {
	char *name;
	uid_t uid;
	gid_t gid;
	char *home;  /* absolute; "/" where the file has none */
	char *shell; /* absolute; NULL where the file has none */
};

void etc_user_done(struct etc_user *u);
#define _cleanup_etc_user_ _cleanup_(etc_user_done)

/* A decimal id, at most 4294967294. 0, -EINVAL or -ERANGE. */
int etc_id(const char *s, uint32_t *id);

/* The user called `name` or, when that is NULL, with this uid, in the text of a passwd file. The
 * caller owns *out. 0, -ENOENT or -ENOMEM. */
int etc_user_find(const char *passwd, const char *name, uid_t uid, struct etc_user *out);

/* The id of the group called `name` in the text of a group file. 0 or -ENOENT. */
int etc_group_find(const char *group, const char *name, gid_t *gid);

/* Call add() with the id of each group that `user` is listed in. Stops at the first value that is
 * not 0 and returns it; else 0. */
int etc_groups_of(const char *group, const char *user, int (*add)(void *data, gid_t gid),
		  void *data);

/* The name that has this id, in the text of a passwd or of a group file; a copy the caller frees,
 * NULL: none, or memory is out. */
char *etc_name(const char *text, uint32_t id);

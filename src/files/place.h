/*
 * Where paths are: the root of a target that runs, of the files of one that does not, or the host's
 * own. What lies below a target's root is hostile, and nothing leads out of it.
 *
 * Layer: files (uses base, sys, target, store, entry). Linux 5.6 for openat2(2); 6.15 for the
 * volumes of what does not run.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "store/store.h"
#include "sys/cred.h"
#include "target/target.h"

enum place_kind {
	PLACE_HOST,  /* plain paths, links followed as everywhere on the host */
	PLACE_LIVE,  /* a pinned target's mounts as they are now */
	PLACE_STORE, /* layers and volumes of what does not run */
};

struct place {
	enum place_kind kind;
	char *label;		 /* the target's name made printable; "" on the host */
	int root;		 /* what `/` is: a directory (O_PATH); AT_FDCWD on the host */
	int pidfd;		 /* of a live target, borrowed; -EBADF: none */
	bool ro;		 /* nothing can be written, whatever its mounts say */
	struct idmap uids, gids; /* of its user namespace; n 0: ids are as we see them */
};

#define PLACE_INIT	((struct place){.root = -EBADF, .pidfd = -EBADF})
#define _cleanup_place_ _cleanup_(place_done)
void place_done(struct place *p);

/* The host's own files; relative paths start at the working directory. 0 or -ENOMEM. */
int place_of_host(struct place *out, struct err *e);

/* The root of a pinned target, which must outlive the place. Its volumes and tmpfs are there, since
 * these are its own mounts; it can be written to. Without CAP_SYS_ADMIN this process joins the
 * target's user namespace for good, if its owner may, and then sees ids as the target does. 0 or
 * -errno with `e`. */
int place_of_target(const struct target *t, struct place *out, struct err *e);

/* The files of what does not run, its volumes included: read-only. 0 or -errno with `e`. */
int place_of_store(const struct store *s, struct place *out, struct err *e);

/* The same to be written to (entry_root_writable(), which see); `proc_fd`: /proc. */
int place_of_store_rw(const struct store *s, int proc_fd, struct place *out, struct err *e);

/* Open `path` (of a target: from its `/`, absolute or not, openat2(RESOLVE_IN_ROOT)). `flags` as
 * open(2); O_CLOEXEC is added. Use O_PATH and look before anything is opened for good. A descriptor
 * the caller owns, or -errno. */
int place_open(const struct place *p, const char *path, int flags);

/* The directory in which the last name of `path` lies, as an O_PATH descriptor in *dir, and that
 * name in *name, both the caller's. The last name itself is not looked at; it is "." when the path
 * ends in "/.", "..", or is "/". 0, -errno (*dir is -EBADF then). */
int place_parent(const struct place *p, const char *path, int *dir, char **name);

/* Ids of the files as the target sees them, of those that stat(2) shows, and back.
 * (uint32_t)-1: it has none. */
uint32_t place_uid_inside(const struct place *p, uid_t uid);
uint32_t place_gid_inside(const struct place *p, gid_t gid);
uint32_t place_uid_outside(const struct place *p, uint32_t uid);
uint32_t place_gid_outside(const struct place *p, uint32_t gid);

/* From here on, this thread (and those it starts) makes files as the root of a live target with a
 * user namespace: a file system that was mounted in there knows no other ids (EOVERFLOW). Our
 * rights stay, and elsewhere nothing may be made meanwhile that has to be ours. Until
 * place_end_writing(). */
void place_begin_writing(const struct place *p);
void place_end_writing(void);

/* Say that `doing` ("opening", "writing") `path` failed with -errno `r`, naming the target, and
 * what may be done about it. Returns r. */
int place_err(const struct place *p, int r, const char *doing, const char *path, struct err *e);

/* The live target has ended since it was pinned. */
bool place_is_gone(const struct place *p);

/*
 * Where what is put in comes from: a root filesystem, read-only, outside of every container.
 *
 * Layer: inject (uses base, sys, store, kit).
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "kit/apt.h"
#include "store/store.h"

struct origin {
	struct store store; /* empty for busybox */
	int root;	    /* a directory, for reading */
	char *label;	    /* for people */
	bool yields;	    /* what the target has by these names is as good: busybox's applets */
};

#define ORIGIN_INIT	 ((struct origin){.store = STORE_INIT, .root = -EBADF})
#define _cleanup_origin_ _cleanup_(origin_done)
void origin_done(struct origin *s);

struct origin_ask {
	const char *from;	      /* NULL: debian */
	const struct strv *packages;  /* for debian */
	struct kit_progress progress; /* while packages are fetched and configured */
};

/* Make or open it. "busybox": this machine's static busybox, or that of Debian's package; "debian":
 * the essential packages of this machine's Debian, apt and `packages`, configured, kept as an
 * archive for the next time; else an archive, a directory or an image. 0 or -errno with `e`. */
int origin_open(const struct target_roots *r, const struct origin_ask *a, struct origin *out,
		struct err *e);

/* --- pieces, in files of their own --- */

/* Where packages are fetched and unpacked: one at a time; what is in it goes with it, and what a
 * killed one left goes first. */
#define ORIGIN_WORK "/var/cache/porthole/inject/work"

struct origin_work {
	int lock; /* of the directory above it */
};

#define ORIGIN_WORK_INIT      ((struct origin_work){.lock = -EBADF})
#define _cleanup_origin_work_ _cleanup_(origin_work_done)
void origin_work_done(struct origin_work *w);
/* Waits for another one to end. 0 or -errno with `e`; -ENOENT: there is no apt here. */
int origin_work_open(struct origin_work *w, struct err *e);

/* Find or download packages and what they depend on; ORIGIN_WORK must be open. 0 or -errno. */
int origin_debs(const struct strv *asked, const struct kit_progress *progress,
		struct kit_packages *out, struct err *e);

/* Fill an empty directory with busybox and its links. 0 or -errno. */
int origin_busybox(int dir, struct origin *out, const struct kit_progress *progress, struct err *e);

/* The archive of a Debian with these packages, made when it is not there: its path in a new string.
 * 0 or -errno. */
int origin_debian(const struct origin_ask *a, char **path, struct err *e);

/* debian.sh */
extern const char origin_debian_script[];

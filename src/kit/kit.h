/*
 * The kit: one EROFS image of tools that live at /dev/p, and how it is mounted, detached, anywhere.
 *
 * Layer: kit (uses base and sys).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define KIT_PREFIX "/dev/p" /* where a kit's files expect to be; compiled into every program of it */
#define KIT_BIN	   KIT_PREFIX "/b"

enum kit_kind {
	KIT_NONE,
	KIT_IMAGE, /* an EROFS image: a file, or the tail of our own executable */
	KIT_DIR,   /* an unpacked kit */
};

enum kit_rung {
	KIT_RUNG_FILE,	 /* file-backed EROFS, Linux 6.12 */
	KIT_RUNG_LOOP,	 /* loop device with autoclear */
	KIT_RUNG_UNPACK, /* unpacked into a tmpfs */
	KIT_RUNG_DIR,	 /* clone of a directory */
};

/* A kit found, opened and not yet mounted. */
struct kit {
	enum kit_kind kind;
	char *path;	 /* for messages */
	int fd;		 /* the image file or directory */
	uint64_t offset; /* where the image starts in it, a multiple of 4096 */
	uint64_t size;	 /* bytes of the image; 0: to the end of the file */
};

#define KIT_INIT ((struct kit){.fd = -EBADF})
#define _cleanup_kit_ _cleanup_(kit_done)
void kit_done(struct kit *k);

/* Find the kit to use. `spec`: NULL for the default (appended to /proc/self/exe; else kit.erofs
 * beside the executable; else $PORTHOLE_KIT; else /usr/lib/porthole/kit.erofs and
 * /usr/local/lib/porthole/kit.erofs), "none", an image file, or a directory. Only opens and reads the
 * superblock. -ENOENT with a hint how to build one. */
int kit_find(const char *spec, struct kit *k, struct err *e);

/* Mount it as a detached tree: returns a mount descriptor (O_PATH, CLOEXEC) that nobody else can see
 * and that vanishes with its last reference; read-only, nosuid, nodev. *rung tells which way was taken. Tries the
 * rungs in order, each only where the kernel refused the one before. `userns_fd` >= 0: id-mapped into
 * that user namespace. */
int kit_mount(const struct kit *k, int userns_fd, enum kit_rung *rung, struct err *e);

const char *kit_rung_name(enum kit_rung r);

/*
 * The kit: one EROFS image of tools that live at /dev/p, and how it is mounted, detached, anywhere.
 *
 * Layer: kit (uses base and sys). Mounting: Linux 5.2 for detached mounts, any kernel for
 * kit_prepare() and kit_mount_at().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "sys/loop.h"

#define KIT_FILE "kit.erofs" /* beside the executable, and where one is installed */
#define KIT_PREFIX                                                                                 \
	"/dev/p" /* where a kit's files expect to be; compiled into every program of it */
#define KIT_BIN KIT_PREFIX "/b"

#define KIT_LABEL "porthole" /* of kits that others can see */

#define KIT_HOT "hot" /* in the kit: what kit_prefetch() reads */

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
	char *path;	   /* for messages */
	int fd;		   /* the image file or directory */
	uint64_t offset;   /* where the image starts in it, a multiple of 4096 */
	uint64_t size;	   /* bytes of the image */
	const char *label; /* what mount tables show as its source, borrowed; NULL: whatever it is
			      opened by */
};

#define KIT_INIT      ((struct kit){.fd = -EBADF})
#define _cleanup_kit_ _cleanup_(kit_done)
void kit_done(struct kit *k);

/* Find the kit to use. `spec`: NULL for the default ($PORTHOLE_KIT; else appended to
 * /proc/self/exe; else kit.erofs beside the executable, or in ../lib/porthole from there; else
 * /usr/lib/porthole/kit.erofs and /usr/local/lib/porthole/kit.erofs), "none", an image file (or an
 * executable with one appended), or a directory. Only opens it and reads the superblock; nothing
 * that is not a regular file or a directory is waited for. Errors: -ENOENT with a hint how to build
 * one; -EBADMSG when what is there is damaged, cut short or no kit (the default search stops there
 * too, rather than pass over it). */
int kit_find(const char *spec, struct kit *k, struct err *e);

/* Mount it as a detached tree: returns a mount descriptor (O_PATH, CLOEXEC) that nobody else can
 * see and that vanishes with its last reference; read-only, nosuid, nodev. *rung tells which way
 * was taken. Tries the rungs in order, each only where the kernel refused the one before; the hint
 * of the last error names what was refused. `userns_fd` >= 0: id-mapped into that user namespace,
 * where the kernel can (EROFS 5.19, tmpfs 6.3); where it cannot, the kit's files show there as
 * owned by 65534, readable and executable all the same. To be called in the mount namespace in
 * which kit_find() was (a directory can only be cloned there), before any other is entered. Errors:
 * -ENOSYS: no new mount calls (before Linux 5.2): use kit_prepare() and kit_mount_at(); -EPERM: not
 * root; -ENOTSUP: a directory on a kernel without mount_setattr(2) (before 5.12); -EINVAL:
 * KIT_NONE. */
int kit_mount(const struct kit *k, int userns_fd, enum kit_rung *rung, struct err *e);

/* What each rung said, for `kit info`. */
struct kit_probe {
	bool tried;	    /* false: not root, `rung` is what this kernel is expected to take */
	enum kit_rung rung; /* the one kit_mount() would take now */
	size_t n;	    /* rungs refused before it */
	struct {
		enum kit_rung rung;
		int num;       /* positive errno */
		char why[192]; /* one sentence */
	} refused[2];
};

/* Find out which rung kit_mount() would take, by mounting detached and letting go again (never by
 * unpacking). Cannot fail: what is not possible is in `refused`. */
void kit_probe(const struct kit *k, struct kit_probe *out);

/*
 * The classic way in, for kernels without detached mounts: kit_mount() said -ENOSYS.
 *
 * 1. kit_prepare(), still on the host (its /dev/loop-control is needed).
 * 2. The caller enters the target's mount namespace, makes its own (unshare, MS_REC|MS_PRIVATE),
 * and puts its tmpfs over /dev as always, without MS_NODEV, and makes the directory `where` on it.
 *    It must not have entered the target's user namespace yet.
 * 3. kit_mount_at().
 */
struct kit_ready {
	struct loop loop; /* held open until it is mounted; fd -EBADF: to be unpacked */
	char why[192];	  /* why there is none, one sentence */
};

#define KIT_READY_INIT	    ((struct kit_ready){.loop = LOOP_INIT})
#define _cleanup_kit_ready_ _cleanup_(kit_ready_done)
void kit_ready_done(struct kit_ready *r);

/* Host side: bind a loop device. Where there is none that is no error: kit_mount_at() unpacks.
 * -ENOTSUP: the kit is a directory, which only Linux 5.12 can clone into another mount namespace.
 */
int kit_prepare(const struct kit *k, struct kit_ready *r, struct err *e);

/* Inside: mount the kit at the absolute path `where` of our own private mount namespace with
 * mount(2), read-only, nosuid, nodev. `node_dir` is a directory of the caller's own tmpfs (no
 * MS_NODEV) in which a device node may exist for a moment. *rung: KIT_RUNG_LOOP, or KIT_RUNG_UNPACK
 * where the kernel refused that. Needs neither /proc nor the target's files. 0 or -errno; on
 * failure nothing stays mounted at `where`. */
int kit_mount_at(const struct kit *k, const struct kit_ready *r, const char *where,
		 const char *node_dir, enum kit_rung *rung, struct err *e);

/* Unpack an image into the empty directory `dir_fd` (O_PATH will do): files, directories, links,
 * hard links, modes without set-id bits, times; the owner is the caller. Device nodes, FIFOs and
 * sockets of a hostile image are left out. -EBADMSG: damaged; -ENOTSUP: EROFS features this reader
 * does not know; -EFBIG: more than 8 GiB or a million entries. */
int kit_unpack(const struct kit *k, int dir_fd, struct err *e);

/* Called while a kit is unpacked; bytes of its files. */
struct kit_steps {
	void (*step)(void *arg, uint64_t done, uint64_t total);
	void *arg;
};

/* For those who may not mount: make the image `k` a directory, which they may clone. It is unpacked
 * into $XDG_CACHE_HOME/porthole/kit-HASH (~/.cache without that variable), complete or not at all,
 * or found there as an earlier call left it; HASH is of the image's file, its size and times. Two
 * at once wait for each other. `progress` may be NULL. 0 or -errno; -ENOENT: no home directory. */
int kit_from_cache(struct kit *k, const struct kit_steps *progress, struct err *e);

/* The same without doing anything: k->path becomes that directory's path, there or not. */
int kit_cache_name(struct kit *k, struct err *e);

/* Write OUT: our own executable without the kit it may carry, then the image `k` on a page boundary
 * and a trailer that kit_find() looks for; KIT_NONE: without a kit. Atomic: OUT is replaced at once
 * or not at all. -EINVAL for a kit that is a directory; -EISDIR or -EEXIST when OUT is there and
 * no regular file. */
int kit_attach(const struct kit *k, const char *out, struct err *e);

/* Read what starting `program` (a name in the kit's b/, or its path; else nothing) touches into
 * memory, from the mount `mnt`, while others still prepare its start. `root`: the kit is the root
 * there, so that its programs are in /bin and the like, too. The list is the kit's own
 * file KIT_HOT: lines "PROGRAM FILE FIRST-LAST..." in pages of 4 KiB, PROGRAM "*" for all that have
 * no lines; 32 MiB at most are read. A kit without the list is not read ahead. */
void kit_prefetch(int mnt, const char *program, bool root);

/* "file", "loop", "unpack", "dir". */
const char *kit_rung_name(enum kit_rung r);

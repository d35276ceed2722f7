/*
 * The files of what does not run: a stopped container's, an image's, those of an archive or a
 * directory, as layers and mounts that are still to be put together.
 *
 * Layer: store (uses base, sys, target). Everything is read from the engine's own storage, below
 * the roots of `struct target_roots`, bounded and hostile; nothing there is written to, but
 * by store_mount_rw(), or locked. Linux 5.6 for openat2(2).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "store/confine.h"
#include "target/target.h"

enum { STORE_LAYERS_MAX = 500, STORE_MOUNTS_MAX = 1000 };

/* One directory of files; whiteouts and opaque directories are overlayfs's own. */
struct store_layer {
	int fd;		 /* O_PATH | O_DIRECTORY */
	char *path;	 /* for people */
	bool ids_inside; /* owners on disk are ids inside already: uid_map is not for it */
};

/* What was mounted in the container, over its layers. In the order in which it is to be done. */
struct store_mount {
	char *dest;   /* absolute, inside; hostile */
	char *source; /* for people: a path, a volume's name; NULL for tmpfs */
	int fd;	      /* O_PATH of the source, -EBADF: a tmpfs, or `missing` */
	bool tmpfs;
	bool ro;
	bool missing;	 /* the source is not there, or cannot be opened from outside */
	bool gone;	 /* and that because nothing is there any more */
	bool remade;	 /* then its engine makes an empty directory there at each start */
	bool ids_inside; /* as of a layer */
	char *options;	 /* of a tmpfs: "size=64k,noexec"; NULL: none told */
};

/* What would run, and as whom. The container's own words, an image's inherited ones included. */
struct store_config {
	struct strv entrypoint,
		cmd;	 /* cmd holds it all where the engine does not tell them apart */
	bool shell_form; /* written as one string: run through a shell */
	struct strv env;
	char *user; /* as given: NAME, UID, NAME:GROUP ...; NULL: root */
	char *cwd;  /* NULL: / */
	char *hostname;
	struct strv labels; /* an image's RUN, INSTALL and UNINSTALL, as NAME=VALUE */
	char *os, *arch;    /* as OCI spells them (linux, amd64); NULL: not told */
	bool root_ro;
	bool caps_known;
	uint64_t caps; /* bounding set it is given */
	bool no_new_privs;
	uint64_t memory; /* bytes, 0: no limit */
	uint64_t pids;	 /* 0: no limit */
	double cpus;	 /* 0: no limit */
	struct confine confine;
};

struct store {
	char *label; /* what a person calls it; raw bytes: print through str_printable() */
	char *kind;  /* where from, in words: "docker overlay2", "OCI archive", "directory" */
	struct store_layer *layers; /* topmost first; never empty once filled */
	size_t n_layers;
	struct store_mount *mounts;
	size_t n_mounts;
	struct store_config config;
	/* How the files' owners on disk relate to ids inside, as uid_map lines ("INSIDE OUTSIDE
	 * COUNT"), when the container has a user namespace; NULL: the same. */
	char *uid_map, *gid_map;
	bool own;	 /* a container's: what it changes goes to the first layer */
	bool user_xattr; /* whiteouts and opaque directories of the layers are marked with
			  * user.overlay.*, as an engine without root does (overlayfs's userxattr)
			  */
	int temp;	 /* detached mount that holds unpacked layers, -EBADF: none; goes with us */
};

#define STORE_INIT	((struct store){.temp = -EBADF})
#define _cleanup_store_ _cleanup_(store_done)
void store_done(struct store *s);

/* Append; the descriptor and strings are taken over, also on error. 0 or -errno. */
int store_add_layer(struct store *s, int fd, char *path);
int store_add_mount(struct store *s, struct store_mount *m);

/* Whether its programs are for another machine than ours, as far as its configuration tells. */
bool store_is_foreign(const struct store *s);

/* The files of a container that does not run (or runs: what its storage says), from what its engine
 * keeps: docker overlay2 (and vfs) and docker's containerd image store, containers-storage (podman,
 * CRI-O, buildah; rootful and rootless; overlay and vfs), containerd snapshots (overlayfs, native),
 * LXC, systemd-nspawn and OCI bundles. -ENOENT: removed meanwhile; -ENOTSUP: a driver we do not
 * know, named in `e`; -EBADMSG: corrupt, with the file. */
int store_of_target(const struct target_roots *r, const struct target *t, struct store *out,
		    struct err *e);

/* `ref`: what follows image://, as the engines spell it: NAME, NAME:TAG, NAME@sha256:..., an id or
 * its start; or ENGINE/NAME when several hold it. Looks through every engine's images on the host.
 * -ENOENT with the nearest names; -ENOTUNIQ with the candidates. */
int store_of_image(const struct target_roots *r, const char *ref, struct store *out, struct err *e);

/* `path`: an archive (docker save, OCI layout, or a plain root filesystem; uncompressed, gzip, xz,
 * zstd, bzip2) that is unpacked to memory, or a directory (a root filesystem, or an OCI layout).
 * Whatever an archive says, nothing is made outside of its own root. `name`: which image, for
 * archives of several; NULL: the only one. `limit`: bytes it may take unpacked, 0: half of memory.
 * `progress` (may be NULL) is called with bytes read of bytes total. */
int store_of_path(const char *path, const char *name, uint64_t limit,
		  void (*progress)(uint64_t done, uint64_t total, void *data), void *data,
		  struct store *out, struct err *e);

/* For those without root, before the files of what is their own are opened: go where they have all
 * rights over them (sys/userns.h), and open the roots again there, by the same numbers. Does
 * nothing for root. 0 or -errno; after an error nothing but its report is left to be done. */
int store_rights(const struct target_roots *r, struct err *e);

/* The layers put together, read-only, as a detached mount that nobody else sees: its descriptor is
 * a directory, and a root for openat2(RESOLVE_IN_ROOT) and path_open_in_root(). What is mounted
 * over them in the container is not there. Owners are shown as the container sees them (`uid_map`)
 * where layers' file system and kernel can (5.19), else as they are on disk: *mapped (may be NULL)
 * tells. Nothing on it counts as a device or sets ids. Returns a descriptor the caller owns, or
 * -errno. Linux 5.12; needs CAP_SYS_ADMIN. */
int store_mount_ro(const struct store *s, bool *mapped, struct err *e);

/* The same to be written to, for good: a container's own first layer is the upper directory of the
 * overlay, beside its engine's own work directory, and what is written is there at its next start;
 * of an engine with one directory, that; where it is mounted in our own mount namespace already,
 * that mount. Owners are as on disk. Read-only where the container's root is. Who else may have it
 * mounted is looked for below `proc_fd` (/proc), before and after: -EBUSY. Other portholes are kept
 * out by a lock on the first layer, which this process has until it ends; they wait for it for two
 * seconds: -EBUSY.
 * No engine can be kept from starting it meanwhile, so look again whether it runs. -ENOTSUP with
 * why not. As store_mount_ro() otherwise. */
int store_mount_rw(const struct store *s, int proc_fd, struct err *e);

/* What is mounted at `m` (no tmpfs, not missing), with its owners as the container sees them: a
 * detached copy, without what is mounted on it, with MOUNT_ATTR_* `attrs`. `userns`: of the store's
 * maps (idmap_userns()). Returns a descriptor the caller owns, or -errno; -EINVAL: this file system
 * cannot be id-mapped. Linux 5.12. */
int store_mount_mapped(const struct store_mount *m, uint64_t attrs, int userns);

/* store_mount_ro() for those in the user namespace `userns`: what root owns belongs to its root
 * where the kernel and the layers' file systems can (5.19). */
int store_mount_for(const struct store *s, int userns, struct err *e);

/*
 * What `/` is in a session: a private mount namespace in which the kit lies at /dev/p.
 *
 * Layer: session. Linux 5.2 for the mount calls by descriptor; view_classic.c does the same with
 * mount(2) alone.
 */
#pragma once

#include <sys/stat.h>

#include "base/err.h"
#include "session/plan.h"
#include "sys/overlay.h"

/* What is made outside, before entering, and handed to the view. Descriptors; -EBADF: none. */
struct view_entries;
struct devices;

struct view_parts {
	int host_proc; /* a /proc, to open descriptors through */
	int proc_fd;   /* detached procfs of the pid namespace, when the target's own will not do */
	int target_proc; /* detached procfs of the target's pid namespace, when the session is in
			    another */
	const struct view_entries *nodes;  /* of the host's /dev, for targets that have none */
	int talk;			   /* to the supervisor, for what he makes (top.h) */
	bool classic;			   /* no mount calls by descriptor on this kernel */
	const struct kit_ready *kit_ready; /* classic: the kit's loop device */
	struct overlay_scratch *scratch;   /* for p->cow: where changes go */
	struct strv *notes;		   /* sentences for the user */
	struct devices *devices;	   /* p->beside.devices: to be filled (session/devices.h) */
};

/* Unshare the mount namespace and build the plan's view in it; the caller has joined the target's
 * namespaces. Nothing reaches the target: every mount of the new namespace is a
 * slave. Afterwards the view's root is the caller's root. `dev` is the session's private /dev, with
 * room for the kit at `p` (the caller's to close; -EBADF when the plan has no kit). 0 or -errno
 * with `e`. */
int view_build(const struct plan *p, const struct view_parts *parts, int *dev, struct err *e);

/* Attach the detached mount of the kit there: apart, since it is being mounted meanwhile. 0 or
 * -errno with `e`. */
int view_add_kit(int dev, int kit_fd, struct err *e);

/* The same for a view that forgets (p->cow.on), before the target's user namespace is joined: its
 * overlays must be able to mark what was deleted. For a store nothing is joined. What cannot be
 * as the plan says is added to parts->notes. */
int view_build_cow(const struct plan *p, const struct view_parts *parts, int *dev, struct err *e);

/* The same with unshare(2) and mount(2) only, before the target's user namespace is joined: a loop
 * device cannot be mounted from inside one. */
int view_build_classic(const struct plan *p, const struct view_parts *parts, struct err *e);

/* --- pieces shared by them --- */

#define ROOT_DIR_FLAGS (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* Attach a detached mount at NAME below `dirfd`, or ("") over it. 0 or -errno. */
int view_attach(int mnt, int dirfd, const char *name);

/* A detached tmpfs; `size` as its option takes it, MOUNT_ATTR_* `attrs`. A mount descriptor or
 * -errno. */
int view_new_tmpfs(const char *size, uint64_t attrs);

/* MOUNT_ATTR_* of a tmpfs that is a session's own: nodes made there cannot be opened by what does
 * not run and what is beside a target, but where they have the host's devices. */
uint64_t view_own_attrs(const struct plan *p);

/* Lie a private /dev over directory `at`: these entries, and room for the kit. `mnt`: a detached
 * mount that shows them, with that room (devices_mount()), -EBADF: a new tmpfs; taken over, also on
 * error. Returns its descriptor,
 * or -errno with `e`. */
int view_build_dev(const struct plan *p, const struct view_entries *dev, int mnt, int at,
		   struct err *e);

/* Where the target's processes are shown to a session that is in another pid namespace. */
#define VIEW_TARGET_PROC "target-proc"

/* A detached procfs of our pid namespace, or (Linux 6.18) the processes, and nothing else, of
 * another below ours. A mount descriptor, or -EBADF when it cannot be. */
int view_new_proc(int pid_ns);

/* That of the target, for a session that is in another; made outside, since it takes a namespace
 * above the target's. The same. */
int view_target_proc(const struct plan *p);

/* Attach the procfs `proc_fd` (-EBADF: none) there in the private directory `dev`. For looking at
 * only, so without it there is a session all the same. */
void view_show_target_proc(int dev, int proc_fd);

/* Names that make up a directory of the target, at most VIEW_ENTRIES_MAX (hostile ones are
 * endless). */
enum { VIEW_ENTRIES_MAX = 1000 };

struct view_entry {
	char *name;
	char *link; /* text of a symbolic link, else NULL */
	bool dir;
	int fd;		  /* detached clone, or -EBADF */
	struct stat node; /* st_rdev != 0: a device node to be made anew */
};

struct view_entries {
	struct view_entry *v;
	size_t n;
};

/* How entries are to be had again. */
enum view_how {
	VIEW_LIST,   /* names only */
	VIEW_MOUNTS, /* a detached clone of each directory, and of what is mounted there */
	VIEW_CLONE,  /* a detached clone of each */
	VIEW_NODES, /* device nodes that lie in the directory itself are made anew, which costs less
		     * than a mount each (not from within a user namespace); clones of all else */
};

/* List `dirfd` without the names in `skip` (NULL-terminated, may be NULL). Those that cannot be
 * cloned are left out. 0 or -errno. */
int view_entries_read(int dirfd, const char *const *skip, enum view_how how,
		      struct view_entries *l);
void view_entries_done(struct view_entries *l);
#define _cleanup_entries_ _cleanup_(view_entries_done)

/* Clones of the host's /dev/null and its like, for a target without /dev. Call it outside. 0 or
 * -errno. */
int view_basic_nodes(struct view_entries *l);

/* Lie an empty file over those of the view's /etc that are read to look names up, where they are
 * FIFOs, sockets or devices, and say so in parts->notes. `dev`: the session's private /dev. What
 * cannot be covered stays. */
void view_cover_names(const struct view_parts *parts, int dev);

/* Make the directory PLAN_SCRATCH in the private /dev `dev`, for everybody to write to. 0 or
 * -errno. */
int view_make_scratch(int dev);

/* A private mount namespace whose root is the target's. 0 or -errno with `e`. */
int view_unshare(const struct plan *p, struct err *e);

/* Make an empty mountpoint for the entry (or its link) below `dirfd`. 0 or -errno. */
int view_entry_make(int dirfd, const struct view_entry *en);

/* True when a session of this plan needs a root of its own: the target has no directory for /dev or
 * /proc to lie over, or the kit's root is asked for. */
bool view_needs_root(const struct plan *p);

/* {link, where to}: what makes the kit look like a Debian root. */
enum { VIEW_KIT_LINKS = 8 };
extern const char *const view_kit_links[VIEW_KIT_LINKS][2];

/* Directories and links that make a kit look like a Debian root, below the empty `root`; what names
 * and addresses /etc holds are links to those in the directory `etc` ("../target/etc"; NULL: none).
 * 0 or -errno. */
int view_fill_kit_root(int root, const char *etc);

#define VIEW_TARGET_ETC "../target/etc"

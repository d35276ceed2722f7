/*
 * Who: from what a person types to a process that is held and cannot be confused with another.
 *
 * Layer: target (uses base and sys). Linux 5.3 for pidfd_open(2); state files first, then one pass
 * over /proc, then sockets; never an engine's command line. Everything read is bounded and hostile.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

enum target_state {
	TARGET_UNKNOWN = 0,
	TARGET_CREATED,
	TARGET_RUNNING,
	TARGET_PAUSED,
	TARGET_EXITED, /* ran, and ended: exit_code holds */
	TARGET_DEAD,   /* half removed, or its state file says it runs and its process is gone */
	TARGET_RESTARTING, /* ended, and its engine is about to start it again */
};

struct target {
	const char *engine; /* static: docker podman containerd cri crio runc crun lxc incus nspawn
			       flatpak bwrap none ... */
	char *id;	    /* engine's id; NULL when it has none */
	char *name;	    /* never NULL; raw bytes: print through str_printable() */
	char *image;	    /* NULL: unknown */
	char *image_id;
	char *pod;	 /* pod name, NULL: none */
	char *pod_ns;	 /* Kubernetes namespace, or containerd's namespace for engine containerd */
	char *owner;	 /* user name or uid of a rootless engine; NULL: root */
	uid_t owner_uid; /* 0: root; a pinned process is in a user namespace of this user's */
	char *bundle;	 /* OCI bundle directory, or NULL */
	char *data;	 /* containerd's ROOT that has its files, or NULL */
	char *state_file; /* the file (or /proc, or socket) that said so: for --explain */
	bool of_host;	  /* what said so lies below target_roots.host_fd */
	enum target_state state;
	int exit_code;	  /* valid when TARGET_EXITED or TARGET_RESTARTING; -1: not known */
	bool oom_killed;  /* its engine says that the kernel did, for want of memory */
	char *error;	  /* what its engine said when it could not start it; raw; NULL: nothing */
	bool sandbox;	  /* a pod's own (pause/infra) container */
	int64_t created;  /* Unix seconds, 0: unknown */
	int64_t started;  /* Unix seconds, 0: unknown */
	int64_t finished; /* Unix seconds, 0: unknown or still running */
	pid_t pid;	  /* init process in our pid namespace, 0: none */
	uint64_t start; /* its start time in clock ticks (/proc/PID/stat field 22), 0: not known */
	uint64_t user_ns; /* inode of its user namespace, 0: unknown (not filled by the resolver) */

	/* Filled by target_pin() */
	int pidfd;   /* -EBADF: not pinned, or kernel without pidfd */
	int proc_fd; /* /proc/PID, O_DIRECTORY: every later look goes through it. Where the first
			thread has ended, /proc/PID/task/TID of one that runs */
};

#define TARGET_INIT	 ((struct target){.pidfd = -EBADF, .proc_fd = -EBADF})
#define _cleanup_target_ _cleanup_(target_done)

void target_done(struct target *t);

/* A growable list that owns its targets. */
struct targets {
	struct target *v;
	size_t n, size;
};

#define _cleanup_targets_ _cleanup_(targets_done)

void targets_done(struct targets *l);
/* Append by moving *t into the list (t is emptied). 0 or -ENOMEM. */
int targets_push(struct targets *l, struct target *t);

/* Where the system is looked at: directory descriptors that tests point at captured trees. */
struct target_roots {
	int root_fd;	 /* "/" : state files are opened below it */
	int proc_fd;	 /* "/proc" */
	bool no_sockets; /* tests: never connect anywhere */
	/* In a container that sees the host's processes: the host's own "/", which is looked at
	 * after ours. 0: there is none, or it is out of reach; -EXDEV: root_fd is it. host_path:
	 * where it is mounted here; NULL: nowhere, it is the root directory of another process. */
	int host_fd;
	char *host_path;
	bool unshared; /* "/" is the host's, the mount namespace is not (`unshare -m`) */
};

/* Open the host's own. 0 or -errno with `e`. */
int target_roots_open(struct target_roots *r, struct err *e);
void target_roots_close(struct target_roots *r);
#define _cleanup_roots_ _cleanup_(target_roots_close)

/* The roots by which what an engine keeps at `path` (absolute, or NULL) is found: where that was
 * said by what lies below the host's "/" (of_host), or is there alone, root_fd is that one.
 * Borrowed from `r`. */
struct target_roots target_roots_at(const struct target_roots *r, bool of_host, const char *path);

/* 0 when what is below `at` can be mounted; -EXDEV, with `e` saying what to do, when it is of
 * another mount namespace: the host's, of which our container shows nothing. */
int target_roots_mountable(const struct target_roots *at, struct err *e);

/* Resolve what a person typed: NAME, ID or its unique prefix, POD/CONTAINER, NS/POD/CONTAINER, PID,
 * pid:PID, ENGINE:NAME or ENGINE://NAME. Fills *out, unpinned, also when it is not running
 * (out->state tells). Errors: -ENOENT (nothing so named; the hint has the nearest names), -ENOTUNIQ
 * (the message lists the candidates as ENGINE://NAME), -EINVAL (cannot be a name), -ESRCH (no such
 * process). */
int target_resolve(const struct target_roots *r, const char *spec, struct target *out,
		   struct err *e);

/* Hold the target: open its pidfd and /proc/PID, then check that it still is the process the state
 * file meant (start time; else the id in its cgroup or its monitor), that some thread of it runs,
 * no kernel thread and a thread-group leader. -ESRCH when it is gone or another process has its pid
 * now. A target that is not running is refused here with its state and exit code in the message. */
int target_pin(const struct target_roots *r, struct target *t, struct err *e);

/* All three, for who is about what runs: the host's roots, what `spec` names, held. What was opened
 * is the caller's to release, also after an error. 0 or -errno with `e`. */
int target_open(struct target_roots *roots, const char *spec, struct target *t, struct err *e);

/* Where a pinned target's first process only reaps (bubblewrap's, flatpak's), the /proc directory
 * of its child, which has the command, environment and working directory of the program: the
 * caller's. -EBADF: the first process is the program itself. */
int target_app_open(const struct target *t);

/* Every container of every engine, sorted by engine and name. `all` adds those not running. Engines
 * whose files are corrupt are skipped; what was wrong is added to `warnings` (may be NULL). */
int target_list(const struct target_roots *r, bool all, struct targets *out, struct strv *warnings,
		struct err *e);

/* A directory in which an engine keeps containers and images: docker's data-root, the graph root of
 * containers/storage (podman, CRI-O, buildah), containerd's root. */
struct target_place {
	const char *engine; /* static: docker, podman, containerd */
	int fd;		    /* owned: the host's own path may be hidden from us */
	char *path;	    /* absolute, as the engine sees it; for people */
	bool of_host;	    /* it is below target_roots.host_fd */
	uid_t owner;
};

struct target_places {
	struct target_place *v;
	size_t n;
};

#define _cleanup_places_ _cleanup_(target_places_done)
void target_places_done(struct target_places *p);

enum target_where {
	TARGET_USUAL, /* the usual paths and the configured ones, also of users without root */
	TARGET_ANY,   /* and where running daemons and monitors lead to: takes a look at every
			 process of the host */
};

/* Where engines keep their things. 0 or -errno with `e`. */
int target_places(const struct target_roots *r, enum target_where where, struct target_places *out,
		  struct err *e);

/* "running", "paused", "exited", ...: static. */
const char *target_state_name(enum target_state s);

/* The shortest text that target_resolve() takes for l->v[i] and for no other of the list: its name,
 * ENGINE://NAME, ENGINE://ID or pid:PID. A new string, NULL when memory is out. */
char *target_label(const struct targets *l, size_t i);

/*
 * The plan of a session: plain data that is shown (--explain) or carried out, never changed by
 * either.
 *
 * Layer: session (uses base, sys, target, kit).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "kit/kit.h"
#include "session/beside.h"
#include "session/confined.h"
#include "session/cow.h"
#include "session/freeze.h"
#include "session/hold.h"
#include "store/store.h"
#include "sys/lsm.h"
#include "target/target.h"

struct lodging;

#define KIT_BASHRC KIT_PREFIX "/s/porthole/bashrc" /* of interactive sessions; may be missing */

/* Where temporary files go when the target has no /tmp that can be written: a directory of the
 * session's private /dev. */
#define PLAN_SCRATCH_NAME "p.tmp"
#define PLAN_SCRATCH	  "/dev/" PLAN_SCRATCH_NAME

enum view {
	VIEW_NONE, /* mounts as they are: the host's own, or the target's without a kit */
	VIEW_LIVE, /* the target's files are /, the kit is at /dev/p */
	VIEW_KIT,  /* the kit's files are /, the target is at /target */
};

enum cgroup_mode {
	CGROUP_HOST,   /* stay where the caller is (default) */
	CGROUP_OWN,    /* a cgroup of the session's own, with limits, gone afterwards */
	CGROUP_TARGET, /* charged to the target */
};

/* What the target's root offers; found out from outside before entering. */
struct shape {
	bool dev_dir;	  /* /dev is a real directory, so a tmpfs can lie over it */
	bool proc_good;	  /* /proc is a procfs of the pid namespace the session is in */
	bool proc_theirs; /* /proc is the target's, and the session is in another one */
	bool proc_dir;	  /* /proc is a real directory */
	bool chrooted;	  /* its root is not its mount namespace's root */
	bool root_ro;	  /* for the greeting */
};

struct who {
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	size_t ngroups;
	char *name; /* "root", "app", or the number */
	char *home;
	char *shell; /* of the passwd file that was read; NULL: none there */
};

struct limits {
	uint64_t memory; /* bytes, 0: none */
	uint64_t pids;
	double cpus;
};

/* What a person asked for; strings are borrowed from argv. */
struct request {
	const char *user, *cwd, *kit, *view, *cgroup, *caps;
	struct strv env, env_files, ns;
	bool interactive, tty;	       /* -i, -t */
	bool tty_in, tty_out, tty_err; /* which of our own 0, 1, 2 are terminals */
	bool force, freeze, outlive;
	bool quick; /* the plan is carried out at once, not shown: ns_same need not be told apart */
	struct limits limits;
	uint64_t ttl;			     /* seconds; 0: none */
	const struct beside_request *beside; /* of plan_make_beside() */
	int argc;
	char **argv; /* empty: a shell */
};

struct plan {
	const struct target *target; /* pinned, but for a store's; outlives the plan */
	const struct store *store;   /* the files of what does not run; NULL: the target runs */
	char *label;		     /* the target's name made printable */
	char *where;		     /* what the command runs in, the same way: most often it */
	unsigned ns_join;	     /* CLONE_NEW*: joined; those that are the same are left out */
	unsigned ns_same;	     /* wanted, and the same as ours already */
	unsigned ns_new;	     /* made for the session */
	bool outlive;		     /* the session does not end with the target */
	bool rootless;	/* we have no rights but those that joining the target's user namespace
			   gives: it is joined first */
	bool rehearsal; /* the command is the container's own: the first process of a pid namespace,
			   and what is read-only there is so here */
	struct confined confined; /* of a rehearsal: held as the container */
	bool user_xattr; /* overlays can be marked as users may only: this is not the host's root */
	int mnt_owner;	 /* the user namespace that owns the target's mount namespace, where that is
			     another than the target's own; else -EBADF */
	int changes_ns; /* the user namespace with whose rights alone can be read what is written in
			   a view that forgets; -EBADF: ours will do */
	enum view view;
	struct kit kit;
	struct shape shape;
	struct cow cow;	      /* what is written is forgotten */
	struct beside beside; /* a container of its own, which shares some of its namespaces */
	bool ids_inside; /* a store's: the owners in its root are those that the container sees */
	const struct lodging *lodging; /* an engine makes its container (lodge.h); NULL: we do */
	int place; /* the mount namespace of somebody else that the view is built in, and which has
		      it as its root from then on; -EBADF: one of its own */
	int root_fd; /* the target's root, O_PATH; -EBADF when its mounts are not joined */
	struct who who;
	bool groups_denied; /* the target's user namespace denies setgroups(2) */
	bool scratch;	    /* TMPDIR is PLAN_SCRATCH, for want of a /tmp */
	bool caps_all; /* nothing asked: all that we have; `caps` is not filled (plan_caps_of) */
	uint64_t caps; /* of the command */
	bool caps_ambient; /* asked for together with a user other than root: keep through exec */
	struct lsm lsm;	   /* what the command is confined by; no name: as we are */
	bool no_new_privs;
	bool traceable;	    /* root of the target can trace what runs in it (session_seal()) */
	uint64_t caps_lost; /* asked for, and not in our bounding set */
	enum cgroup_mode cgroup;
	struct limits limits;
	struct freeze freeze;
	struct hold hold; /* the target may have ended by the time this is carried out */
	struct strv argv, env;
	struct strv env_dropped; /* names of the target's variables that are not passed on */
	char *path;		 /* PATH of the session, also used to find argv[0] */
	char *cwd;
	bool cwd_asked;
	bool shell;	 /* no command was given: a shell with a greeting */
	bool tty;	 /* a pseudo-terminal of its own */
	uint64_t ttl;	 /* seconds after which it is asked to end; 0: never */
	bool guests;	 /* virtual machines that it has started go on when it ends (leave.h) */
	bool stdin_open; /* our standard input goes to the command */
	bool quiet;	 /* what is less than was asked for is not told; the caller's to set */
	char cookie[17]; /* random; in the command's environment, to find what it left */
};

#define PLAN_INIT                                                                                  \
	((struct plan){.root_fd = -EBADF,                                                          \
		       .place = -EBADF,                                                            \
		       .mnt_owner = -EBADF,                                                        \
		       .changes_ns = -EBADF,                                                       \
		       .kit = KIT_INIT,                                                            \
		       .beside = BESIDE_INIT,                                                      \
		       .freeze = FREEZE_INIT,                                                      \
		       .hold = HOLD_INIT})
#define _cleanup_plan_ _cleanup_(plan_done)
void plan_done(struct plan *p);

/* Make the plan: reads the target, opens the kit, changes nothing. `p` is zeroed first and must be
 * released by the caller also after an error. Errors are whole sentences in `e`. */
int plan_make(struct plan *p, const struct target *t, const struct request *req, struct err *e);

/* The same for what does not run: `store` holds its files, and `t`, which is not pinned, tells who
 * it is. Both outlive the plan. Mounts the store's layers, detached. */
int plan_make_store(struct plan *p, const struct target *t, const struct store *store,
		    const struct request *req, struct err *e);

/* A container of its own beside `t`, which is pinned: its root is the kit's, or, where `store` is
 * not NULL, that of its files. req->beside is what is asked of it. */
int plan_make_beside(struct plan *p, const struct target *t, const struct store *store,
		     const struct request *req, struct err *e);

/* A container that is beside nobody, and shares with the host what req->beside->host says
 * (session/host.h). `t`, which is not pinned, tells its name. The host is where we are: whatever
 * namespaces the caller has, never those of a process 1. */
int plan_make_host(struct plan *p, const struct target *t, const struct store *store,
		   const struct request *req, struct err *e);

/* 16 random hexadecimal digits and a NUL. 0 or -errno. */
int plan_cookie(char out[17]);

/* It has ended since it was held: -ESRCH with `e`. */
int plan_exited(const struct plan *p, struct err *e);

/* `r` of looking at the target, with its `e`. A process that is ending may not be looked at any
 * more, a moment before its pidfd says so, or is not there: that is plan_exited(). */
int plan_denied(const struct plan *p, int r, struct err *e);

/* The plan in words, for --explain: one "what: how" line a fact, printable. 0 or -ENOMEM. */
int plan_explain(const struct plan *p, struct buf *out);
/* The same as JSON. The caller owns the reference; NULL when memory is out. */
json_t *plan_json(const struct plan *p);

/* The capabilities a root command of this plan has. */
uint64_t plan_caps_of(const struct plan *p);

/* --- parts of plan_make, in files of their own --- */

/* Whose rights do it: fills rootless and mnt_owner, and adds CLONE_NEWUSER to ns_join where nothing
 * can be joined without. `self`: /proc/self. */
int plan_rights(struct plan *p, int self, struct err *e);

/* The target's environment from /proc/PID/environ, without what would make the kit's programs load
 * or run the target's files (LD_*, BASH_ENV, ...), with PATH led by the kit, `-e` and `--env-file`
 * on top. Fills env, env_dropped and path. Bounded: 4 MiB of environment, 1 MiB an env file. */
int plan_env(struct plan *p, const struct request *req, struct err *e);

/* Set or replace; `var` is "NAME=value" and is copied. 0 or -ENOMEM. */
int env_set(struct strv *env, const char *var);

/* `spec`: NULL (root), "target", USER, UID, USER:GROUP, UID:GID as docker takes them, looked up in
 * the target's own /etc/passwd and /etc/group, which are hostile: regular files of at most 1 MiB
 * only. An unknown name is -ENOENT. */
int plan_user(struct plan *p, const char *spec, struct err *e);

/* More groups for the command, by name or number, looked up in the same way. Names that are not
 * there are added to `unknown`, printable. 0 or -ENOMEM. */
int plan_groups_add(struct plan *p, const struct strv *groups, struct strv *unknown);

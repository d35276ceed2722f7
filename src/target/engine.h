/*
 * What engines share while they look: the roots, one reused buffer, the /proc pass, the wish.
 *
 * Layer: target, private to it. An engine is one file with one `find` function and one row in
 * engines.c; CONTRIBUTING.md tells how to add one.
 */
#pragma once

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/jpick.h"
#include "base/str.h"
#include "sys/power.h"
#include "target/target.h"

#define STATE_FILE_MAX	((size_t)8 << 20)  /* one container's state file */
#define STATE_LIST_MAX	((size_t)32 << 20) /* one file about all of them */
#define DIR_ENTRIES_MAX 100000 /* of one directory; the rest is left out with a warning */
#define PID_FILE_MAX	32
#define SANDBOX_NAME	"POD" /* of a pod's own container, where its engine has none for it */

/* A user who may have engines of his own. */
struct user {
	uid_t uid;
	char *name; /* or the uid in decimal */
	char *home; /* NULL: unknown */
	char *run;  /* run/user/UID below the root */
};

struct users {
	struct user *v;
	size_t n;
	bool read;
};

struct scan;

/* One look at the system: made for a call of target_resolve() or target_list(), then thrown away.
 */
struct look {
	const struct target_roots *roots;
	int root_fd;	   /* where files are looked for now: roots->root_fd, or the host's */
	struct scan *scan; /* NULL: processes were not listed (yet) */
	struct users users;
	struct strv warnings;
	bool denied; /* something that is there may not be read */
	bool mute;   /* a daemon did not answer in time: none is asked again */
	int freezer; /* version 1's is mounted: 1, or -1 when it is not; 0: not known yet */
	char *text;  /* what look_read() read last */
	size_t text_size;
};

/* Made by LOOK_INIT, nothing is opened before it is needed. */
#define LOOK_INIT(r)   ((struct look){.roots = (r), .root_fd = (r)->root_fd})
#define _cleanup_look_ _cleanup_(look_done)
void look_done(struct look *l);

/* Go on below the first root (own) or the next; false when there is none, and the last one stays.
 */
bool look_next_root(struct look *l, int *i);

/* Note something odd, once per text; never fails. At most 64 are kept. */
void look_warn(struct look *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Open a directory below `root` as its root. A descriptor, or -errno; -EACCES sets `denied`. Links
 * are followed, but never out of `root`. */
int look_dir(struct look *l, int root, const char *path);

/* What keeps this look from seeing everything: POWER_FULL when nothing does. Meant for after the
 * look, which finds out what is closed. */
enum power look_power(struct look *l);

/* Read a regular file below `dir` into the look's buffer; the slice holds until the next read.
 * Nothing that could be waited for is opened, links are followed within `dir` only. 0 or -errno;
 * what is neither absent nor readable becomes a warning that names `dir_name`/path. */
int look_read(struct look *l, int dir, const char *dir_name, const char *path, size_t max,
	      struct slice *out);

/* The text of the last look_read(), which the caller now owns: slices of it outlive further reads.
 */
char *look_keep(struct look *l);

/* A small file with one decimal pid. The pid, 0 when it is not there or is no pid. */
pid_t look_pid_file(int dir, const char *path);

/* Directory below `dir` for reading, NULL when it is not there. entry: the next name that does not
 * start with a dot, NULL at the end; *left (start at DIR_ENTRIES_MAX) bounds the walk. */
DIR *look_opendir(struct look *l, int dir, const char *path);
const char *look_entry(struct look *l, DIR *d, unsigned *left);

/* Users with a directory in /run/user, read once. */
const struct users *look_users(struct look *l);

/* What a user is called: a new string, the uid in decimal for strangers; NULL for root. */
char *look_owner(struct look *l, uid_t uid);

/* What is looked for. */
enum want_how {
	WANT_ALL,
	WANT_EXACT,  /* text is the whole id, or the name */
	WANT_PREFIX, /* text starts the id, or names the pod */
};

struct want {
	enum want_how how;
	const char *text;   /* NULL with WANT_ALL */
	const char *pod;    /* POD/..., or NULL */
	const char *pod_ns; /* NS/POD/..., or NULL */
	bool ids;	    /* WANT_PREFIX of an id alone, not of pods */
	bool live;	    /* running ones */
	bool stopped;	    /* those that are not */
};

/* Whether a text (a state file) can be about what is wanted: a cheap test before parsing. */
bool want_maybe(const struct want *w, struct slice text);
/* Whether an id can be it, for engines that look by id before they read. */
bool want_id(const struct want *w, const char *id);
/* 64 lower-case hex digits. */
bool id_is_full(const char *id);

/* Fill in *t if wanted and push it; *t is emptied in any case. 0 or -ENOMEM. */
int want_take(const struct want *w, struct targets *out, struct target *t, const char *alias);

struct engine {
	const char *name;	   /* as typed before "://" */
	const char *const *others; /* more such words that this find() answers for, or NULL */
	/* Push what is wanted. Only -ENOMEM is returned: everything else is a warning. */
	int (*find)(struct look *l, const struct want *w, struct targets *out);
	/* What only the processes lead to, after scan_look(); or NULL. */
	int (*more)(struct look *l, const struct want *w, struct targets *out);
	/* Add where it keeps images, and after scan_look() also where processes lead; or NULL. Only
	 * -ENOMEM is returned. */
	int (*places)(struct look *l, struct target_places *out);
	/* What the engine's daemon says, when neither does; or NULL. */
	int (*ask)(struct look *l, const struct want *w, struct targets *out);
};

/* Ask all engines that answer for `word` (NULL: all), in their files and, once look.scan is set, by
 * the processes. 0 or -ENOMEM. */
int engines_find(struct look *l, const struct want *w, const char *word, struct targets *out);

/* What those engines say that are asked because their files may not be read. 0 or -errno. */
int engines_ask(struct look *l, const struct want *w, struct targets *out);

/* Whether an engine answers for this word. */
bool engine_is(const struct engine *en, const char *word);
/* The row of the engine that answers for this word. */
size_t engine_rank(const char *word);

/* In the order in which one wins over another that shows the same process. NULL-terminated. */
extern const struct engine *const engines[];

extern const struct engine engine_docker, engine_podman, engine_containerd, engine_runc,
	engine_crun, engine_porthole, engine_lxc, engine_nspawn, engine_flatpak, engine_bwrap,
	engine_none;

/* Append a place, once each; `fd` is taken, also on error (negative: nothing happens). 0 or
 * -ENOMEM.
 */
int place_add(struct target_places *out, const char *engine, int fd, const char *path, uid_t owner);

/* Whether the process that a state file names is there and is it: by its start time, else by its
 * monitor, else by its id or `mark` (may be NULL) as a component of its cgroup. Fills t->start and
 * t->started, and makes t->state TARGET_PAUSED where a freezer holds it; what does not hold turns
 * t->state into TARGET_DEAD and says why in `why` (may be NULL). */
bool target_verify(struct look *l, struct target *t, const char *mark, struct err *why);

/* Whether the process at `proc_fd` (its /proc/PID) is in a user namespace of this user's: 1, 0, or
 * -errno when it cannot be told. */
int target_is_of(int proc_fd, uid_t owner);

/* Take a process found in /proc itself as the target's: pid, start, started, state. False when it
 * is gone or a zombie. */
bool target_take_pid(struct look *l, struct target *t, pid_t pid);

/* The id, name or both of the container process `pid` is in, from its cgroup: fills engine and id
 * (or name). False when the cgroup says nothing. */
bool cgroup_match(const char *text, struct target *out);

/*
 * The entry point of a container: what would run, as whom and where.
 *
 * Layer: entry (uses base, elf, sys, target, facts and store). Plain data, put together from what
 * the engine's files say (struct store), from the image it was made of, or from the process that
 * runs. Every string in it is hostile.
 */
#pragma once

#include "base/str.h"
#include "facts/facts.h"
#include "store/store.h"
#include "sys/cred.h"

/* Who said so. */
enum entry_origin {
	ENTRY_UNKNOWN = 0,
	ENTRY_IMAGE,	 /* inherited from the image */
	ENTRY_CONTAINER, /* given when the container was made */
	ENTRY_PROCESS,	 /* so it is with the process that runs */
};

/* What should be mounted in it, and has lost its source. */
struct entry_gone {
	char *dest, *source;
	bool remade; /* an empty directory takes its place when it is started */
};

struct entry {
	struct strv entrypoint, cmd; /* cmd alone where they cannot be told apart */
	enum entry_origin entrypoint_from, cmd_from, user_from, cwd_from;
	struct strv argv; /* the two in one: what is executed */
	bool shell_form;  /* a shell is started with one string */
	struct strv env;  /* NAME=value */
	char *user;	  /* as given; NULL: root */
	char *cwd;	  /* NULL: / */
	char *os, *arch;  /* as OCI spells them, NULL: not told */
	bool caps_known, no_new_privs, root_ro;
	uint64_t caps;
	uint64_t memory, pids; /* limits, 0: none */
	double cpus;
	struct strv mounts; /* where volumes and such are mounted inside */
	struct strv
		unseen; /* those of them that are not in the root looked at, though they exist */
	struct entry_gone *gone;
	size_t n_gone;
	const char *engine, *refused; /* whose last start failed, and what it said; borrowed from
					 the target, NULL: it did not */
	struct idmap uids, gids;      /* of its user namespace; no ranges: ids are the host's */
	bool ids_inside;	      /* owners of its files are shown as ids inside already */
	bool live;	/* it runs: its root has the mounts it was given, with their options */
	bool makes_cwd; /* its engine makes a working directory that is missing */
	bool made;	/* there is a container, not only an image */
	bool oom;	/* its last run, or a process of it, ended at a memory limit */
};

void entry_done(struct entry *en);
#define _cleanup_entry_ _cleanup_(entry_done)

/* From what a store says; `image` (may be NULL) is the image a container was made of, and tells
 * what was inherited. `engine` (may be NULL: an image) is the target's. 0 or -ENOMEM. */
int entry_of_store(const struct store *s, const struct store *image, const char *engine,
		   struct entry *en);

/* From the facts of a target that runs; `s` and `image` (both may be NULL) as above. What the
 * engine was told counts; where that is not known, what runs. 0 or -ENOMEM. */
int entry_of_target(const struct target *t, const struct facts *f, const struct store *s,
		    const struct store *image, struct entry *en);

/* The text of uid_map lines as ranges; what is no such line is left out. */
void entry_idmap_parse(const char *text, struct idmap *m);

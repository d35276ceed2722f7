/*
 * What is put in: entries of a tree, each with where it goes and what it looked like.
 *
 * Layer: inject (plain data).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

enum { ITEM_SHA = 32 };

struct item {
	char kind;     /* d: directory, f: file, l: symbolic link, p: FIFO */
	bool graft;    /* the directory it lies in is the target's own */
	bool replaces; /* a file of the target's is in its place, and is kept to be restored */
	char *path;    /* in the target, from its root, without a leading '/', no link on the way */
	char *link;    /* l: its text; else NULL */
	mode_t mode;   /* permission bits */
	uid_t uid;     /* as we see it, not as the target does */
	gid_t gid;
	struct timespec mtime;
	uint64_t size;	       /* f: bytes */
	uint8_t sha[ITEM_SHA]; /* f: SHA-256 of its bytes */

	/* while it is being put in: */
	char *from; /* path in the source; NULL for a link that is ours */
	char *same; /* path of the item it is a hard link to; NULL: none */
	size_t seq; /* when it was added: the first of several stays */
};

/* A directory of the target's in which something changes, and what its time was before. */
struct parent {
	char *path; /* "" is the root */
	struct timespec mtime;
};

struct items {
	struct item *v;
	size_t n, size;
	struct parent *parents;
	size_t n_parents;
};

#define _cleanup_items_ _cleanup_(items_done)
void items_done(struct items *l);

void item_done(struct item *i);

/* Append by moving *i into the list (it is emptied, also on failure). The item in the list, valid
 * until the next one; NULL when memory is out. */
struct item *items_push(struct items *l, struct item *i);

/* Sort by path, a directory before what is in it; of several with one path the first stays. Sets
 * `graft` of each. */
void items_sort(struct items *l);

/* The item at this path, NULL: none. Sorted lists only. */
struct item *items_find(const struct items *l, const char *path);

/* Remember a directory and its time, once. 0 or -ENOMEM. */
int items_add_parent(struct items *l, const char *path, struct timespec mtime);

/* Forget all of those. */
void items_drop_parents(struct items *l);

/* The path's directory ("" is the root): length of it in `path`. */
size_t item_dir_len(const char *path);
/* The last name of a path. */
const char *item_name(const char *path);

/*
 * Trees that change while they are walked: by descriptor, from each directory to its entries, never
 * by a path that is resolved again, so that nothing leads out of where the walk began.
 *
 * Layer: files. Any Linux. No recursion; a descriptor is held for each level.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/* Deeper directories are not entered: -ENAMETOOLONG, through failed(). */
enum { WALK_DEPTH_MAX = 1000 };

/* What entry() may return besides 0 and -errno: the directory is not entered (leave() is not called
 * for it). */
enum { WALK_SKIP = 1 };

struct walk_entry {
	int dir;	  /* the directory it is in; of the top itself: what walk() was given */
	const char *name; /* raw; "" for the top itself */
	const char *path; /* from the top, raw; "" for the top itself */
	struct stat st;	  /* of the entry itself, links are not followed */
	int fd;		  /* of a directory: open for reading, as is `st`; else -EBADF */
	int depth;	  /* 0: the top */
	int up, mine;	  /* the visitor's own: `mine` as set for a directory is `up` of what is in
			   * it; -1 at first */
};

struct walk_ops {
	/* For each entry, a directory before what is in it. 0, WALK_SKIP, or -errno, which ends the
	 * walk. */
	int (*entry)(struct walk_entry *e, void *data);
	/* After what is in a directory; also, for each that was entered, after an error. May be
	 * NULL. */
	int (*leave)(struct walk_entry *e, void *data);
	/* An entry cannot be looked at, or a directory not be entered or read. What has vanished is
	 * not told. 0 goes on. May be NULL. */
	int (*failed)(const char *path, int r, void *data);
};

struct walk_how {
	bool sorted;   /* by name, bytewise; else as they come */
	bool xdev;     /* what is mounted on a directory is not entered */
	bool files;    /* nor, unless the top is of that kind, where the kernel shows itself (/proc,
			  /sys) */
	int max_depth; /* deeper entries are not looked at; 0: WALK_DEPTH_MAX, -1: only the top is
			*/
};

/* Walk what `top` is (any descriptor, O_PATH too; borrowed) and all below it. 0, or the first
 * -errno of a visitor, or -errno of the top itself. */
int walk(int top, const struct walk_how *how, const struct walk_ops *ops, void *data);

/* Is what `fd` is on no file system that keeps files, but one in which the kernel shows itself:
 * proc, sysfs, cgroups, devpts, ...? Not, where that cannot be found out. */
bool walk_is_kernels(int fd);

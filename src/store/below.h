/*
 * Making files below a directory when their names are not to be trusted.
 *
 * Layer: store, private to it. Linux 5.6 for openat2(2). Nobody else may change the directory
 * meanwhile. Links on the way to a name are followed as if the directory were `/`; the last
 * component never is.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <time.h>

#include "base/str.h"

struct below_time {
	char *path;
	struct timespec mtime;
};

struct below {
	int root; /* borrowed */
	/* What the directory will lie on, nearest first (borrowed): directories that an archive
	 * does not mention look as they do there. */
	const int *lower;
	size_t n_lower;
	int parent;	 /* of what was placed last */
	char *asked;	 /* its path as given, */
	struct buf real; /* and without links */
	struct below_time *times;
	size_t n_times, bytes_times;
};

#define BELOW_INIT(fd)	((struct below){.root = (fd), .parent = -EBADF})
#define _cleanup_below_ _cleanup_(below_done)
void below_done(struct below *t);

/* A name in a directory, neither of which has a link in it. Valid until the next below_place(). */
struct place {
	int dir;	  /* borrowed */
	const char *name; /* borrowed from the path; "." for the root itself */
	bool there;
	struct stat st; /* when there */
};

/* "./usr//bin/../lib/" becomes "usr/lib", "/" becomes "": a new string in *out. 0; -EXDEV when it
 * leads above its root, -ENAMETOOLONG, -ENOMEM. */
int below_clean(const char *name, char **out);

/* Where `path` (clean) is to be; missing directories on the way are made. 0, -ELOOP or -errno. */
int below_place(struct below *t, const char *path, struct place *out);

/* The same for what should be there already: nothing is made. O_PATH descriptor of the last
 * component (a link itself, if it is one), or -errno. */
int below_find(const struct below *t, const char *path);

/* Remove what is there, with all that is below it. 0 or -errno. */
int below_clear(struct below *t, struct place *p);

/* Say that nothing of the layers below shows in the directory `name` of `dir`. 0 or -errno. */
int below_opaque(int dir, const char *name);
bool below_is_opaque(int dir_fd);
/* Whether this hides a name of the layers below: overlayfs's device 0:0. */
bool below_is_whiteout(const struct stat *st);

/* Give a directory this time, once nothing more will be made in it. */
int below_time_later(struct below *t, const char *path, const struct timespec *mtime);
void below_times_now(struct below *t);

/* Remove `path` (clean, without links) below `root`, with all that is below it. 0 or -errno. */
int below_remove(int root, const char *path);

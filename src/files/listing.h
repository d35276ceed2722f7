/*
 * What is in a directory, as `ls` shows it.
 *
 * Layer: files.
 */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

#include "files/place.h"

struct listed {
	char *name; /* raw */
	char *link; /* a symbolic link's text, raw; else NULL */
	struct stat st;
	bool mounted; /* something is mounted on it (Linux 5.8) */
};

struct listing {
	struct listed *v; /* by name, bytewise */
	size_t n, size;
	size_t failed; /* entries that could not be looked at */
};

void listing_done(struct listing *l);
#define _cleanup_listing_ _cleanup_(listing_done)

/* All entries of the directory `fd` (open for reading; borrowed), but "." and "..". `hidden`: those
 * that begin with a dot too. 0 or -errno. */
int listing_read(int fd, bool hidden, struct listing *out);

/* One entry: `name` in `dir`, "" for `dir` itself. 0 or -errno. */
int listing_add(struct listing *l, int dir, const char *name);

/* Whose names: a target's own /etc/passwd and /etc/group, read once; the ids of `st` otherwise. */
struct owners {
	char *passwd, *group; /* NULL: there is none */
	const struct place *p;
	/* the last ones looked up */
	uint32_t uid, gid;
	char *user, *team;
};

void owners_done(struct owners *o);
#define _cleanup_owners_ _cleanup_(owners_done)

/* Read the two; one that cannot be read is none. `p` is borrowed for as long as `out` is used. */
void owners_read(const struct place *p, struct owners *out);

/* The name, or the number, of a file's owner and group as the target sees them; borrowed until the
 * next call; NULL: memory is out. Raw bytes. */
const char *owners_user(struct owners *o, uid_t uid);
const char *owners_group(struct owners *o, gid_t gid);

/* The id inside of a user or group given by name or number. 0 or -ENOENT. */
int owners_find_user(const struct owners *o, const char *name, uint32_t *id);
int owners_find_group(const struct owners *o, const char *name, uint32_t *id);

/* "drwxr-xr-x", 10 letters and NUL. Returns `out`. */
char *mode_text(mode_t mode, char out[11]);

/* "file", "directory", "link", "FIFO" ...; find's letter of it. */
const char *kind_name(mode_t mode);
char kind_letter(mode_t mode);

/*
 * Mount tables: /proc/PID/mountinfo, read and parsed.
 *
 * Layer: sys. proc_pid_mountinfo(5). Names in it are chosen by whoever mounted: raw bytes, print
 * them through str_printable().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

/* One mount. The strings are inside the text that was parsed. */
struct mount_row {
	int id, parent;
	unsigned major, minor;
	char *root;   /* which part of the file system is shown here */
	char *target; /* mount point, as seen by the process */
	char *opts;   /* of this mount: "ro,nosuid,..." */
	char *fstype; /* "ext4", "fuse.sshfs" */
	char *source; /* "none", "/dev/sda1", "overlay" */
	char *super;  /* options of the file system: "rw,lowerdir=..." */
	int shared;   /* peer group it propagates in, 0: none */
	int master;   /* peer group it receives from, 0: none */
	bool unbindable;
};

struct mountinfo {
	char *text; /* owns every string of the rows */
	struct mount_row *v;
	size_t n;
	bool cut; /* there were more rows than MOUNTINFO_ROWS */
};

#define MOUNTINFO_ROWS	    20000
#define MOUNTINFO_MAX	    ((size_t)16 << 20) /* bytes */
#define _cleanup_mountinfo_ _cleanup_(mountinfo_done)

void mountinfo_done(struct mountinfo *m);

/* Parse text (taken over, changed in place: octal escapes become bytes). Lines that are not as they
 * should be are left out. 0 or -ENOMEM. */
int mountinfo_parse(char *text, struct mountinfo *m);

/* Read and parse "mountinfo" below `proc_fd` (/proc/PID). 0 or -errno; -EFBIG beyond
 * MOUNTINFO_MAX. */
int mountinfo_read(int proc_fd, struct mountinfo *m);

/* The row that is `/` (the last one mounted there), or NULL. */
const struct mount_row *mountinfo_root(const struct mountinfo *m);

/* Is `word` one of the comma-separated `opts`? */
bool mountinfo_has(const char *opts, const char *word);

/* The value of "key=value" in `opts`, up to a comma that is not escaped; NULL when it is not there.
 * *len is its length. */
const char *mountinfo_value(const char *opts, const char *key, size_t *len);

/* What the row of another table shows, as a path by one of our mounts: the one that shows the most
 * of it, at the shortest path. A new string, the caller's; NULL: none of ours shows it (or there is
 * no memory). */
char *mountinfo_host_path(const struct mountinfo *ours, const struct mount_row *row);

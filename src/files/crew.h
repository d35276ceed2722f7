/*
 * Several threads that work on the files of directories while one walks these.
 *
 * Layer: files, private to transfer.c. Threads are started when there is work for a second one;
 * with the walker they are CREW_MAX.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

enum { CREW_MAX = 4 };

/* A directory that was entered, until the last of its files is done. */
struct crew_dir {
	int from, to;	/* owned */
	bool made;	/* by this run: nobody else writes into it */
	char *path;	/* from the top, owned */
	struct stat st; /* of `from` */
	/* private */
	size_t users;
	struct crew_piece *filling;
};

struct crew_ops {
	/* A file of a directory; in any thread. 0, or -errno, which ends it all. */
	int (*file)(struct crew_dir *d, const char *name, void *data);
	/* The directory was left, and its last file is done (or given up); in any thread. 0 or
	 * -errno. */
	int (*done)(struct crew_dir *d, void *data);
	/* Every 100 ms while the walker waits. 0 or -errno. */
	int (*tick)(void *data);
};

struct crew {
	const struct crew_ops *ops;
	void *data;
	/* private */
	int r; /* the first error; atomic */
	pthread_t thread[CREW_MAX];
	size_t n_threads, n_queued, n_busy;
	bool closing, started;
	struct crew_piece *first, *last;
	pthread_mutex_t lock;
	pthread_cond_t work, idle;
};

#define CREW_INIT                                                                                  \
	((struct crew){.lock = PTHREAD_MUTEX_INITIALIZER,                                          \
		       .work = PTHREAD_COND_INITIALIZER,                                           \
		       .idle = PTHREAD_COND_INITIALIZER})

/* Begin with a directory; both descriptors are taken over, also on error. NULL: no memory. */
struct crew_dir *crew_enter(int from, int to, bool made, const char *path, const struct stat *st);

/* One of its files, of about `size` bytes; worked on now or later. 0, or the first -errno of all.
 */
int crew_add(struct crew *c, struct crew_dir *d, const char *name, uint64_t size);

/* No more files will come of this directory, which is not the caller's any more. */
void crew_leave(struct crew *c, struct crew_dir *d);

/* Wait until all is done, and end the threads. 0, or the first -errno of all. */
int crew_end(struct crew *c);

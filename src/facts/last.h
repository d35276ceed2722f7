/*
 * The last that was seen of a target, for when it has ended.
 *
 * Layer: facts. Taken every second or so while it runs; the counters of its memory cgroup are read
 * once more at the end, through descriptors opened before. The engine removes the cgroup meanwhile,
 * so the kernel's messages are asked too.
 */
#pragma once

#include "facts/facts.h"

struct last {
	struct facts f; /* namespaces, processes, limits; of the last good look */
	int64_t at;	/* when that was: CLOCK_BOOTTIME milliseconds, 0: never */
	int64_t cost;	/* what it took, milliseconds */
	int mem;	/* its memory cgroup, -EBADF: none of its own */
	char *mem_path; /* as the kernel's messages call it */
	int kmsg;	/* the kernel's messages since the start; -EBADF: may not be read */
	bool v2;
	uint64_t peak; /* highest memory use, bytes; 0: unknown */
	bool oom_known;
	uint64_t oom_before, oom; /* kills for lack of memory: at the start, and by now */
	uint64_t oom_told;	  /* the same, by the kernel's messages */
	bool oom_first_told;	  /* its first process was among them */
	char told[256]; /* what else the kernel said of that ("app[12]: segfault at 0 ..."); raw */
	bool core_limit_known;
	uint64_t core_limit; /* bytes, UINT64_MAX: none */
	char core_pattern[256];
};

#define LAST_INIT      ((struct last){.mem = -EBADF, .kmsg = -EBADF})
#define _cleanup_last_ _cleanup_(last_done)
void last_done(struct last *l);

/* Open what is read at the end, and look for the first time. `l` is LAST_INIT. 0, -ESRCH when it
 * has ended, or -ENOMEM. */
int last_open(struct last *l, const struct target_roots *r, const struct target *t);

/* Look again, and keep the former look when it has ended meanwhile. 0, -ESRCH or -ENOMEM. */
int last_look(struct last *l, const struct target_roots *r, const struct target *t);

/* Read the counters only: at once after the end. */
void last_count(struct last *l);

/* Read what the kernel said meanwhile, once it is known how the target ended. */
void last_told(struct last *l, const struct target *t);

/* What one message (raw) tells of process `pid`, its first, and of its memory cgroup. */
void last_message(struct last *l, pid_t pid, const char *text);

/* Milliseconds of CLOCK_BOOTTIME. */
int64_t last_now(void);

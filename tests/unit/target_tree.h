/*
 * A host made of files: state of engines and processes of /proc, for the target layer to look at.
 *
 * Layer: tests. Captured files are in tests/data/roots/.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "target/target.h"

struct tree {
	char dir[64];
	struct target_roots roots; /* DIR/root and DIR/root/proc */
};

#define HOST_PID_NS 1000
#define HOST_MNT_NS 1001

/* A process of the tree. */
struct tree_proc {
	pid_t pid, ppid;
	const char *comm;
	unsigned long start;
	char state;				  /* 0: 'S' */
	const char *cgroup;			  /* NULL: "0::/\n" */
	const char *args;			  /* '|' stands for the NUL between arguments */
	const char *nspid;			  /* NULL: pid itself */
	unsigned pid_ns, mnt_ns, user_ns, net_ns; /* 0: the host's */
	unsigned uid;
	bool kthread;
};

/* An empty host with init, kthreadd and one kernel thread. */
void tree_init(struct tree *t);
void tree_done(struct tree *t);

/* Make a file (and its directories) below the root. */
void tree_put(struct tree *t, const char *path, const char *text, size_t len);
void tree_puts(struct tree *t, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Copy tests/data/roots/CAPTURE there, with pairs of text to replace and what by; ends with NULL.
 */
void tree_copy(struct tree *t, const char *path, const char *capture, ...)
	__attribute__((sentinel));
void tree_link(struct tree *t, const char *path, const char *to);
void tree_mkdir(struct tree *t, const char *path);
void tree_add(struct tree *t, const struct tree_proc *p);

/* Everything at once: one container or more of every engine (see target_tree.c). */
void tree_fill(struct tree *t);

/* tests/data/roots/CAPTURE; the caller frees it. */
char *tree_capture(const char *capture, size_t *len);

/* Full ids of the captured containers. */
#define ID_WEB	  "60c5b7bb65521d5b26065b48082a09cae9a311b5fae3f0d13e96b04bed5dca78"
#define ID_CUSTOM "c05707c05707c05707c05707c05707c05707c05707c05707c05707c05707c057"
#define ID_NESTED "2e57ed2e57ed2e57ed2e57ed2e57ed2e57ed2e57ed2e57ed2e57ed2e57ed2e57"

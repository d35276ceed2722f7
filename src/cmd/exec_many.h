/*
 * porthole exec A,B,C and exec --all: one command in several targets at once.
 *
 * Layer: cmd, part of exec.
 */
#pragma once

#include <stdint.h>

#include "cli/cli.h"
#include "target/target.h"

/* The names in "A,B,C", each once. 0, or -EINVAL when one is empty. */
int exec_many_split(const char *typed, struct strv *names, struct err *e);

/* What to type for each target that runs and passes the filters, which are those of ps. 0, -ENOENT
 * when there is none, -EINVAL for a filter that is none, or -errno. */
int exec_many_find(const struct target_roots *roots, const struct strv *filters, struct strv *names,
		   struct err *e);

struct exec_many {
	const struct strv *names;
	uint64_t parallel; /* at the same time; 0: as many as is good for the host */
	/* One session, in a child process: its exit code, or -errno with `e`. */
	int (*one)(void *data, const char *name, struct err *e);
	void *data;
};

/* Run them all; print their output, each line with its target's name in front, and at the end which
 * of them failed; or, where ctx->json, an array with an object for each. Returns the highest exit
 * code, or -errno with `e`. */
int exec_many(const struct exec_many *x, struct ctx *ctx, struct err *e);

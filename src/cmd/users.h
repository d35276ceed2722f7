/*
 * The processes that use what is to be unmounted, for people.
 *
 * Layer: cmd.
 */
#pragma once

#include "base/json.h"
#include "base/str.h"
#include "watch/uses.h"

enum { USERS_SHOWN = 5 };

/* Each once. */
struct users {
	size_t n;
	struct {
		pid_t pid;
		char name[PROC_COMM_MAX * 4]; /* printable */
	} v[USERS_SHOWN];
};

/* Add those that use `what`; one that is last in `out` is not added again. 0 or -ENOMEM with `e`.
 */
int users_find(int proc_fd, const struct used *what, struct users *out, struct err *e);

/* "process 12 (bash), process 14 (sleep) and 3 more" */
void users_name(const struct users *u, struct buf *b);

/* [{"pid": 12, "name": "bash"}]; NULL when memory is out. */
json_t *users_json(const struct users *u);

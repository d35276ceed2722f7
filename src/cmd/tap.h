/*
 * What 'porthole tap' prints.
 *
 * Layer: cmd.
 */
#pragma once

#include "cli/cli.h"
#include "facts/facts.h"
#include "watch/fds.h"
#include "watch/tcpinfo.h"

/* The descriptors of a process, peers and sockets found: a row each; `deleted` only: those of files
 * without a name. 0 or -errno with `e`. */
int tap_list(struct ctx *ctx, const struct fact_proc *p, const struct fds *l, bool deleted,
	     json_t *all, struct err *e);

/* A TCP socket. */
int tap_tcp(struct ctx *ctx, const struct fact_proc *p, int fd, const struct tcpinfo *x,
	    struct err *e);

/*
 * Prints what --prove found.
 *
 * Layer: cmd.
 */
#pragma once

#include "cli/cli.h"
#include "session/prove.h"

/* To standard error, so that the command's output stays clean: one line when nothing changed, else
 * every line that did. JSON where ctx->json. Returns how many lines changed, or -errno. */
int prove_report(const struct prove *before, const struct prove *after, struct ctx *ctx,
		 struct err *e);

/*
 * Prints what --diff found.
 *
 * Layer: cmd.
 */
#pragma once

#include "cli/cli.h"
#include "session/changes.h"

/* To standard error, so that the command's output stays clean: docker diff's lines, sorted; one
 * JSON object where ctx->json. 0 or -errno. */
int changes_report(const struct changes *c, struct ctx *ctx, struct err *e);

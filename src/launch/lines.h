/*
 * The same container by other tools: their command lines, and a pod of Kubernetes'.
 *
 * Layer: launch. Nothing is run. What a tool cannot say is left out; 'porthole explain' reads the
 * lines back.
 */
#pragma once

#include "base/json.h"
#include "profile/grants.h"

/* What is started in it; borrowed. */
struct line_of {
	const struct grants *g;
	const struct strv *env; /* NAME=VALUE */
	const char *image;	/* nspawn: a directory */
	const char *name;
	int argc;
	char **argv;
};

/* The words of a line of docker's, podman's or systemd-nspawn's, appended to `out`. Capabilities
 * that we do not have are left out: docker would refuse. 0 or -ENOMEM. */
int line_words(const struct line_of *l, enum grant_tool tool, struct strv *out);

/* A Pod. The caller owns the reference; NULL when memory is out. */
json_t *line_pod(const struct line_of *l);

/* The words as a shell takes them back. */
void line_text(const struct strv *words, struct buf *out);

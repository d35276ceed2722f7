/*
 * The same container by other tools: their command lines, and a pod of Kubernetes'.
 *
 * Layer: launch. Nothing is run. What a tool cannot say is left out; 'porthole explain' reads the
 * lines back.
 */
#pragma once

#include "base/json.h"
#include "profile/grants.h"

/* A line that we run (launch/engine.h): its first process is this program, which is given its files
 * and its user from outside. */
struct line_run {
	const char *self; /* this program, on the host */
	const char *dir;  /* of the host, for it alone; at LINE_DIR inside */
	const char
		*root; /* nspawn: an empty root directory; runc, crun: a directory for the bundle */
	const char *host_name; /* where uts is not the host's */
	bool input;	       /* our standard input is passed on */
	bool drops;	       /* it becomes another user than root, and may have to */
	uint64_t caps_unknown; /* to the engine */
	uint64_t memory, pids;
	const char *cpus;
};

#define LINE_DIR  "/.porthole-engine"
#define LINE_SELF "/usr/local/bin/porthole"

/* What is started in it; borrowed. */
struct line_of {
	const struct grants *g;
	const struct strv *env; /* NAME=VALUE */
	const char *image;	/* nspawn: a directory */
	const char *name;
	int argc;
	char **argv;
	const struct line_run *run; /* NULL: a line that gives the same by itself */
};

/* The words of a line of docker's, podman's or systemd-nspawn's (assignments come before its name),
 * with l->run of runc's or crun's too, appended to `out`. Capabilities that we do not have are left
 * out: docker would refuse. 0 or -ENOMEM. */
int line_words(const struct line_of *l, enum grant_tool tool, struct strv *out);

/* runc's and crun's config.json; l->run is set. The caller owns the reference; NULL when memory is
 * out. */
json_t *line_bundle(const struct line_of *l);

/* A Pod. The caller owns the reference; NULL when memory is out. */
json_t *line_pod(const struct line_of *l);

/* The words as a shell takes them back. */
void line_text(const struct strv *words, struct buf *out);

/*
 * What a person typed, taken apart.
 *
 * Layer: target, private to it.
 */
#pragma once

#include "target/engine.h"

struct spec {
	const char *typed;
	char *buf;	    /* owns the parts */
	const char *engine; /* before "://" or ":", NULL: any */
	pid_t pid;	    /* pid:N, or N alone; 0: neither */
	bool only_pid;	    /* pid:N */
	bool number;	    /* digits, and few enough for a pid: not the start of an id */
	bool hex;	    /* the text can start an id */
	struct want want;   /* text, pod and pod_ns are set */
};

/* Parse without looking anything up. 0, or -EINVAL with `e` filled. */
int spec_parse(struct spec *s, const char *typed, struct err *e);
/* A pid from text into s->pid. 0, or -EINVAL saying what pids look like. */
int spec_pid(struct spec *s, const char *text, struct err *e);
void spec_done(struct spec *s);
#define _cleanup_spec_ _cleanup_(spec_done)
